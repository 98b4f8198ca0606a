//! Records whom the nodes' listener has refused, and why: shown for each node, and logged once for each node
//! and reason, and again after a day.
//!
//! Everything is bounded, so that nobody can fill the log or the memory. It refuses nothing itself.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use edge::permit_pool::SourcePrefix;
use fleet::node::{Contact, NodeId};
use fleet::time::{Span, Time};
use parking_lot::{Mutex, MutexGuard};
use tracing::warn;

use crate::bounded::make_room;
use crate::token_bucket::{Rate, TokenBucket};

/// After this time a reason that still applies is logged once more, so that it is in every day's log.
const LOGGED_AGAIN: Span = Span::hours(24);

/// How many pairs of node and reason are remembered: more than every node of a platform with one reason.
const OF_NODES: usize = 16_384;

/// How many pairs of address and reason are remembered.
const OF_ADDRESSES: usize = 1_024;

/// How many lines about unauthenticated peers are logged: whoever has many addresses fills no log.
const LINES: Rate = Rate { burst: 31, interval: Span::seconds(10) };

/// Why a connection or a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The certificate has expired.
    Expired,
    /// The certificate belongs to another registration of its node's number.
    RegistrationEnded,
    /// There is no node with the number in the certificate.
    NotRegistered,
    /// The certificate was issued by another authority.
    OtherAuthority,
    /// The certificate is not one for a node.
    UnusableCertificate,
    /// The peer does not accept the certificate of the Management Node.
    RejectsOurCertificate,
    /// No certificate is shown where one is required.
    NoCertificate,
    /// The enrolment token is wrong, spent or expired.
    WrongToken,
    /// The machine runs another release than the Management Node.
    OtherRelease,
}

impl Reason {
    /// Its identifier in the API, which never changes.
    pub fn token(self) -> &'static str {
        match self {
            Self::Expired => "certificate_expired",
            Self::RegistrationEnded => "registration_ended",
            Self::NotRegistered => "not_registered",
            Self::OtherAuthority => "other_authority",
            Self::UnusableCertificate => "unusable_certificate",
            Self::RejectsOurCertificate => "certificate_not_accepted",
            Self::NoCertificate => "no_certificate",
            Self::WrongToken => "token",
            Self::OtherRelease => "release",
        }
    }
}

impl Reason {
    /// What is wrong, and what to do, for a refused certificate of a node with that contact. While the link
    /// of the node is up, a peer with an identity that has ended is another machine, and a new enrolment
    /// would revoke the node's own identity. An expired certificate may still be the node's own, whose link
    /// stays up for a moment then.
    pub(crate) fn explained(self, contact: Contact) -> String {
        match self {
            Self::RegistrationEnded if contact == Contact::Heard => {
                "the node itself is in touch, and another machine tries with an identity that it had before: one that \
                 was replaced, or is a copy; do not enrol the node for it: stop pitlane-node on that machine, \
                 and erase it or enrol it as a node of its own"
                    .into()
            }
            Self::Expired if contact == Contact::Heard => {
                "its certificate has expired, and the node was in touch then: if it stays in touch, another machine \
                 tries with a certificate that the node had before, and pitlane-node is to be stopped there; if it \
                 does not and the clock of this Management Node is right, make a new enrolment file with \
                 `pitlane node enrol NAME`, and use it on the machine with `pitlane-node enrol --replace`"
                    .into()
            }
            Self::Expired
            | Self::RegistrationEnded
            | Self::NotRegistered
            | Self::OtherAuthority
            | Self::UnusableCertificate
            | Self::RejectsOurCertificate
            | Self::NoCertificate
            | Self::WrongToken
            | Self::OtherRelease => self.to_string(),
        }
    }
}

