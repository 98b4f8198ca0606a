//! The fixture of every test: a platform, and calls that last until the test ends them.

use std::collections::BTreeMap;
use std::time::Duration;

use callers::call_log::{CallLog, NodeName};
use callers::time::Millis;
use callers::{CallId, Crowd, CrowdSettings, Pin, Room};
use demo::{AddressBlock, Built, Contents, Plan, Platform, Releases, Step, Topology, Wait};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The time limit of every wait. Generous: the machine may be busy.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(90);

/// The room of all calls.
pub(crate) const ROOM: &str = "meet";

/// Limits of a run that do not end it in a test.
pub(crate) const LONG_LIMITS: [&str; 6] = ["--drain-limit", "5m", "--run-limit", "15m", "--rest", "1s"];

/// Timeouts that are no option of a start: after which time a node counts as silent, and how long a run waits for it at
/// its end.
const POLICY: &str = "[policy]\nsilent_after_seconds = 3\nreboot_silent_after_seconds = 40\n\
     absent_grace_seconds = 3\n\n[boot]\nconfirm_within_seconds = 20\ntries = 2\nstop_grace_seconds = 2\n";

/// A platform with its folder.
pub(crate) struct Fixture {
    pub(crate) platform: Platform,
    step: Step,
    pub(crate) runtime: Runtime,
    _folder: TempDir,
}

impl Fixture {
    /// A platform of `nodes` nodes of the present release.
    pub(crate) fn new(nodes: u8) -> Self {
        Self::at(Step::TO_NEXT, nodes)
    }

    /// A platform of `nodes` nodes before the upgrade of a step.
    pub(crate) fn at(step: Step, nodes: u8) -> Self {
        Self::mixed(step, step.from, nodes)
    }

    /// A platform whose Management Node is before the upgrade of a step, and whose Conferencing Nodes run another
    /// release.
    pub(crate) fn mixed(step: Step, conferencing: Built, nodes: u8) -> Self {
        let folder = tempfile::Builder::new().prefix("pitlane-").tempdir().expect("a temporary folder");
        let platform = Platform::bring_up(Plan {
            releases: Releases::of_the_gate(step).unwrap_or_else(|error| panic!("{error}")),
            manager: step.from,
            conferencing,
            folder: folder.path().to_owned(),
            topology: Topology::Loopback(AddressBlock::of_this_process()),
            nodes,
            rooms: vec![ROOM.to_owned()],
            settings: POLICY.to_owned(),
        });
        let platform = platform.unwrap_or_else(|error| {
            let log = |name: &str| {
                std::fs::read_to_string(folder.path().join("logs").join(name)).unwrap_or_default()
            };
            panic!("{error}\nmanager: {}\nnode1: {}", log("manager.log"), log("node1.log"))
        });
        Self { platform, step, runtime: Runtime::new().expect("a runtime"), _folder: folder }
    }

    /// Uploads the release that the platform is upgraded to, and starts the run.
    pub(crate) fn start(&self, options: &[&str]) {
        self.upload(&Contents::of(self.step.to));
        self.platform.start(options).unwrap_or_else(|error| panic!("{error}"));
    }

    pub(crate) fn upload(&self, contents: &Contents) {
        let package = self.platform.build_package("next", contents).unwrap_or_else(|error| panic!("{error}"));
        self.platform.upload(&package).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until a node has a status text.
    pub(crate) fn wait_for_status(&self, node: u8, status: &str) -> Value {
        let what = format!("node{node}: {status}");
        self.wait_for(&what, |seen| status_text(seen, node) == status)
    }

    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let wait = Wait { what, limit: TIMEOUT };
        self.platform.wait_for(wait, wanted).unwrap_or_else(|error| panic!("{error}\n{}", self.logs()))
    }

    pub(crate) fn wait_until_ended(&self) -> Value {
        let ended = self.platform.wait_until_ended(TIMEOUT * 2);
        ended.unwrap_or_else(|error| panic!("{error}\n{}", self.logs()))
    }

    /// Waits until the run has ended with an outcome.
    pub(crate) fn wait_until_ended_with(&self, outcome: &str) -> Value {
        self.wait_for(&format!("the run's end: {outcome}"), |status| {
            status["run"].is_null() && status["last_run"]["outcome"] == outcome
        })
    }

    /// Waits until a node accepts new calls.
    pub(crate) fn wait_until_calls_are_accepted(&self, number: u8) {
        let until = std::time::Instant::now() + TIMEOUT;
        while !self.accepts_calls(number) {
            assert!(std::time::Instant::now() < until, "node{number} accepts no calls\n{}", self.logs());
        }
    }

