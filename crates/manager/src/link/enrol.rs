//! A node's identity: enrolment with a token, renewal over the authenticated link.

use std::time::UNIX_EPOCH;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use fleet::node::NodeId;
use tracing::{info, warn};
use wire::{ENROLMENT_FILE_BYTES, Enrolled, EnrolmentRequest};

use super::routes::{Caller, bytes, message};
use super::{Link, Refusal};
use crate::authority::{Issued, NodeRequest};
use crate::enrolment::spend;
use crate::store::StoreError;

/// `POST /node/v1/enrol`: the only request without a certificate.
pub(crate) async fn enrol(State(link): State<Link>, body: Body) -> Result<Json<Enrolled>, Refusal> {
    let request: EnrolmentRequest = message(&bytes(body, ENROLMENT_FILE_BYTES).await?)?;
    let key = NodeRequest::parse(&request.request)?;
    let (token, public_key) = (request.token.ok_or(Refusal::Token)?, key.public_key().to_vec());
    let now = link.desk.now();
    let spent = move |tx: &rusqlite::Transaction<'_>| spend(tx, &token, &public_key, now);
    let node = link.desk.store().write::<_, StoreError>(spent).await?.ok_or(Refusal::Token)?;
    if link.desk.read(|fleet, _| fleet.nodes().get(node).is_none()) {
        return Err(Refusal::NotRegistered);
    }
    info!(node = node.0, "a node was enrolled");
    issue(&link, node, &key)
}

/// `POST /node/v1/renew`: the certificate that the node shows is the right to the next one.
pub(crate) async fn renew(
    Caller(node): Caller,
    State(link): State<Link>,
    body: Body,
) -> Result<Json<Enrolled>, Refusal> {
    let request: EnrolmentRequest = message(&bytes(body, ENROLMENT_FILE_BYTES).await?)?;
    let key = NodeRequest::parse(&request.request)?;
    refuse_duplicate(&link, node)?;
    info!(node = node.0, "a node's certificate was renewed");
    issue(&link, node, &key)
}

/// While two processes report under one identity, it is not prolonged: one of them may hold a stolen key, and
/// would renew its certificate for ever. A certificate has a third of its life left when it is to be renewed.
fn refuse_duplicate(link: &Link, node: NodeId) -> Result<(), Refusal> {
    let two = link.desk.read(|fleet, _| fleet.nodes().get(node).and_then(|node| node.duplicate().copied()));
    let Some(two) = two else { return Ok(()) };
    warn!(node = node.0, "the certificate of a node was not renewed: {two}");
    Err(Refusal::Duplicate(two))
}

fn issue(link: &Link, node: NodeId, key: &NodeRequest) -> Result<Json<Enrolled>, Refusal> {
    let Issued { pem, renew_at } = link.authority.issue_to_node(node, key)?;
    let renew_at = renew_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Ok(Json(Enrolled { certificate: pem, renew_at: u64::try_from(renew_at).unwrap_or(u64::MAX) }))
}