impl fmt::Display for Reason {
    /// What is wrong, and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => {
                "its certificate has expired; if the clock of this Management Node is right, make a new enrolment \
                 file with `pitlane node enrol NAME`, and use it on the machine with `pitlane-node enrol --replace`"
            }
            Self::RegistrationEnded => {
                "its certificate belongs to a registration that has ended: the node was enrolled anew since, or was \
                 removed and its number is another node's; if it is to come back, make a new enrolment file with \
                 `pitlane node enrol NAME`"
            }
            Self::NotRegistered => {
                "the node of its certificate is not registered any more; add it again if it is to come back"
            }
            Self::OtherAuthority => {
                "its certificate was made by another Management Node; enrol the machine here if it is to belong to \
                 this platform"
            }
            Self::UnusableCertificate => "its certificate is none that a Conferencing Node can use; enrol it again",
            Self::RejectsOurCertificate => {
                "it does not accept the certificate of this Management Node; compare the clocks of both machines, and the \
                 names in machine.toml here; a node of another platform is to be enrolled here"
            }
            Self::NoCertificate => "it shows no certificate; enrol it with the file made for it",
            Self::WrongToken => {
                "its enrolment file was used before, has expired, or its node was removed; make a new one with \
                 `pitlane node enrol NAME`"
            }
            Self::OtherRelease => {
                "its machine does not have the release of this Management Node, with which a new node must join; \
                 install that release on it and use the same enrolment file"
            }
        })
    }
}

/// A node that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// Its address.
    pub address: IpAddr,
    /// When it was last refused.
    pub at: Time,
}

/// The record of one peer that is refused for one reason.
#[derive(Clone, Copy, Debug)]
struct Seen {
    last: Refused,
    logged_at: Time,
    /// How often since it was logged.
    unlogged: u64,
}

/// All refusals. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub struct Refusals {
    started: Instant,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    nodes: BTreeMap<(NodeId, Reason), Seen>,
    addresses: BTreeMap<(SourcePrefix, Reason), Seen>,
    lines: TokenBucket,
    /// Lines about unauthenticated peers that were left out since the last one.
    left_out: u64,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { started: Instant::now(), table: Arc::default() }
    }
}

impl Refusals {
    /// A node is refused that has authenticated itself with a certificate.
    pub(crate) fn record_node(&self, node: NodeId, name: &str, contact: Contact, refused: Refused) {
        if let Some(times) = self.lock().note_node(node, refused) {
            let Refused { reason, address, at: _ } = refused;
            let text = reason.explained(contact);
            warn!(node = node.0, name, %address, reason = reason.token(), times, "a node is refused: {text}");
        }
    }

    /// An unauthenticated peer is refused.
    pub(crate) fn record_unauthenticated(&self, address: IpAddr, reason: Reason) {
        let now = Time(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        let noted = self.lock().note_unauthenticated(Refused { reason, address, at: now });
        if let Some((times, left_out)) = noted {
            let reason_token = reason.token();
            warn!(%address, reason = reason_token, times, left_out, "a machine cannot connect: {reason}");
        }
    }

    /// The last refusal of a node.
    pub fn last(&self, node: NodeId) -> Option<Refused> {
        let table = self.lock();
        let of_node = table.nodes.range((node, Reason::Expired)..=(node, Reason::OtherRelease));
        of_node.map(|(_, seen)| seen.last).max_by_key(|refused| refused.at)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock()
    }
}

impl Table {
    /// Returns how often it happened since the last line, when a line is due.
    fn note_node(&mut self, node: NodeId, refused: Refused) -> Option<u64> {
        note(&mut self.nodes, OF_NODES, (node, refused.reason), refused)
    }

