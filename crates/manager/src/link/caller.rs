//! What every request of a node is answered with, and the node that sends it.
//!
//! It relies on the TLS handshake for the certificate and on `registration` for whether that counts. It never
//! accepts a request of a node whose certificate has expired or belongs to a registration that has ended.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use fleet::node::{Contact, NodeId};
use fleet::platform::Fleet;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use wire::RegistrationId;

use super::refusals::{Reason, Refusals, Refused};
use super::slowdown::Slowdown;
use super::{Peer, Refusal};
use crate::authority::Authority;
use crate::certificate::Certificate;
use crate::driver::Committer;
use crate::gate::Gate;
use crate::layout::Layout;
use crate::presence::Presence;
use crate::registration::CertificateStatus;
use crate::store::registrations;

/// How long a request's body may take to arrive.
const BODY: Duration = Duration::from_secs(30);

/// The timeouts of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a node's request is held when nothing is new. Half of what firewalls commonly allow an idle
    /// connection, and short enough that a broken one is soon noticed.
    pub hold: Duration,
    /// How long a node may be without a request before its link counts as down: a few tries of a node
    /// whose connection broke.
    pub gap: Duration,
}

impl Timing {
    /// The timeouts of a Management Node.
    pub const STANDARD: Self = Self { hold: Duration::from_secs(10), gap: Duration::from_secs(5) };
}

/// The state that the handlers of the nodes' requests share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link {
    /// Applies events to the core.
    pub committer: Committer,
    /// Issues certificates.
    pub authority: Arc<Authority>,
    /// The paths of the packages.
    pub layout: Layout,
    /// Which links are up.
    pub presence: Presence,
    /// Whether requests are served.
    pub gate: Gate,
    /// How fast each node may fetch a package, in bytes per second.
    pub fetch_rate: Option<u64>,
    /// The timeouts.
    pub timing: Timing,
    /// The refusals so far.
    pub refusals: Refusals,
    /// The wrong tokens so far.
    pub slowdown: Arc<Slowdown>,
}

/// The node that sends a request: its certificate is valid now, and belongs to its current registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The node.
    pub(crate) node: NodeId,
    /// Its registration.
    pub(crate) registration: RegistrationId,
    /// Its certificate.
    shown: Certificate,
}

impl FromRequestParts<Link> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, link: &Link) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>().cloned();
        let ConnectInfo(peer) = peer.ok_or(Refusal::NoCertificate)?;
        let Some(shown) = peer.certificate else {
            link.refusals.record_unauthenticated(peer.address.ip(), Reason::NoCertificate);
            return Err(Refusal::NoCertificate);
        };
        match link.status_of(&shown).await {
            Ok(registration) => Ok(Self { node: shown.node, registration, shown }),
            Err(refusal) => {
                let node = |fleet: &Fleet, _| {
                    fleet.nodes().get(shown.node).map(|node| (node.name.clone(), node.contact))
                };
                let (name, contact) = link.committer.read(node).unwrap_or_default();
                Err(link.refuse(shown.node, (&name, contact), &peer, refusal))
            }
        }
    }
}

impl Caller {
    /// Checks its certificate again: a request may have been held for a while.
    pub(crate) async fn check_still_valid(&self, link: &Link) -> Result<(), Refusal> {
        link.status_of(&self.shown).await.map(|_| ())
    }
}

impl Link {
    /// The registration for which a certificate counts now, or why it does not count.
    async fn status_of(&self, shown: &Certificate) -> Result<RegistrationId, Refusal> {
        if self.committer.read(|fleet, _| fleet.nodes().get(shown.node).is_none()) {
            return Err(Refusal::NotRegistered);
        }
        if shown.is_expired(self.committer.wall()) {
            return Err(Refusal::Expired);
        }
        let shown = *shown;
        let status = match self.committer.store().registered(shown.node).await?.status_of(&shown) {
            CertificateStatus::ValidFromNow(..) => {
                self.committer.store().write(move |tx| registrations::note(tx, &shown)).await?
            }
            known @ (CertificateStatus::Valid(_) | CertificateStatus::Ended) => known,
        };
        match status {
            CertificateStatus::Valid(registration) | CertificateStatus::ValidFromNow(registration, _) => {
                Ok(registration)
            }
            CertificateStatus::Ended => Err(Refusal::RegistrationEnded),
        }
    }

    /// Records that a node is refused, if that concerns its identity.
    pub(super) fn refuse(
        &self,
        node: NodeId,
        (name, contact): (&str, Contact),
        peer: &Peer,
        refusal: Refusal,
    ) -> Refusal {
        if let Some(reason) = refusal.reason() {
            let refused = Refused { reason, address: peer.address.ip(), at: self.committer.now() };
            self.refusals.record_node(node, name, contact, refused);
        }
        refusal
    }
}

/// Reads a message of at most `limit` bytes.
pub(crate) async fn bytes(body: Body, limit: usize) -> Result<axum::body::Bytes, Refusal> {
    match timeout(BODY, to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) | Err(_) => Err(Refusal::Body),
    }
}

/// Parses a message.
pub(crate) fn message<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(Refusal::Malformed)
}
