//! The answers of the management API, as far as they are read here. Fields that are not known are ignored, and those
//! that a release may leave out are optional. Texts are printed as the Management Node sends them.

use fleet::status::Status;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::utc_time::UtcTime;

/// `status/v1/upgrade/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct UpgradeStatus {
    /// The Management Node's clock.
    pub(crate) now: UtcTime,
    /// The Management Node.
    pub(crate) manager: Manager,
    /// The run under way.
    #[serde(default)]
    pub(crate) run: Option<Run>,
    /// The run before.
    #[serde(default)]
    pub(crate) last_run: Option<EndedRun>,
    /// Every Conferencing Node.
    #[serde(default)]
    pub(crate) nodes: Vec<Node>,
}

/// The Management Node.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Manager {
    /// Its name.
    pub(crate) name: String,
    /// What it runs.
    pub(crate) version: String,
    /// The build of that.
    pub(crate) build: u64,
    /// One of the eight, in words.
    pub(crate) upgrade_status_text: String,
    /// Why a restart of it would fail, when it would.
    #[serde(default)]
    pub(crate) start_fault: Option<String>,
}

/// A run under way.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Run {
    /// Its number.
    pub(crate) id: u64,
    /// What the platform ran.
    pub(crate) source: String,
    /// The release that it installs.
    pub(crate) target: String,
    /// When it began.
    pub(crate) started_at: UtcTime,
    /// When it stops at the latest.
    pub(crate) limit: UtcTime,
    /// How far the Management Node is: staging, installing, confirmed.
    pub(crate) manager_step: String,
    /// Whether another run may be started: held, lifted.
    #[serde(default)]
    pub(crate) lock: String,
    /// Nodes out of service on behalf of the run.
    pub(crate) places_taken: u64,
    /// How many there may be.
    pub(crate) places: u64,
}

/// A run that has ended.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EndedRun {
    /// Its number.
    pub(crate) id: u64,
    /// What the platform ran.
    pub(crate) source: String,
    /// The release that it installed.
    pub(crate) target: String,
    /// When it began.
    pub(crate) started_at: UtcTime,
    /// When it ended; none while it is under way.
    #[serde(default)]
    pub(crate) ended_at: Option<UtcTime>,
    /// How it ended.
    #[serde(default)]
    pub(crate) outcome: Option<String>,
    /// The same in words.
    #[serde(default)]
    pub(crate) outcome_text: Option<String>,
    /// What happened, when one run is asked for.
    #[serde(default)]
    pub(crate) facts: Vec<Fact>,
    /// How many entries of its history were removed, at least.
    #[serde(default)]
    pub(crate) facts_evicted: u64,
}

impl EndedRun {
    /// The outcome in words, as far as it is known.
    pub(crate) fn ending(&self) -> &str {
        let words = self.outcome_text.as_deref().or(self.outcome.as_deref());
        words.unwrap_or("under way")
    }
}

/// Something that happened in a run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Fact {
    /// When.
    pub(crate) at: UtcTime,
    /// In words.
    pub(crate) text: String,
}

/// A Conferencing Node in `status/v1/upgrade/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Node {
    /// Its name.
    pub(crate) name: String,
    /// The name of its system location.
    #[serde(default)]
    pub(crate) system_location: Option<String>,
    /// Who keeps it in maintenance mode.
    #[serde(default)]
    pub(crate) maintenance_mode_owners: Vec<String>,
    /// What it runs; none if it has never reported.
    #[serde(default)]
    pub(crate) version: Option<String>,
    /// The build of that.
    #[serde(default)]
    pub(crate) build: Option<u64>,
    /// One of the eight; none when a newer release has one that is not known here.
    #[serde(deserialize_with = "known_status")]
    pub(crate) upgrade_status: Option<Status>,
    /// The same in words.
    pub(crate) upgrade_status_text: String,
    /// Why it does not advance.
    #[serde(default)]
    pub(crate) waits: Option<Waits>,
    /// The same in words.
    #[serde(default)]
    pub(crate) waits_text: Option<String>,
    /// Calls that it has; none when not known.
    #[serde(default)]
    pub(crate) calls: Option<u64>,
    /// The state of its link.
    #[serde(default)]
    pub(crate) contact: String,
    /// Why a restart of it would fail, when it would.
    #[serde(default)]
    pub(crate) start_fault: Option<String>,
    /// Statistics of its calls.
    #[serde(default)]
    pub(crate) tally: Option<Tally>,
}