    /// The same for an unauthenticated peer, with how many lines were left out since the last one.
    fn note_unauthenticated(&mut self, refused: Refused) -> Option<(u64, u64)> {
        let key = (SourcePrefix::of(refused.address), refused.reason);
        let times = note(&mut self.addresses, OF_ADDRESSES, key, refused)?;
        if self.lines.delay(LINES, refused.at) > Span::ZERO {
            self.left_out += 1;
            return None;
        }
        self.lines.take(LINES, refused.at);
        Some((times, std::mem::take(&mut self.left_out)))
    }
}

fn note<K: Ord + Copy>(
    table: &mut BTreeMap<K, Seen>,
    at_most: usize,
    key: K,
    refused: Refused,
) -> Option<u64> {
    if let Some(seen) = table.get_mut(&key) {
        (seen.last, seen.unlogged) = (refused, seen.unlogged + 1);
        if refused.at.since(seen.logged_at) < LOGGED_AGAIN {
            return None;
        }
        seen.logged_at = refused.at;
        return Some(std::mem::take(&mut seen.unlogged));
    }
    make_room(table, at_most, &key, |seen| seen.last.at);
    table.insert(key, Seen { last: refused, logged_at: refused.at, unlogged: 0 });
    Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Reason, address: u32, at: u64) -> Refused {
        Refused { reason, address: IpAddr::V4(address.into()), at: Time(at) }
    }

    #[test]
    fn node_is_logged_once_for_each_reason_and_again_after_a_day() {
        let mut table = Table::default();
        let mut note = |node, reason, at| table.note_node(NodeId(node), refused(reason, 1, at));
        assert_eq!(note(1, Reason::Expired, 0), Some(1));
        assert!((1..100).all(|at| note(1, Reason::Expired, at).is_none()));
        assert_eq!(note(1, Reason::RegistrationEnded, 100), Some(1));
        assert_eq!(note(2, Reason::Expired, 100), Some(1));
        assert_eq!(note(1, Reason::Expired, LOGGED_AGAIN.0), Some(100));
    }

    #[test]
    fn new_enrolment_is_not_advised_for_another_machine_while_the_node_is_in_touch() {
        let lost = Contact::Lost { since: Time(0) };
        for contact in [Contact::Never, lost, Contact::Silent { since: Time(0), lost_at: Time(1) }] {
            assert!(
                Reason::RegistrationEnded.explained(contact).contains("pitlane node enrol NAME"),
                "{contact:?}"
            );
        }
        let text = Reason::RegistrationEnded.explained(Contact::Heard);
        assert!(text.starts_with("the node itself is in touch, and another machine tries"), "{text}");
        assert!(!text.contains("pitlane node enrol"), "{text}");
        let text = Reason::Expired.explained(Contact::Heard);
        assert!(text.contains("if it stays in touch, another machine"), "{text}");
        assert_eq!(Reason::Expired.explained(lost), Reason::Expired.to_string());
    }

    #[test]
    fn last_refusal_of_a_node_is_shown() {
        let refusals = Refusals::default();
        refusals.record_node(NodeId(1), "oslo-1", Contact::Heard, refused(Reason::Expired, 1, 5));
        refusals.record_node(NodeId(1), "oslo-1", Contact::Heard, refused(Reason::OtherRelease, 2, 9));
        refusals.record_node(NodeId(2), "oslo-2", Contact::Heard, refused(Reason::Expired, 3, 11));
        assert_eq!(refusals.last(NodeId(1)), Some(refused(Reason::OtherRelease, 2, 9)));
        assert_eq!(refusals.last(NodeId(3)), None);
    }

    #[test]
    fn unauthenticated_peers_with_many_addresses_fill_neither_log_nor_memory() {
        let mut table = Table::default();
        let lines = (0..100_000_u32)
            .filter_map(|n| table.note_unauthenticated(refused(Reason::WrongToken, n << 8, u64::from(n))))
            .collect::<Vec<_>>();
        // In a hundred seconds: the burst, and one in ten seconds.
        assert!((31..=42).contains(&lines.len()), "{} lines", lines.len());
        assert!(lines.last().unwrap().1 > 0, "what was left out is not said");
        assert_eq!(table.addresses.len(), OF_ADDRESSES);
    }
}
