//! The state machine of the platform: decides what is wanted of the Management Node and of every Conferencing Node,
//! from their reports and the operator's requests. Relies on the shell to pass events in order and to commit what
//! an event returns before it acts on it. It never acts itself.

mod clock;
mod duplicate;
mod end;
mod enrol;
mod event;
mod failures;
mod manager;
mod manager_reconciler;
mod mixture;
mod orders;
mod overdue;
mod queue;
mod report;
mod start;
mod start_fault;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use enrol::Joining;
pub use event::{Event, NODES_AT_MOST};
pub use manager::ManagerWants;
pub use manager_reconciler::{ConditionalEvent, ManagerEffect, ManagerOutcome, ManagerReconciler};
pub use start::{Blocker, StartCheck, Warning};

use crate::desired::{Desired, RunId};
use crate::fact::{Fact, NodeFact};
use crate::node::{Node, NodeId};
use crate::nodes::Nodes;
use crate::policy::Policy;
use crate::run::{EndedRun, Outcome, Run};
use crate::time::Time;
use crate::version::{Release, Sha256};
use crate::wall::{Gap, WallMap};

/// The state of the platform beside its nodes: one row in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The release that the Management Node runs.
    pub release: Release,
    /// The epoch of the generations that are issued now.
    pub epoch: u32,
    /// The number of the newest run.
    pub runs: RunId,
    /// The policy outside of runs, which is also the one that a run starts with.
    pub policy: Policy,
    /// The run under way.
    pub run: Option<Run>,
    /// The run before.
    pub last_run: Option<EndedRun>,
    /// What brought the Management Node to its release; none if it was deployed with it.
    pub installed: Option<Installed>,
    /// When the Management Node started last. It may have been restored, so what is stored of a node that has not
    /// reported since may be out of date.
    #[serde(default)]
    pub started_at: Time,
    /// Why a restart of the Management Node would fail, by its own check.
    #[serde(default)]
    pub start_fault: Option<String>,
    /// How its time is shown as wall-clock time.
    #[serde(default)]
    pub wall: WallMap,
}

/// The package that the Management Node was last upgraded with. A start of the same one is a repeat: it
/// takes the nodes that are left (R9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The package.
    pub manifest: Sha256,
    /// What the platform ran before.
    pub source: Release,
    /// The release that it brought; unknown where a Management Node of release 34 stored it.
    #[serde(default)]
    pub release: Option<Release>,
}

/// The whole platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Its state beside the nodes.
    pub platform: Platform,
    nodes: Nodes,
}

/// What an event has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What happened, in order.
    pub facts: Vec<Fact>,
    /// The nodes whose record is to be stored; a record that is no longer there is to be removed.
    pub changed: BTreeSet<NodeId>,
}

impl Fleet {
    /// A platform without nodes whose Management Node runs `release`.
    pub fn new(release: Release, policy: Policy) -> Self {
        let platform = Platform {
            release,
            epoch: 1,
            runs: RunId(0),
            policy,
            run: None,
            last_run: None,
            installed: None,
            started_at: Time::default(),
            start_fault: None,
            wall: WallMap::default(),
        };
        Self::restore(platform, BTreeMap::new())
    }

    /// The platform as it was stored.
    pub fn restore(platform: Platform, nodes: BTreeMap<NodeId, Node>) -> Self {
        let nodes = Nodes::restore(platform.epoch, nodes);
        Self { platform, nodes }
    }

    /// The nodes.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Applies an event: the only way to change the state, beside [`Fleet::start`]. It never fails; an event that
    /// does not fit the state has no effect. `now` never goes backwards.
    pub fn apply(&mut self, now: Time, event: Event) -> Applied {
        let mut facts = Vec::new();
        match event {
            Event::NodeAdded { id, name, duty } => self.node_added(id, name, duty, &mut facts),
            Event::NodeChanged { id, name, duty } => self.node_changed(id, name, duty, &mut facts),
            Event::NodeRemoved { id } => self.node_removed(id, &mut facts),
            Event::Maintenance { id, operator } => self.operator_maintenance(id, operator, &mut facts),
            Event::Report { id, observed } => self.report(now, id, observed, &mut facts),
            Event::LinkDown { id } => self.link_down(now, id, &mut facts),
            Event::ManagerStaged => self.manager_staged(now, &mut facts),
            Event::ManagerRejected { why } => self.manager_rejected(now, why, &mut facts),
            Event::ManagerStarted { release, fell_back, wall } => {
                if let Some((wall, gap)) = wall {
                    self.wall_clock(now, wall, gap, &mut facts);
                }
                self.manager_started(now, release, fell_back, &mut facts);
            }
            Event::NodeEnrolled { id, release } => self.node_enrolled(id, release, &mut facts),
            Event::ManagerChecked { fault } => self.manager_checked(fault, &mut facts),
            Event::WallClock { wall } => self.wall_clock(now, wall, Gap::Counted, &mut facts),
            Event::ClockOffset { id, ahead } => self.clock_offset(id, ahead, &mut facts),
            Event::RunPaused { run, order } => self.pause(now, run, order, &mut facts),
            Event::RunResumed { run, order } => self.resume(run, order, &mut facts),
            Event::RunStopped { run, order } => self.stop(now, run, order, &mut facts),
            Event::DeadlinePassed => {}
        }
        self.go_on(now, &mut facts);
        self.applied(facts)
    }

    /// Handles what follows from passed time and from free places.
    fn go_on(&mut self, now: Time, facts: &mut Vec<Fact>) {
        self.expire(now, facts);
        self.stop_if_failing(now, facts);
        self.fill_places(now, facts);
        self.end_if_done(now, facts);
        if let Some(violation) = self.broken_promise() {
            self.end(now, Outcome::Halted { why: violation }, facts);
        }
    }

    fn applied(&mut self, facts: Vec<Fact>) -> Applied {
        Applied { facts, changed: self.nodes.take_changed() }
    }

    /// What is wanted of a node.
    pub fn wanted(&self, id: NodeId) -> Option<Desired> {
        self.nodes.get(id).map(Node::desired)
    }

    /// When [`Event::DeadlinePassed`] is to be applied, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Time> {
        let run = self.platform.run.as_ref();
        let limit = run.map(Run::limit);
        let grace = run.and_then(|run| run.idle_since.map(|since| since + run.policy.absent_grace));
        let held_up = run
            .filter(|_| self.has_free_place())
            .and_then(|run| run.held_up_since.map(|since| since + run.policy.drain_limit));
        let steady = self.platform.wall.steady_at();
        [self.nodes.next_deadline(), limit, grace, held_up, steady].into_iter().flatten().min()
    }

    /// The current policy: that of the run, or the platform's.
    fn policy(&self) -> &Policy {
        self.platform.run.as_ref().map_or(&self.platform.policy, |run| &run.policy)
    }

    fn node_fact(&self, id: NodeId, what: NodeFact, facts: &mut Vec<Fact>) {
        if let Some(node) = self.nodes.get(id) {
            facts.push(Fact::Node { node: id, name: node.name.clone(), what });
        }
    }
}
