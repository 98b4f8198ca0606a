//! Every event of the platform as one closed enum, and the small handlers of registration and of the operator's
//! maintenance mode. Events are stored in the journal, so their names never change.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Fleet;
use crate::desired::RunId;
use crate::fact::{Fact, NodeFact};
use crate::node::{Duty, Node, NodeId};
use crate::observed::Observed;
use crate::run::Order;
use crate::time::{Offset, Wall};
use crate::version::{Release, Sha256};
use crate::wall::Gap;

/// Everything that can happen, save the start of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The operator registered a node.
    NodeAdded {
        /// Its id, never used before.
        id: NodeId,
        /// Its name.
        name: String,
        /// When it is powered on.
        duty: Duty,
    },
    /// The operator changed a node's registration.
    NodeChanged {
        /// The node.
        id: NodeId,
        /// Its name.
        name: String,
        /// When it is powered on.
        duty: Duty,
    },
    /// The operator removed a node.
    NodeRemoved {
        /// The node.
        id: NodeId,
    },
    /// A machine has enrolled as a node, and its earlier certificates are revoked.
    NodeEnrolled {
        /// The node.
        id: NodeId,
        /// What the machine runs; release 34 does not send it.
        release: Option<Release>,
    },
    /// The operator put a node into maintenance mode, with a reason, or took it out (R12).
    Maintenance {
        /// The node.
        id: NodeId,
        /// The reason; none takes the node out.
        operator: Option<String>,
    },
    /// A node has reported its observed state.
    Report {
        /// The node, as its certificate names it.
        id: NodeId,
        /// The report.
        observed: Observed,
    },
    /// A node's link is down.
    LinkDown {
        /// The node.
        id: NodeId,
    },
    /// The run's release is staged in the Management Node's inactive slot.
    ManagerStaged,
    /// The run's release could not be staged or selected on the Management Node.
    ManagerRejected {
        /// What happened, in a sentence.
        why: String,
    },
    /// The Management Node has started and its store is the valid one.
    ManagerStarted {
        /// The release that runs.
        release: Release,
        /// The package that fell back since, and why, from the slot record.
        fell_back: Option<(Sha256, String)>,
        /// The reading of its wall clock, and how the platform's time advanced since the last reading.
        #[serde(default)]
        wall: Option<(Wall, Gap)>,
    },
    /// The Management Node has checked whether its own machine would start again.
    ManagerChecked {
        /// Why it would not.
        fault: Option<String>,
    },
    /// The Management Node's wall clock has stepped ([`crate::wall::WallMap::step`]).
    WallClock {
        /// Its reading.
        wall: Wall,
    },
    /// A node's wall clock was compared with the Management Node's, and the result differs from what is stored
    /// ([`Node::clock_judged`]).
    ClockOffset {
        /// The node.
        id: NodeId,
        /// How far its wall clock is ahead.
        ahead: Offset,
    },
    /// The operator wants no further node to be taken; those under way finish.
    RunPaused {
        /// The run that was under way when it was ordered.
        run: RunId,
        /// The order.
        order: Order,
    },
    /// The operator lets a paused run go on.
    RunResumed {
        /// The run that was under way when it was ordered.
        run: RunId,
        /// The order.
        order: Order,
    },
    /// The operator ends a run: nothing more begins, and nodes whose calls have not cleared go back to service.
    RunStopped {
        /// The run that was under way when it was ordered.
        run: RunId,
        /// The order.
        order: Order,
    },
    /// The time of [`Fleet::next_deadline`] has come.
    DeadlinePassed,
}

/// How many nodes a platform may have: ten times the largest platform that is planned for. It keeps a faulty tool
/// that adds nodes in a loop from filling the store.
pub const NODES_AT_MOST: usize = 100_000;

impl Fleet {
    pub(super) fn node_added(&mut self, id: NodeId, name: String, duty: Duty, facts: &mut Vec<Fact>) {
        if self.nodes.get(id).is_some() || self.nodes.len() >= NODES_AT_MOST {
            return;
        }
        self.nodes.insert(id, Node::new(name, duty));
        self.node_fact(id, NodeFact::Added, facts);
    }

    pub(super) fn node_changed(&mut self, id: NodeId, name: String, duty: Duty, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        let (renamed, other_duty) = (node.name != name, node.duty != duty);
        if other_duty {
            self.node_fact(id, NodeFact::DutyChanged(duty), facts);
        }
        if renamed {
            self.node_fact(id, NodeFact::Renamed { to: name.clone() }, facts);
        }
        self.nodes.edit(id, |node| {
            node.name = name;
            node.duty = duty;
            // A node that is always on from now on is not powered off by a run.
            node.woken = node.woken && duty == Duty::Bursting;
        });
    }

    pub(super) fn node_removed(&mut self, id: NodeId, facts: &mut Vec<Fact>) {
        self.node_fact(id, NodeFact::Removed, facts);
        self.nodes.remove(id);
    }

    pub(super) fn operator_maintenance(
        &mut self,
        id: NodeId,
        operator: Option<String>,
        facts: &mut Vec<Fact>,
    ) {
        let Some(node) = self.nodes.get(id) else { return };
        if node.operator_maintenance == operator {
            return;
        }
        let what = match &operator {
            Some(reason) => NodeFact::OperatorMaintenanceOn { reason: reason.clone() },
            None => NodeFact::OperatorMaintenanceOff,
        };
        self.node_fact(id, what, facts);
        self.nodes.edit(id, |node| node.operator_maintenance = operator);
    }

    /// The number of the run after the newest.
    pub(super) fn next_run(&mut self) -> RunId {
        self.platform.runs = RunId(self.platform.runs.0 + 1);
        self.platform.runs
    }
}
