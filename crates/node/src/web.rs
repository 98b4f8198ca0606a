//! What callers' clients and load balancers ask: does this node take calls? Nothing else is served here.

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

use bounded::Bounded;

/// The page that says whether the node takes calls.
pub const STATUS_PATH: &str = "/api/client/v2/status";

/// The answer, in the words of the compatible API.
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
pub async fn serve(listener: TcpListener, admission: watch::Receiver<Admission>) {
    let router = Router::new().route(STATUS_PATH, get(status)).with_state(admission);
    // axum goes on after every failed accept, and never returns.
    let _ = axum::serve(Bounded::new(listener), router).await;
}

async fn status(State(admission): State<watch::Receiver<Admission>>) -> (StatusCode, Json<Answer>) {
    let admission = *admission.borrow();
    let (code, answer) = match admission {
        Admission::Admitting => (StatusCode::OK, Answer { status: "success", result: "OK" }),
        Admission::Refusing => {
            (StatusCode::SERVICE_UNAVAILABLE, Answer { status: "failed", result: "Maintenance mode" })
        }
    };
    (code, Json(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_status_says_whether_the_node_takes_calls() {
        let (set, admission) = watch::channel(Admission::Refusing);
        let check = async |code: u16, text: &str| {
            let (status, body) = status(State(admission.clone())).await;
            assert_eq!((status.as_u16(), serde_json::to_string(&body.0).unwrap().as_str()), (code, text));
        };
        check(503, r#"{"status":"failed","result":"Maintenance mode"}"#).await;
        set.send_replace(Admission::Admitting);
        check(200, r#"{"status":"success","result":"OK"}"#).await;
    }
}
