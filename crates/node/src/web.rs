//! Answers clients of callers and load balancers whether this node takes calls. It relies on the event loop for the
//! answer, and serves nothing else.

mod bounded;

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use fleet::observed::Admission;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) use bounded::{Bounded, Held};

/// The page with whether the node takes calls.
pub const STATUS_PATH: &str = "/api/client/v2/status";

/// What the node does about new calls, as clients of callers are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// It takes them.
    Open,
    /// It refuses them: maintenance mode.
    Maintenance,
    /// It refuses them because it has found itself unfit. The reason is in its report and its log; what is
    /// wrong with a machine is not for everybody to read.
    Unfit,
}

impl Service {
    /// What the call engine does.
    pub fn admission(self) -> Admission {
        match self {
            Self::Open => Admission::Admitting,
            Self::Maintenance | Self::Unfit => Admission::Refusing,
        }
    }
}

/// The answer, in the terms of the compatible API, which has none for a node that is unfit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Answer {
    status: &'static str,
    result: &'static str,
}

/// The address cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot answer HTTP on {address}; free the port, or set `web` in machine.toml to another")]
pub struct CannotListen {
    /// The address that was asked for.
    pub address: SocketAddr,
    /// Why not.
    pub source: std::io::Error,
}

/// Opens the listener.
///
/// # Errors
/// The address cannot be had.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, CannotListen> {
    TcpListener::bind(address).await.map_err(|source| CannotListen { address, source })
}

/// Answers until the program ends.
pub async fn serve(listener: TcpListener, service: watch::Receiver<Service>) {
    let router = Router::new().route(STATUS_PATH, get(status)).with_state(service);
    // axum goes on after every failed accept, and never returns.
    let _ = axum::serve(Bounded::new(listener), router).await;
}

async fn status(State(service): State<watch::Receiver<Service>>) -> (StatusCode, Json<Answer>) {
    let service = *service.borrow();
    let (code, status, result) = match service {
        Service::Open => (StatusCode::OK, "success", "OK"),
        Service::Maintenance => (StatusCode::SERVICE_UNAVAILABLE, "failed", "Maintenance mode"),
        Service::Unfit => (StatusCode::SERVICE_UNAVAILABLE, "failed", "Not fit to take calls"),
    };
    (code, Json(Answer { status, result }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn status_says_whether_the_node_takes_calls() {
        let (set, service) = watch::channel(Service::Maintenance);
        let check = async |code: u16, text: &str| {
            let (status, body) = status(State(service.clone())).await;
            assert_eq!((status.as_u16(), serde_json::to_string(&body.0).unwrap().as_str()), (code, text));
        };
        check(503, r#"{"status":"failed","result":"Maintenance mode"}"#).await;
        set.send_replace(Service::Unfit);
        check(503, r#"{"status":"failed","result":"Not fit to take calls"}"#).await;
        set.send_replace(Service::Open);
        check(200, r#"{"status":"success","result":"OK"}"#).await;
    }
}
