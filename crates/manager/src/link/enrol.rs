//! Issues certificates to nodes: enrolment with a token, and renewal over the authenticated link.
//!
//! It relies on `enrolment` for tokens and on the core for whether a machine may join (R29). It renews no
//! certificate that two processes use.

use std::time::UNIX_EPOCH;

use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use fleet::node::NodeId;
use fleet::platform::{Event, Fleet, Joining};
use fleet::version::Release;
use tokio::time::Instant;
use tracing::info;
use wire::{ENROLMENT_FILE_BYTES, Enrolled, EnrolmentRequest, RegistrationId};

use super::caller::{Caller, bytes, message};
use super::refusals::Reason;
use super::{Link, Peer, Refusal};
use crate::authority::{Issued, NodeRequest};
use crate::store::StoreError;
use crate::store::enrolments::{owner, spend};

/// `POST /node/v1/enrol`: the only request without a certificate.
pub(crate) async fn enrol(
    State(link): State<Link>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Body,
) -> Result<Json<Enrolled>, Refusal> {
    let request: EnrolmentRequest = message(&bytes(body, ENROLMENT_FILE_BYTES).await?)?;
    let EnrolmentRequest { token, request, release } = request;
    let token = token.ok_or(Refusal::Token)?;
    let Some(node) = owner_of(&link, &token).await? else { return Err(wrong_token(&link, &peer).await) };
    may_join(&link, &peer, node, release)?;
    let key = NodeRequest::parse(&request)?;
    let public_key = key.public_key().to_vec();
    let spent = move |tx: &crate::store::Transaction<'_>, _: &Fleet, now| {
        let spent = spend(tx, &token, &public_key, now)?;
        let events = spent.map(|(id, _)| Event::NodeEnrolled { id, release });
        Ok((events.into_iter().collect(), spent))
    };
    let Some((node, registration)) = link.committer.change::<_, StoreError>(spent).await? else {
        return Err(wrong_token(&link, &peer).await);
    };
    info!(node = node.0, address = %peer.address.ip(), "a node was enrolled; what it was enrolled with before is void");
    issue(&link, node, registration, &key)
}

/// Whose token it is.
async fn owner_of(link: &Link, token: &str) -> Result<Option<NodeId>, StoreError> {
    let (token, now) = (token.to_string(), link.committer.now());
    link.committer
        .store()
        .read(move |connection: &crate::store::Connection| owner(connection, &token, now))
        .await
}

/// Delays the answer to a wrong token.
async fn wrong_token(link: &Link, peer: &Peer) -> Refusal {
    let address = peer.address.ip();
    link.refusals.record_unauthenticated(address, Reason::WrongToken);
    tokio::time::sleep(link.slowdown.wrong(address, Instant::now())).await;
    Refusal::Token
}

/// Refuses a machine that may not join as this node, and notes it.
fn may_join(link: &Link, peer: &Peer, id: NodeId, release: Option<Release>) -> Result<(), Refusal> {
    let decided = link.committer.read(|fleet, _| {
        let node = fleet.nodes().get(id)?;
        let manager = fleet.platform.release;
        Some((fleet.joining(id, release)?, manager, node.name.clone(), node.contact))
    });
    match decided {
        Some((Joining::Joins | Joining::OutOfService, ..)) => Ok(()),
        Some((Joining::OtherVersion, manager, name, contact)) => {
            let refusal = Refusal::Release { machine: release, manager };
            Err(link.refuse(id, (&name, contact), peer, refusal))
        }
        None => Err(Refusal::NotRegistered),
    }
}

/// `POST /node/v1/renew`: a valid certificate entitles the node to the next one, of the same registration.
pub(crate) async fn renew(
    caller: Caller,
    State(link): State<Link>,
    body: Body,
) -> Result<Json<Enrolled>, Refusal> {
    let request: EnrolmentRequest = message(&bytes(body, ENROLMENT_FILE_BYTES).await?)?;
    let key = NodeRequest::parse(&request.request)?;
    caller.check_still_valid(&link).await?;
    refuse_duplicate(&link, caller.node)?;
    info!(node = caller.node.0, "a node's certificate was renewed");
    issue(&link, caller.node, caller.registration, &key)
}

/// Refuses the renewal while two processes report under one identity: one of them may have a stolen key, and
/// could renew its certificate for ever. A certificate is renewed when a third of its validity is left, so
/// there is time. The alarm names the two; nothing is logged here, for either may ask as often as it likes.
fn refuse_duplicate(link: &Link, node: NodeId) -> Result<(), Refusal> {
    let two =
        link.committer.read(|fleet, _| fleet.nodes().get(node).and_then(|node| node.duplicate().copied()));
    two.map_or(Ok(()), |two| Err(Refusal::Duplicate(two)))
}

fn issue(
    link: &Link,
    node: NodeId,
    registration: RegistrationId,
    key: &NodeRequest,
) -> Result<Json<Enrolled>, Refusal> {
    let Issued { pem, renew_at } = link.authority.issue_to_node(node, registration, key)?;
    let renew_at = renew_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Ok(Json(Enrolled { certificate: pem, renew_at: u64::try_from(renew_at).unwrap_or(u64::MAX) }))
}
