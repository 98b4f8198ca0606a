//! The Management Node's machine: its store, its slots, its clock and its faults. It holds state only; the loop around
//! the platform's state machine is in `manager_shell`.

use std::collections::BTreeMap;

use fleet::desired::{Assignment, Desired};
use fleet::node::NodeId;
use fleet::platform::{Fleet, ManagerReconciler};
use fleet::time::Time;
use fleet::version::{Release, Sha256};

use crate::seeded::draw::Draw;

use super::clock::{Clock, Downtime, Stamp};
use super::tracked::TrackedFleet;

/// Whether an event was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitResult {
    /// It is stored and takes effect.
    Committed,
    /// It is not stored and has no effect.
    NotCommitted,
}

/// What survives a loss of power. A restore point is a copy of it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    /// The platform after the last commit.
    pub(crate) fleet: TrackedFleet,
    /// The time of the last commit.
    pub(crate) stamp: Stamp,
    /// The release in the confirmed slot.
    pub(crate) release: (Release, Sha256),
    /// The release that is tried, and how often it was started.
    pub(crate) trying: Option<(Assignment, u32)>,
    /// The fall-back that has not been reported to the core.
    pub(crate) fell_back: Option<(Sha256, String)>,
}

/// The Management Node's machine.
#[derive(Clone, Debug)]
pub(crate) struct Manager {
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) up: bool,
    /// Its program hangs.
    pub(crate) hung: bool,
    /// Its disk fails now and then.
    pub(crate) disk_fails: bool,
    /// Its machine would not start again.
    pub(crate) start_fault: bool,
    /// Whether its program or its machine was down last.
    pub(crate) downtime: Downtime,
    /// The latest time that its program has seen.
    pub(crate) seen: Time,
    /// The number of its current start.
    pub(crate) start: u64,
    /// Its upgrade of itself, in this process.
    pub(crate) upgrade: ManagerReconciler,
    /// The release that is tried does not start.
    pub(crate) release_fails: bool,
    pub(crate) timer: Option<Time>,
    /// The last desired state of each node.
    pub(crate) wanted: BTreeMap<NodeId, Desired>,
    pub(crate) restore_points: Vec<Store>,
    pub(crate) draw: Draw,
}

impl Manager {
    pub(crate) fn new(clock: Clock, fleet: Fleet, release: (Release, Sha256), draw: Draw) -> Self {
        let stamp = clock.stamp(Time::default());
        Self {
            clock,
            store: Store { fleet: fleet.into(), stamp, release, trying: None, fell_back: None },
            up: true,
            hung: false,
            disk_fails: false,
            start_fault: false,
            downtime: Downtime::Program,
            seen: Time::default(),
            start: 0,
            upgrade: ManagerReconciler::default(),
            release_fails: false,
            timer: None,
            wanted: BTreeMap::new(),
            restore_points: Vec::new(),
            draw,
        }
    }
}