    /// Waits until a node refuses new calls: the Management Node shows maintenance mode when it is requested, and the
    /// node enters it afterwards.
    pub(crate) fn wait_until_calls_are_refused(&self, number: u8) {
        let until = std::time::Instant::now() + TIMEOUT;
        while self.accepts_calls(number) {
            assert!(std::time::Instant::now() < until, "node{number} accepts calls\n{}", self.logs());
        }
    }

    /// The last lines of every log, for the message of a failed test.
    fn logs(&self) -> String {
        let machines = self.platform.nodes.iter().chain([&self.platform.manager]);
        let tails = machines.map(|machine| {
            let log = machine.log();
            let lines: Vec<&str> = log.lines().collect();
            format!("--- {}\n{}\n", machine.name, lines[lines.len().saturating_sub(40)..].join("\n"))
        });
        tails.collect()
    }

    /// Callers that place the calls of the test and no others.
    pub(crate) fn callers(&self) -> LongCalls {
        self.callers_of(self.platform.dial_targets())
    }

    /// Callers for a list of nodes.
    pub(crate) fn callers_of(&self, nodes: Vec<callers::Node>) -> LongCalls {
        let room = Room { alias: ROOM.to_owned(), seats: 12 };
        let settings = CrowdSettings {
            minimum: 0,
            spare: 0,
            refresh_every: Some(Millis::seconds(5)),
            ..CrowdSettings::new(self.platform.callers(), nodes, vec![room])
        };
        let crowd = self.runtime.block_on(Crowd::start(settings)).expect("the callers have a socket");
        LongCalls { crowd, calls: BTreeMap::new() }
    }

    /// Places a call on a node that lasts until the test ends it.
    pub(crate) fn call(&self, calls: &mut LongCalls, node: u8) {
        let pin = Pin {
            node: NodeName(format!("node{node}")),
            alias: ROOM.to_owned(),
            length: Millis::seconds(3_600),
        };
        let id = self.runtime.block_on(calls.crowd.pin(pin)).unwrap_or_else(|error| {
            panic!(
                "no call on node{node}: {error}: {:?}",
                std::error::Error::source(&error).map(ToString::to_string)
            )
        });
        calls.calls.entry(node).or_default().push(id);
    }

    /// Whether a node accepts a new call.
    pub(crate) fn accepts_calls(&self, node: u8) -> bool {
        let mut calls = self.callers();
        let pin = Pin {
            node: NodeName(format!("node{node}")),
            alias: ROOM.to_owned(),
            length: Millis::seconds(3_600),
        };
        let placed = self.runtime.block_on(calls.crowd.pin(pin));
        let answered = placed.is_ok();
        if let Ok(id) = placed {
            calls.calls.entry(node).or_default().push(id);
            self.hang_up(&mut calls, node);
        }
        answered
    }

    /// Hangs up all calls on a node.
    pub(crate) fn hang_up(&self, calls: &mut LongCalls, node: u8) {
        for id in calls.calls.remove(&node).unwrap_or_default() {
            self.runtime.block_on(calls.crowd.hang_up(&id));
        }
    }

    /// Hangs up all calls, and checks that none was lost and that every caller was heard.
    pub(crate) fn assert_no_call_failed(&self, calls: LongCalls) -> CallLog {
        let log = self.runtime.block_on(calls.crowd.stop());
        let failures: Vec<String> = log.failures().iter().map(ToString::to_string).collect();
        assert!(failures.is_empty(), "{}\n{}", failures.join("\n"), self.logs());
        log
    }

    /// The texts of the facts of a run, in order.
    pub(crate) fn history(&self, run: u32) -> Vec<String> {
        let answer = self.platform.pitlane.query(&["upgrade", "history", &run.to_string()]);
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        let facts = answer["facts"].as_array().cloned().unwrap_or_default();
        facts.iter().filter_map(|fact| fact["text"].as_str().map(str::to_owned)).collect()
    }
}

/// Calls that last until the test ends them.
pub(crate) struct LongCalls {
    crowd: Crowd,
    calls: BTreeMap<u8, Vec<CallId>>,
}

/// The entry of a node in a status.
pub(crate) fn node(status: &Value, number: u8) -> &Value {
    let name = format!("node{number}");
    let nodes = status["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    nodes.iter().find(|node| node["name"] == name.as_str()).unwrap_or(&Value::Null)
}

/// A node's status text, as operators see it.
pub(crate) fn status_text(status: &Value, number: u8) -> &str {
    node(status, number)["upgrade_status_text"].as_str().unwrap_or_default()
}

/// The version that a node runs.
pub(crate) fn version(status: &Value, number: u8) -> &str {
    node(status, number)["version"].as_str().unwrap_or_default()
}
