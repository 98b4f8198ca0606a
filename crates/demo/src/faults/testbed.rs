//! The testbed of a case: a platform of three nodes between two networks, with calls on it.
//!
//! Responsible for setup, for placing and ending calls, and for reading the status. Injects no fault.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use callers::call_log::NodeName;
use callers::time::Millis;
use callers::{CallId, CallLog, Crowd, CrowdSettings, Pin, Room};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::log_tail::LogTail;
use crate::disk::Disks;
use crate::error::Error;
use crate::machine::Machine;
use crate::network::{Link, Network};
use crate::package::Contents;
use crate::platform::{CALLERS, Plan, Platform, nodes};
use crate::releases::{Releases, Step};
use crate::topology::Topology;

/// The node that is upgraded first, the target of the fault, and the node in the queue.
pub(crate) const FIRST: u8 = 1;
pub(crate) const TARGET: u8 = 2;
pub(crate) const LAST: u8 = 3;
const NODES: u8 = LAST;

/// The room of all calls.
const ROOM: &str = "meet";

/// The time limit of every wait. Generous: the machine may be busy.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(90);

/// The limits of every run: long enough that none of them ends it.
const LIMITS: [&str; 8] =
    ["--nodes-at-once", "1", "--drain-limit", "5m", "--run-limit", "15m", "--rest", "1s"];

/// The timeouts that are no option of a start, shortened so that a case takes seconds and not minutes.
const SETTINGS: &str = "[policy]\nsilent_after_seconds = 2\nreboot_silent_after_seconds = 8\n\
     absent_grace_seconds = 6\nstuck_after_seconds = 60\n\n\
     [boot]\nconfirm_within_seconds = 15\ntries = 3\nstop_grace_seconds = 2\n\n\
     [calls]\nmedia_timeout_seconds = 8\n";

/// The status text of a node that drains.
pub(crate) const WAITING: &str = "Waiting for calls to clear";
/// The status text of a node that does not report.
pub(crate) const SILENT: &str = "Could not communicate with conferencing node";

/// A platform with calls on it.
pub(crate) struct Testbed {
    pub(crate) platform: Platform,
    pub(crate) network: Network,
    pub(crate) step: Step,
    runtime: Runtime,
    crowd: Crowd,
    calls: BTreeMap<u8, Vec<CallId>>,
    /// The nodes whose power is off.
    off: Vec<u8>,
}

impl Testbed {
    /// Sets up the platform, uploads the package, and places calls: pairs of node and number of calls.
    pub(crate) fn set_up(
        releases: Releases,
        folder: &Path,
        disks: Disks,
        calls: &[(u8, usize)],
    ) -> Result<Self, Error> {
        let step = Step::TO_NEXT;
        let network = Network::make(CALLERS)?;
        let platform = Platform::bring_up(Plan {
            releases,
            manager: step.from,
            conferencing: step.from,
            folder: folder.to_owned(),
            topology: Topology::Isolated(network, disks),
            nodes: NODES,
            rooms: vec![ROOM.to_owned()],
            settings: SETTINGS.to_owned(),
        })?;
        let package = platform.build_package("next", &Contents::of(step.to))?;
        platform.upload(&package)?;
        let runtime = Runtime::new().map_err(Error::file(folder))?;
        let settings = CrowdSettings {
            minimum: 0,
            spare: 0,
            refresh_every: Some(Millis::seconds(5)),
            ..CrowdSettings::new(
                platform.callers(),
                platform.dial_targets(),
                vec![Room { alias: ROOM.to_owned(), seats: 12 }],
            )
        };
        let crowd = runtime.block_on(Crowd::start(settings))?;
        let mut testbed =
            Self { platform, network, step, runtime, crowd, calls: BTreeMap::new(), off: Vec::new() };
        for (node, count) in calls {
            for _ in 0..*count {
                testbed.call(*node)?;
            }
        }
        Ok(testbed)
    }

