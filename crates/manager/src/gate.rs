//! The request gate before both listeners. A release that has not confirmed itself yet, or that is about to
//! end, answers every request with 503, so that nobody depends on a state that may be discarded.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

/// Whether requests are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Every request gets 503.
    Closed,
    /// Requests are served.
    Open,
}

/// Whether requests are served. Cheap to clone; all clones are one gate.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<GateState>);

impl Gate {
    /// A gate that is closed.
    pub fn closed() -> Self {
        Self(watch::Sender::new(GateState::Closed))
    }

    /// Opens or closes it.
    pub fn set(&self, passage: GateState) {
        self.0.send_replace(passage);
    }

    /// Its state.
    pub fn state(&self) -> GateState {
        *self.0.borrow()
    }

    /// Returns when it is closed.
    pub(crate) async fn closes(&self) {
        // It does not fail: the sender is `self`.
        let _ = self.0.subscribe().wait_for(|passage| *passage == GateState::Closed).await;
    }
}

/// The path of the self check, which is answered even while the gate is closed.
pub(crate) const SELF_CHECK_PATH: &str = "/self-check";

/// Serves or refuses a request. For `axum::middleware::from_fn_with_state`.
pub async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.state() {
        GateState::Open => next.run(request).await,
        GateState::Closed if request.uri().path() == SELF_CHECK_PATH => {
            StatusCode::NO_CONTENT.into_response()
        }
        GateState::Closed => refusal(),
    }
}

fn refusal() -> Response {
    let body = serde_json::json!({
        "error": "Management Node is being upgraded",
        "kind": "upgrading",
        "hint": "wait until it has restarted; this takes less than a minute",
    });
    let headers = [(header::RETRY_AFTER, "2")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, axum::Json(body)).into_response()
}
