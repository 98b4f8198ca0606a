//! The routes of the nodes' listener.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::{Link, enrol, packages, sync};
use crate::gate::guard;

/// All routes for nodes. Serve it with the peer as connect info.
pub fn router(link: Link) -> Router {
    let gate = link.gate.clone();
    Router::new()
        .route("/node/v1/enrol", post(enrol::enrol))
        .route("/node/v1/renew", post(enrol::renew))
        .route("/node/v1/sync", post(sync::sync))
        .route("/node/v1/packages/{manifest}/{file}", get(packages::file))
        .with_state(link)
        .layer(from_fn_with_state(gate, guard))
}