    /// Starts a run.
    pub(crate) fn start(&self) -> Result<Value, Error> {
        self.platform.start(&LIMITS)
    }

    /// Starts a run without waiting for the answer.
    pub(crate) fn begin_start(&self) -> std::thread::JoinHandle<Result<Value, Error>> {
        let pitlane = self.platform.pitlane.clone();
        std::thread::spawn(move || pitlane.query(&[&["upgrade", "start", "--yes"], &LIMITS[..]].concat()))
    }

    /// The machine of a node.
    pub(crate) fn node(&mut self, number: u8) -> &mut Machine {
        &mut self.platform.nodes[usize::from(number) - 1]
    }

    /// The log of the manager from now on.
    pub(crate) fn manager_log(&self) -> LogTail {
        LogTail::from_now(self.platform.logs().join("manager.log"))
    }

    /// The log of a node from now on.
    pub(crate) fn node_log(&self, number: u8) -> LogTail {
        LogTail::from_now(self.platform.logs().join(format!("node{number}.log")))
    }

    /// Sets the condition of a node's management link.
    pub(crate) fn set_link(&self, number: u8, link: Link) -> Result<(), Error> {
        self.network.set_link(&format!("node{number}"), link)
    }

    /// Cuts a node's power.
    pub(crate) fn power_off(&mut self, number: u8) {
        self.node(number).cut_power();
        self.off.push(number);
    }

    /// Restarts every boot that has ended by itself, as a service manager does.
    pub(crate) fn restart_ended(&mut self) -> Result<(), Error> {
        self.platform.manager.restart_ended()?;
        self.platform.nodes.iter_mut().try_for_each(Machine::restart_ended)
    }

    /// Powers on every node whose power is off.
    pub(crate) fn power_all_on(&mut self) -> Result<(), Error> {
        for number in std::mem::take(&mut self.off) {
            self.node(number).power_on()?;
        }
        Ok(())
    }

    /// Places a call that lasts until [`Testbed::hang_up`].
    pub(crate) fn call(&mut self, node: u8) -> Result<(), Error> {
        let name = NodeName(format!("node{node}"));
        let pin = Pin { node: name, alias: ROOM.to_owned(), length: Millis::seconds(3_600) };
        let id = self.runtime.block_on(self.crowd.pin(pin))?;
        self.calls.entry(node).or_default().push(id);
        Ok(())
    }

    /// Hangs up all calls on a node.
    pub(crate) fn hang_up(&mut self, node: u8) {
        for id in self.calls.remove(&node).unwrap_or_default() {
            self.runtime.block_on(self.crowd.hang_up(&id));
        }
    }

    /// Whether calls have been placed on a node and not been hung up.
    pub(crate) fn has_calls(&self, node: u8) -> bool {
        self.calls.contains_key(&node)
    }

    /// The number of calls that are alive.
    pub(crate) fn alive(&self) -> usize {
        self.crowd.alive()
    }

    /// Hangs up all calls, stops the platform, and returns the log of the calls.
    pub(crate) fn close(self) -> CallLog {
        let Self { mut platform, runtime, crowd, .. } = self;
        let log = runtime.block_on(crowd.stop());
        platform.stop();
        log
    }
}

/// The entry of a node in a status.
pub(crate) fn node_status(status: &Value, number: u8) -> &Value {
    let name = format!("node{number}");
    nodes(status).iter().find(|node| node["name"] == name.as_str()).unwrap_or(&Value::Null)
}

/// A node's status text, as operators see it.
pub(crate) fn status_text(status: &Value, number: u8) -> &str {
    node_status(status, number)["upgrade_status_text"].as_str().unwrap_or_default()
}

/// The reason why a node does not advance, as operators see it.
pub(crate) fn waiting_reason(status: &Value, number: u8) -> &str {
    node_status(status, number)["waits_text"].as_str().unwrap_or_default()
}

/// The numbers of all nodes.
pub(crate) fn node_numbers() -> std::ops::RangeInclusive<u8> {
    FIRST..=NODES
}
