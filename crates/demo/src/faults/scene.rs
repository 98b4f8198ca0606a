//! Where a case plays: a platform between two networks, and people who talk on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use callers::call_log::NodeName;
use callers::time::Millis;
use callers::{CallId, CallLog, Crowd, CrowdSettings, Pin, Room};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::trail::Trail;
use crate::disk::Disks;
use crate::error::Error;
use crate::ground::Ground;
use crate::machine::Machine;
use crate::network::{Line, Network};
use crate::package::Contents;
use crate::platform::{CALLERS, Plan, Platform, nodes};
use crate::releases::{Releases, Step};

/// The node that goes first, the one that is struck, and the one that waits for its turn.
pub(crate) const FIRST: u8 = 1;
pub(crate) const STRUCK: u8 = 2;
pub(crate) const LAST: u8 = 3;
const NODES: u8 = LAST;

/// The room of all calls.
const ROOM: &str = "meet";

/// How long anything may take that is waited for. Generous: the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The limits of every run: long enough that none of them is what ends it.
const LIMITS: [&str; 8] =
    ["--nodes-at-once", "1", "--drain-limit", "5m", "--run-limit", "15m", "--rest", "1s"];

/// The clocks that no option of a start sets, each scaled so that a case takes seconds and not minutes.
const SETTINGS: &str = "[policy]\nsilent_after_seconds = 2\nreboot_silent_after_seconds = 8\n\
     absent_grace_seconds = 6\nstuck_after_seconds = 60\n\n\
     [boot]\nconfirm_within_seconds = 15\ntries = 3\nstop_grace_seconds = 2\n\n\
     [calls]\nmedia_timeout_seconds = 8\n";

/// The words of a node that waits for its calls.
pub(crate) const WAITING: &str = "Waiting for calls to clear";
/// The words of a node that is not heard.
pub(crate) const SILENT: &str = "Could not communicate with conferencing node";

/// A platform with people on it.
pub(crate) struct Scene {
    pub(crate) platform: Platform,
    pub(crate) network: Network,
    pub(crate) step: Step,
    runtime: Runtime,
    crowd: Crowd,
    calls: BTreeMap<u8, Vec<CallId>>,
    /// The machines whose boot is to be kept running.
    off: Vec<u8>,
}

impl Scene {
    /// Brings up the platform with calls on these nodes, and uploads the package.
    pub(crate) fn set(
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
            ground: Ground::Apart(network, disks),
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
                platform.as_dialled(),
                vec![Room { alias: ROOM.to_owned(), seats: 12 }],
            )
        };
        let crowd = runtime.block_on(Crowd::start(settings))?;
        let mut scene =
            Self { platform, network, step, runtime, crowd, calls: BTreeMap::new(), off: Vec::new() };
        for (node, count) in calls {
            for _ in 0..*count {
                scene.call(*node)?;
            }
        }
        Ok(scene)
    }

    /// Presses Start.
    pub(crate) fn start(&self) -> Result<Value, Error> {
        self.platform.start(&LIMITS)
    }

    /// Presses Start and does not wait for the answer.
    pub(crate) fn begin_start(&self) -> std::thread::JoinHandle<Result<Value, Error>> {
        let pitlane = self.platform.pitlane.clone();
        std::thread::spawn(move || pitlane.ask(&[&["upgrade", "start", "--yes"], &LIMITS[..]].concat()))
    }

    /// A machine by its number; the manager is none of these.
    pub(crate) fn node(&mut self, number: u8) -> &mut Machine {
        &mut self.platform.nodes[usize::from(number) - 1]
    }

    /// The log of the manager from now on, and of a node.
    pub(crate) fn manager_log(&self) -> Trail {
        Trail::from_now(self.platform.logs().join("manager.log"))
    }

    pub(crate) fn node_log(&self, number: u8) -> Trail {
        Trail::from_now(self.platform.logs().join(format!("node{number}.log")))
    }

    /// Makes a node's management line so.
    pub(crate) fn line(&self, number: u8, line: Line) -> Result<(), Error> {
        self.network.set_line(&format!("node{number}"), line)
    }

    /// Cuts a node's power, and leaves it off.
    pub(crate) fn power_off(&mut self, number: u8) {
        self.node(number).cut_power();
        self.off.push(number);
    }

    /// Starts again whatever has ended by itself, as a service manager does.
    pub(crate) fn keep_up(&mut self) -> Result<(), Error> {
        self.platform.manager.keep_up()?;
        self.platform.nodes.iter_mut().try_for_each(Machine::keep_up)
    }

    /// Powers on every machine that is off.
    pub(crate) fn power_all_on(&mut self) -> Result<(), Error> {
        for number in std::mem::take(&mut self.off) {
            self.node(number).power_on()?;
        }
        Ok(())
    }

    /// Places a call that lasts until it is told to end.
    pub(crate) fn call(&mut self, node: u8) -> Result<(), Error> {
        let name = NodeName(format!("node{node}"));
        let pin = Pin { node: name, alias: ROOM.to_owned(), length: Millis::seconds(3_600) };
        let id = self.runtime.block_on(self.crowd.pin(pin))?;
        self.calls.entry(node).or_default().push(id);
        Ok(())
    }

    /// Everybody on a node hangs up.
    pub(crate) fn hang_up(&mut self, node: u8) {
        for id in self.calls.remove(&node).unwrap_or_default() {
            self.runtime.block_on(self.crowd.hang_up(&id));
        }
    }

    /// Whether somebody is to be talking on a node.
    pub(crate) fn talks_on(&self, node: u8) -> bool {
        self.calls.contains_key(&node)
    }

    /// Calls alive now.
    pub(crate) fn alive(&self) -> usize {
        self.crowd.alive()
    }

    /// Everybody hangs up; what they have written down.
    pub(crate) fn close(self) -> CallLog {
        let Self { mut platform, runtime, crowd, .. } = self;
        let ledger = runtime.block_on(crowd.stop());
        platform.stop();
        ledger
    }
}

/// A node in a status.
pub(crate) fn of(status: &Value, number: u8) -> &Value {
    let name = format!("node{number}");
    nodes(status).iter().find(|node| node["name"] == name.as_str()).unwrap_or(&Value::Null)
}

/// A node's status in the operator's words.
pub(crate) fn words(status: &Value, number: u8) -> &str {
    of(status, number)["upgrade_status_text"].as_str().unwrap_or_default()
}

/// Why a node does not advance, in the operator's words.
pub(crate) fn waits(status: &Value, number: u8) -> &str {
    of(status, number)["waits_text"].as_str().unwrap_or_default()
}

/// All nodes of a scene.
pub(crate) fn all() -> std::ops::RangeInclusive<u8> {
    FIRST..=NODES
}
