//! The one conversation: the node says what it observes, the manager answers with what it wants.

use fleet::desired::Desired;
use fleet::observed::Observed;
use fleet::starts::StartId;
use fleet::time::{Time, Wall};
use serde::{Deserialize, Serialize};

/// The versions of the messages that this release speaks: both sides use the newest that both know.
pub const PROTOCOL: Protocols = Protocols { min: 1, max: 2 };

/// How large a message may be, in bytes. A platform of 10,000 Virtual Meeting Rooms with two aliases
/// each is about 1 MiB.
pub const SYNC_BYTES: usize = 4 << 20;

/// A range of protocol versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocols {
    /// The oldest that is spoken.
    pub min: u16,
    /// The newest that is spoken.
    pub max: u16,
}

impl Protocols {
    /// The newest version that both sides speak.
    pub fn shared_with(self, other: Self) -> Option<u16> {
        let newest = self.max.min(other.max);
        (newest >= self.min && newest >= other.min).then_some(newest)
    }
}

/// Whether the answer may be held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Answer at once: the node has news.
    No,
    /// Answer when there is something new for the node, or when the hold is over.
    #[default]
    ForNews,
}

/// What a node has counted since it started. It is shown and never decided upon.
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

/// `POST /node/v1/sync`: what the node observes. Who it is, its certificate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// The versions of the messages that the node speaks.
    pub protocols: Protocols,
    /// What it observes.
    pub observed: Observed,
    /// What it has counted.
    #[serde(default)]
    pub tally: Tally,
    /// The revision of the configuration that it has.
    #[serde(default)]
    pub configuration: u64,
    /// Whether the answer may be held back.
    #[serde(default)]
    pub wait: Wait,
    /// When the node's present release started, in milliseconds since 1970-01-01 UTC. Since protocol 2.
    #[serde(default)]
    pub started_at: Option<u64>,
    /// What the node's wall clock says, as the message is made. Since protocol 2.
    #[serde(default)]
    pub wall: Option<Wall>,
}

/// A Virtual Meeting Room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Its name.
    pub name: String,
    /// What can be dialled to reach it.
    pub aliases: Vec<String>,
}

/// What nodes need to know to carry calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Rises with every change.
    pub revision: u64,
    /// The Virtual Meeting Rooms.
    pub rooms: Vec<Room>,
}

/// The answer: what is wanted of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncAnswer {
    /// The version of the messages that is spoken from now on.
    pub protocol: u16,
    /// What is wanted.
    pub desired: Desired,
    /// The configuration, when the node's is another.
    #[serde(default)]
    pub configuration: Option<Configuration>,
    /// How fast the node may fetch the package, in bytes per second; none is without limit.
    #[serde(default)]
    pub fetch_rate: Option<u64>,
    /// The time of the newest report that the manager holds, by the node's own clock. A node whose clock
    /// has gone back, because its machine was restored (R20), goes on from there: else all that it says
    /// would count as late.
    #[serde(default)]
    pub heard_at: Option<Time>,
    /// What the Management Node's wall clock says: the one by which certificates are issued and judged, so a
    /// node renews its own by it. Since protocol 2.
    #[serde(default)]
    pub wall: Option<Wall>,
    /// The other start that the manager has heard last under the node's identity; the node repeats it in its
    /// next report. Since protocol 2.
    #[serde(default)]
    pub beside: Option<StartId>,
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