/// Why a node does not advance, as far as it is distinguished here.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Waits {
    /// What it waits for.
    pub(crate) waits_for: String,
    /// Whether it takes longer than usual.
    #[serde(default)]
    pub(crate) stuck: bool,
}

/// Statistics of calls.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    /// Carried to their end.
    pub(crate) carried: u64,
    /// Refused in maintenance mode.
    pub(crate) refused_maintenance: u64,
    /// Refused for another reason.
    pub(crate) refused_other: u64,
    /// Ended without a BYE of either side.
    pub(crate) vanished: u64,
}

/// `command/v1/platform/upgrade_check/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Check {
    /// The package that was checked.
    pub(crate) package: Package,
    /// What the platform runs, in one of the API's shapes.
    #[serde(default)]
    pub(crate) current: Value,
    /// What keeps it from being started.
    #[serde(default)]
    pub(crate) blockers: Vec<CheckItem>,
    /// What should be known.
    #[serde(default)]
    pub(crate) warnings: Vec<CheckItem>,
}

/// A blocker or a warning.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CheckItem {
    /// In words, with what to do next.
    pub(crate) text: String,
    /// The operator's rule that it holds.
    #[serde(default)]
    pub(crate) rule: Option<String>,
    /// Where it is put right.
    #[serde(default)]
    pub(crate) uri: Option<String>,
}

/// A package that the Management Node holds.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Package {
    /// Its name: the hash of its manifest.
    pub(crate) manifest: String,
    /// The version that it installs.
    pub(crate) version: String,
    /// The build of that.
    pub(crate) build: u64,
    /// The day of the release.
    #[serde(default)]
    pub(crate) released: Option<String>,
    /// What is new.
    #[serde(default)]
    pub(crate) notes: String,
    /// Its bytes.
    #[serde(default)]
    pub(crate) size: Option<u64>,
    /// When it was uploaded.
    #[serde(default)]
    pub(crate) uploaded_at: Option<UtcTime>,
    /// Why it cannot be removed.
    #[serde(default)]
    pub(crate) needed_for: Option<String>,
}

impl Package {
    /// `34.1 (34100)`.
    pub(crate) fn release(&self) -> String {
        release(&self.version, Some(self.build))
    }
}

/// A node in `status/v1/worker_vm/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WorkerStatus {
    /// Its name.
    pub(crate) name: String,
    /// What it runs.
    #[serde(default)]
    pub(crate) version: Option<String>,
    /// One of the eight, in words.
    #[serde(default)]
    pub(crate) upgrade_status_text: Option<String>,
    /// The same as a token.
    #[serde(default)]
    pub(crate) upgrade_status: String,
    /// Whether its configuration is what it should be.
    #[serde(default)]
    pub(crate) sync_status: String,
    /// Whether it refuses new calls.
    #[serde(default)]
    pub(crate) maintenance_mode: bool,
    /// Why.
    #[serde(default)]
    pub(crate) maintenance_mode_reason: Option<String>,
    /// Load in percent.
    #[serde(default)]
    pub(crate) media_load: Option<u64>,
    /// Calls.
    #[serde(default)]
    pub(crate) signaling_count: Option<u64>,
    /// When it last reported.
    #[serde(default)]
    pub(crate) last_updated: Option<UtcTime>,
    /// The name of its system location.
    #[serde(default)]
    pub(crate) system_location: Option<String>,
    /// Why a restart of it would fail, when it would.
    #[serde(default)]
    pub(crate) start_fault: Option<String>,
    /// The two machines that report as it, when there are two.
    #[serde(default)]
    pub(crate) duplicate: Option<String>,
    /// How far its clock is ahead of the Management Node's or behind it, when that is worth an alarm.
    #[serde(default)]
    pub(crate) clock_offset_text: Option<String>,
    /// Its last attempt to connect that was refused, unless it has reported since.
    #[serde(default)]
    pub(crate) refused_contact: Option<RefusedContact>,
}

