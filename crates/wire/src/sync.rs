//! The sync: the node sends its observed state (report), the manager answers with the desired state and, when it
//! has changed, the configuration. Both are compared and not counted, so a repeated message does no harm.

use fleet::starts::StartId;
use fleet::time::{Time, Wall};
use serde::{Deserialize, Serialize};

use crate::certificate::{CertificateToShow, ShownCertificate};
use crate::configuration::{Configuration, ConfigurationChange};
use crate::desired::Desired;
use crate::live::{Command, MediaStatistics, Outcome, ParticipantChanges};
use crate::machine::Machine;
use crate::report::Report;
use crate::share::{CallShare, HeldShare};

/// The protocol versions of this release: both sides use the newest that both know.
pub const PROTOCOL: Protocols = Protocols { min: 1, max: 2 };

/// How large an answer may be, in bytes. A platform of 10,000 Virtual Meeting Rooms with two aliases
/// each is about 1 MiB.
pub const SYNC_BYTES: usize = 4 << 20;

/// A range of protocol versions. Since protocol 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocols {
    /// The oldest that is supported.
    pub min: u16,
    /// The newest that is supported.
    pub max: u16,
}

impl Protocols {
    /// The newest version that both sides support.
    pub fn shared_with(self, other: Self) -> Option<u16> {
        let newest = self.max.min(other.max);
        (newest >= self.min && newest >= other.min).then_some(newest)
    }
}

/// Whether the answer may be delayed (long poll). Since protocol 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Answer at once: the node's report has changed.
    No,
    /// Answer when there is something new for the node, or when the hold is over.
    #[default]
    ForNews,
}

/// Counters of a node since its start. They are shown, and no decision depends on them. Since protocol 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Calls that were answered.
    pub carried: u64,
    /// Calls that were refused because of maintenance mode.
    pub refused_maintenance: u64,
    /// Calls that were refused for another reason.
    pub refused_other: u64,
    /// Calls that ended because their far end had vanished.
    pub vanished: u64,
}

/// `POST /node/v1/sync`: the node's report. The node is identified by its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// The protocol versions that the node supports. Since protocol 1.
    pub protocols: Protocols,
    /// Its observed state. Since protocol 1.
    pub observed: Report,
    /// Its counters. Since protocol 1.
    #[serde(default)]
    pub tally: Tally,
    /// The revision of the configuration that it has. Since protocol 1.
    #[serde(default)]
    pub configuration: u64,
    /// Whether the answer may be delayed. Since protocol 1.
    #[serde(default)]
    pub wait: Wait,
    /// When the node's present release started, in milliseconds since 1970-01-01 UTC. Since protocol 2.
    #[serde(default)]
    pub started_at: Option<u64>,
    /// The node's wall clock when the message was made. Since protocol 2.
    #[serde(default)]
    pub wall: Option<Wall>,
    /// What has changed of its participants since the revision that the manager has; none when nothing has, or when the
    /// manager has not said which one it has. Since protocol 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<ParticipantChanges>,
    /// What was counted of the sound of some participants. Since protocol 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statistics: Vec<MediaStatistics>,
    /// What has become of commands. Since protocol 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
    /// Its share of the calls that the licences allow; none from a release that has no share. Since protocol 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_share: Option<HeldShare>,
    /// Which certificate it shows to callers; none when its release shows none of the operator's. Since protocol 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<ShownCertificate>,
    /// Whether it can be sent what has changed of the configuration since its revision. Since protocol 2.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub takes_changes: bool,
    /// What its machine is; in requests alone that wait for news. Since protocol 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
}

/// The answer: the node's desired state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// The protocol version from now on. Since protocol 1.
    pub protocol: u16,
    /// The desired state. Since protocol 1.
    pub desired: Desired,
    /// The configuration, when its revision differs from the node's. Since protocol 1.
    #[serde(default)]
    pub configuration: Option<Configuration>,
    /// What has changed of the configuration since the node's revision, instead of all of it. Since protocol 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_change: Option<ConfigurationChange>,
    /// How fast the node may fetch the package, in bytes per second; none is without limit. Since
    /// protocol 1.
    #[serde(default)]
    pub fetch_rate: Option<u64>,
    /// The time of the newest report that the manager has, by the node's own clock. A node whose clock has gone
    /// back, because its machine was restored (R20), continues from there: otherwise all its reports would count
    /// as late. Since protocol 1.
    #[serde(default)]
    pub heard_at: Option<Time>,
    /// The Management Node's wall clock: certificates are issued and verified by it, so a node renews its own by
    /// it. Since protocol 2.
    #[serde(default)]
    pub wall: Option<Wall>,
    /// The start id of the other process that last reported under the node's identity; the node repeats it in its
    /// next report. Since protocol 2.
    #[serde(default)]
    pub beside: Option<StartId>,
    /// The revision of the node's participants that the manager has, 0 if it has none; none when it wants none. Since
    /// protocol 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<u64>,
    /// What the node is to do. Since protocol 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Command>,
    /// The node's share of the calls that the licences allow; none if it has said nothing of the one that it has, and from
    /// a manager that counts no calls. Since protocol 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_share: Option<CallShare>,
    /// Which certificate the node is to show to callers, when it shows another one. Since protocol 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateToShow>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_speak_the_newest_version_that_both_know() {
        let check = |a: (u16, u16), b: (u16, u16), expected| {
            let (a, b) = (Protocols { min: a.0, max: a.1 }, Protocols { min: b.0, max: b.1 });
            assert_eq!(a.shared_with(b), expected);
            assert_eq!(b.shared_with(a), expected);
        };
        check((1, 1), (1, 2), Some(1));
        check((1, 3), (2, 4), Some(3));
        check((1, 1), (2, 3), None);
    }
}
