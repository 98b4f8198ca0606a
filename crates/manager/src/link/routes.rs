//! The routes of the nodes' listener.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use fleet::node::NodeId;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use wire::IdentityName;

use super::{Peer, Presence, Refusal, enrol, packages, sync};
use crate::authority::Authority;
use crate::driver::Desk;
use crate::gate::{Gate, guard};
use crate::layout::Layout;

/// How long a request's body may take to arrive.
const BODY: Duration = Duration::from_secs(30);

/// How long the link waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a node's request is held when there is no news. Half of what firewalls commonly allow
    /// an idle connection, and short enough that a broken one is soon noticed.
    pub hold: Duration,
    /// How long a node may be without a request before its link counts as down: a few tries of a node
    /// whose connection broke.
    pub gap: Duration,
}

impl Timing {
    /// What a Management Node runs with.
    pub const STANDARD: Self = Self { hold: Duration::from_secs(10), gap: Duration::from_secs(5) };
}

/// What the nodes' requests need. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link {
    /// The way to the core.
    pub desk: Desk,
    /// What makes certificates.
    pub authority: Arc<Authority>,
    /// Where the packages lie.
    pub layout: Layout,
    /// Who is in touch.
    pub presence: Presence,
    /// Whether requests are taken.
    pub gate: Gate,
    /// How fast each node may fetch a package, in bytes per second.
    pub fetch_rate: Option<u64>,
    /// How long to wait for what.
    pub timing: Timing,
}

/// Everything that a node may ask. Serve it with the peer as connect info.
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

/// The node at the other end, as its certificate names it, and as it is registered now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller(pub(crate) NodeId);

impl FromRequestParts<Link> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, link: &Link) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>();
        caller(peer.and_then(|peer| peer.0.identity), &link.desk)
    }
}

/// Who calls. The row of the node is what revokes a certificate.
fn caller(identity: Option<IdentityName>, desk: &Desk) -> Result<Caller, Refusal> {
    match identity {
        Some(IdentityName::Node(id)) if desk.read(|fleet, _| fleet.nodes().get(id).is_some()) => {
            Ok(Caller(id))
        }
        Some(IdentityName::Node(_)) => Err(Refusal::NotRegistered),
        Some(IdentityName::Manager) | None => Err(Refusal::NoCertificate),
    }
}

/// Reads a message of at most `limit` bytes.
pub(crate) async fn bytes(body: Body, limit: usize) -> Result<axum::body::Bytes, Refusal> {
    match timeout(BODY, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) | Err(_) => Err(Refusal::Body),
    }
}

/// Understands a message.
pub(crate) fn message<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(Refusal::Malformed)
}