/// An attempt of a node to connect that the Management Node has refused.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RefusedContact {
    /// Why, and what to do.
    pub(crate) text: String,
    /// From where it came.
    pub(crate) address: String,
    /// When.
    pub(crate) at: UtcTime,
}

/// A node, a room or a location in the configuration.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Configured {
    /// Its number.
    pub(crate) id: u64,
    /// Its name.
    pub(crate) name: String,
    /// What else is known about it.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// Its path in the API.
    #[serde(default)]
    pub(crate) resource_uri: Option<String>,
    /// A room's aliases.
    #[serde(default)]
    pub(crate) aliases: Vec<Alias>,
    /// A node's address.
    #[serde(default)]
    pub(crate) address: Option<String>,
    /// Whether a node is a cloud bursting node.
    #[serde(default)]
    pub(crate) cloud_bursting: bool,
}

/// An alias of a Virtual Meeting Room.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Alias {
    /// What people dial.
    pub(crate) alias: String,
}

/// A list.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct List<T> {
    /// What is in it.
    pub(crate) objects: Vec<T>,
}

/// The state of an upload.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Upload {
    /// Its number.
    #[serde(default)]
    pub(crate) uuid: String,
    /// uploading, ready, failed, done.
    pub(crate) state: String,
    /// Bytes that have arrived.
    pub(crate) offset: u64,
    /// Bytes of the whole package.
    pub(crate) total_size: u64,
    /// What went wrong.
    #[serde(default)]
    pub(crate) error: Option<String>,
    /// The account that asked for it.
    #[serde(default)]
    pub(crate) owner: Option<String>,
    /// When bytes of it arrived last.
    #[serde(default)]
    pub(crate) last_activity: Option<UtcTime>,
    /// Whether another upload of the same account may replace it.
    #[serde(default)]
    pub(crate) idle: bool,
}

/// A status by its token; none for one of a newer Management Node, whose text is shown all the same.
fn known_status<'de, D: Deserializer<'de>>(token: D) -> Result<Option<Status>, D::Error> {
    let token = String::deserialize(token)?;
    Ok(Status::ALL.into_iter().find(|status| status.token() == token))
}

/// `34.1 (34100)` from its parts; a version that has its build beside it stays as it is.
pub(crate) fn release(version: &str, build: Option<u64>) -> String {
    match build {
        Some(build) if !version.contains('(') => format!("{version} ({build})"),
        Some(_) | None => version.into(),
    }
}

/// A release in whichever shape an answer has it: a text, or an object with version and build.
pub(crate) fn release_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => {
            let version = fields.get("version")?.as_str()?;
            let build = ["build", "pseudo_version"].iter().find_map(|key| fields.get(*key)?.as_u64());
            Some(release(version, build))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// Who is in a call.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Participant {
    /// Its id.
    pub(crate) id: String,
    /// The Virtual Meeting Room.
    #[serde(default)]
    pub(crate) conference: String,
    /// What it is shown as.
    #[serde(default)]
    pub(crate) display_name: String,
    /// Who has called.
    #[serde(default)]
    pub(crate) source_alias: String,
    /// The address of its node.
    #[serde(default)]
    pub(crate) media_node: String,
    /// Since when it takes part; none before its call is answered.
    #[serde(default)]
    pub(crate) connect_time: Option<String>,
    /// Whether it is muted.
    #[serde(default)]
    pub(crate) is_muted: bool,
    /// Whether it is on hold.
    #[serde(default)]
    pub(crate) is_on_hold: bool,
}

/// A conference that somebody is in.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Conference {
    /// Its id.
    pub(crate) id: String,
    /// The Virtual Meeting Room.
    pub(crate) name: String,
    /// Since when it lasts.
    #[serde(default)]
    pub(crate) start_time: Option<String>,
    /// Whether new callers are refused.
    #[serde(default)]
    pub(crate) is_locked: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn release_is_read_in_each_of_its_forms() {
        let check =
            |value: Value, expected: Option<&str>| assert_eq!(release_in(&value).as_deref(), expected);
        check(json!("34 (34000)"), Some("34 (34000)"));
        check(json!({"version": "34", "build": 34000}), Some("34 (34000)"));
        check(json!({"version": "34 (34000)", "build": 34000}), Some("34 (34000)"));
        check(json!({"version": "34"}), Some("34"));
        check(json!(null), None);
    }

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
}
