//! `status/v1/upgrade/`: the Upgrade status page (R22).

use std::collections::BTreeMap;

use fleet::status::Status;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{Finding, PastRun, UtcTime};

/// The platform and its upgrade at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UpgradeStatus {
    /// The Management Node's clock.
    pub now: UtcTime,
    /// When that clock was set last, if it was.
    #[serde(default)]
    pub clock_stepped_at: Option<UtcTime>,
    /// The Management Node.
    pub manager: Manager,
    /// The run under way.
    #[serde(default)]
    pub run: Option<Run>,
    /// The run before.
    #[serde(default)]
    pub last_run: Option<PastRun>,
    /// Every Conferencing Node.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// What should be known beside the run.
    #[serde(default)]
    pub warnings: Vec<Finding>,
}

/// The Management Node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manager {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub version: String,
    /// The build of that.
    pub build: u32,
    /// One of the eight as a token.
    #[serde(default)]
    pub upgrade_status: String,
    /// The same in words.
    pub upgrade_status_text: String,
    /// Why a restart of it would fail, when it would.
    #[serde(default)]
    pub start_fault: Option<String>,
}

/// A run under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: u32,
    /// What the platform ran.
    pub source: String,
    /// The release that it installs.
    pub target: String,
    /// The hash of the package's manifest.
    #[serde(default)]
    pub manifest: String,
    /// When it began.
    pub started_at: UtcTime,
    /// When it stops at the latest (R8).
    pub limit: UtcTime,
    /// Its limits and numbers; spans in seconds.
    #[serde(default)]
    pub policy: Value,
    /// How far the Management Node is: staging, installing, confirmed.
    pub manager_step: String,
    /// Whether another run may be started (R10): held, lifted.
    #[serde(default)]
    pub lock: String,
    /// That no further node is taken, if the operator has ordered so.
    #[serde(default)]
    pub paused: Option<Paused>,
    /// Nodes out of service on behalf of the run.
    pub places_taken: u32,
    /// How many there may be.
    pub places: u32,
    /// How many nodes have each of the eight statuses, by their tokens.
    #[serde(default)]
    pub counts: BTreeMap<String, u32>,
}

/// A pause of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub since: UtcTime,
    /// The account that ordered it.
    pub by: String,
    /// Why, if that was said.
    pub why: String,
}

/// A Conferencing Node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its number.
    #[serde(default)]
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The name of its system location.
    #[serde(default)]
    pub system_location: Option<String>,
    /// What it runs; none if it has never reported.
    #[serde(default)]
    pub version: Option<String>,
    /// The build of that.
    #[serde(default)]
    pub build: Option<u32>,
    /// One of the eight; none when a newer release has one that is not known here.
    #[serde(serialize_with = "token", deserialize_with = "known_status")]
    pub upgrade_status: Option<Status>,
    /// The same in words.
    pub upgrade_status_text: String,
    /// Why it does not advance.
    #[serde(default)]
    pub waits: Option<Waits>,
    /// The same in words.
    #[serde(default)]
    pub waits_text: Option<String>,
    /// Whether it refuses new calls.
    #[serde(default)]
    pub maintenance_mode: bool,
    /// Who keeps it in maintenance mode (R12): operator, run, platform.
    #[serde(default)]
    pub maintenance_mode_owners: Vec<String>,
    /// Calls that it has; none when not known.
    #[serde(default)]
    pub calls: Option<u32>,
    /// How far its clock is off in words, when that is worth an alarm.
    #[serde(default)]
    pub clock_offset_text: Option<String>,
    /// The state of its link: never, heard, silent, lost.
    #[serde(default)]
    pub contact: String,
    /// Why a restart of it would fail, when it would.
    #[serde(default)]
    pub start_fault: Option<String>,
    /// The two machines that report as it, when there are two.
    #[serde(default)]
    pub duplicate: Option<String>,
    /// Statistics of its calls.
    #[serde(default)]
    pub tally: Option<Tally>,
}

/// Why a node does not advance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waits {
    /// What it waits for.
    pub waits_for: String,
    /// What else is known of that, such as how many calls there are.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Waits {
    /// Whether it takes longer than usual (R27).
    pub fn is_stuck(&self) -> bool {
        self.more.get("stuck").and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Statistics of calls since the node's program started.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Carried to their end.
    pub carried: u64,
    /// Refused in maintenance mode.
    pub refused_maintenance: u64,
    /// Refused for another reason.
    pub refused_other: u64,
    /// Ended without a BYE of either side.
    pub vanished: u64,
}

fn token<S: Serializer>(status: &Option<Status>, serializer: S) -> Result<S::Ok, S::Error> {
    status.map(|status| status.token()).serialize(serializer)
}

/// A status by its token; none for one of a newer Management Node, whose text is shown all the same.
fn known_status<'de, D: Deserializer<'de>>(token: D) -> Result<Option<Status>, D::Error> {
    let token = String::deserialize(token)?;
    Ok(Status::ALL.into_iter().find(|status| status.token() == token))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_status_of_a_newer_release_is_shown_by_its_text() {
        let check = |token: &str, expected: Option<Status>| {
            let node = json!({"name": "lon-1", "upgrade_status": token, "upgrade_status_text": "In words"});
            let node: Node = serde_json::from_value(node).unwrap();
            assert_eq!((node.upgrade_status, node.upgrade_status_text.as_str()), (expected, "In words"));
        };
        check("WAITING_FOR_CALLS", Some(Status::WaitingForCallsToClear));
        check("UNREACHABLE", Some(Status::CouldNotCommunicate));
        check("LEVITATING", None);
    }

    #[test]
    fn what_a_node_waits_for_keeps_what_is_said_of_it() {
        let written = json!({"waits_for": "restart", "since": 12, "stuck": true});
        let waits: Waits = serde_json::from_value(written.clone()).unwrap();
        assert!(waits.is_stuck());
        assert_eq!(serde_json::to_value(&waits).unwrap(), written);
    }
}
