//! The small worlds: the beginning and the bounds of each. Without bounds the states would be infinite; within them,
//! every order of all possible steps is checked.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use fleet::desired::Assignment;
use fleet::node::{Duty, NodeId};
use fleet::path::{Path, Step as PathStep};
use fleet::platform::{Event, Fleet, ManagerReconciler};
use fleet::policy::Policy;
use fleet::run::Package;
use fleet::time::Time;
use fleet::version::{Build, Release, Sha256, Version};

use super::canary::Canary;
use super::healing::Healed;
use super::promises::Broken;
use super::reached::Reached;
use super::state::{Budget, Machine, Manager, Slot, State};
use super::step::{AtNode, Step};
use super::transition::Transition;

const OLD: Slot = slot(0);
const NEW: Slot = slot(1);

/// When the run is started: not at time 0, so that earlier times can be represented.
pub(crate) const BEGIN: Time = Time(1_000_000);

/// Which messages that were overtaken may still arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Overtaken {
    /// Desired states.
    #[default]
    Orders,
    /// All of them.
    All,
}

/// A small world.
#[derive(Debug, Default)]
pub(crate) struct SmallWorld {
    pub(crate) name: &'static str,
    pub(crate) nodes: u32,
    /// How many nodes may be out of service at once.
    pub(crate) places: u32,
    /// How many nodes have callers, from the first on.
    pub(crate) called: u32,
    /// How many overtaken messages may be in transit at once, beside the newest in each direction of each link.
    pub(crate) held_up: usize,
    /// Which overtaken messages are delayed.
    pub(crate) overtaken: Overtaken,
    /// How often time may pass and faults and operator actions may occur.
    pub(crate) budget: Budget,
    /// The outcomes that it must reach.
    pub(crate) reaches: &'static [Reached],
    pub(crate) canary: Option<Canary>,
    pub(crate) healed: Healed,
    /// How many overtaken messages arrived, and how many of them were commands that a node refused.
    pub(crate) late: AtomicUsize,
    pub(crate) refused: AtomicUsize,
}

const fn slot(minor: u16) -> Slot {
    let version = Version { major: 34, minor };
    let mut manifest = [0; 32];
    manifest[0] = 1 + minor as u8;
    Slot { release: Release { version, build: Build(0) }, manifest: Sha256(manifest) }
}

/// One node, and three faults at any point, of the Management Node and of the node.
pub(crate) fn faults_of_one_node() -> SmallWorld {
    SmallWorld {
        name: "one node with faults",
        budget: Budget { time: 2, faults: 3, operator: 0, orders: 0 },
        reaches: &[
            Reached::Complete,
            Reached::Incomplete,
            Reached::TimedOut,
            Reached::TriedTwice,
            Reached::FellBack,
            Reached::ManagerFellBack,
            Reached::ManagerRejected,
            Reached::Lost,
            Reached::OverallLimit,
        ],
        ..one_node()
    }
}

/// One node, two operator actions at any point, and one fault.
pub(crate) fn operator_of_one_node() -> SmallWorld {
    SmallWorld {
        name: "one node with an operator",
        budget: Budget { time: 2, faults: 1, operator: 2, orders: 0 },
        reaches: &[
            Reached::Complete,
            Reached::OperatorsNodeUpgraded,
            Reached::RepeatComplete,
            Reached::Replaced,
        ],
        ..one_node()
    }
}

/// One node, two orders for the run at any point, and one fault.
pub(crate) fn orders_of_one_node() -> SmallWorld {
    SmallWorld {
        name: "one node with orders",
        budget: Budget { time: 2, faults: 1, operator: 0, orders: 2 },
        reaches: &[Reached::Complete, Reached::TimedOut, Reached::Paused, Reached::Stopped],
        ..one_node()
    }
}

/// Two nodes, one place, and two orders for the run at any point.
pub(crate) fn orders_of_two_nodes() -> SmallWorld {
    SmallWorld {
        name: "two nodes with orders and one place",
        budget: Budget { time: 1, faults: 0, operator: 0, orders: 2 },
        reaches: &[Reached::Complete, Reached::Full, Reached::Paused, Reached::Stopped],
        ..two_nodes()
    }
}

/// One node, any one overtaken message in transit at a time, and one fault.
pub(crate) fn messages_of_one_node() -> SmallWorld {
    SmallWorld {
        name: "one node with messages that are overtaken",
        held_up: 1,
        overtaken: Overtaken::All,
        budget: Budget { time: 2, faults: 1, operator: 0, orders: 0 },
        reaches: &[Reached::Complete, Reached::TimedOut, Reached::FellBack, Reached::ManagerFellBack],
        ..one_node()
    }
}

/// Two nodes that both have callers, and one place.
pub(crate) fn calls_of_two_nodes() -> SmallWorld {
    SmallWorld {
        name: "two nodes with calls and one place",
        called: 2,
        budget: Budget { time: 2, faults: 0, operator: 0, orders: 0 },
        reaches: &[Reached::Complete, Reached::TimedOut, Reached::TriedTwice, Reached::Full],
        ..two_nodes()
    }
}

/// Two nodes, one place, and one fault at any point.
pub(crate) fn faults_of_two_nodes() -> SmallWorld {
    SmallWorld {
        name: "two nodes with faults and one place",
        budget: Budget { time: 1, faults: 1, operator: 0, orders: 0 },
        reaches: &[Reached::Complete, Reached::Incomplete, Reached::FellBack, Reached::Full],
        ..two_nodes()
    }
}

/// Two nodes, one place, and any one overtaken command in transit at a time.
pub(crate) fn messages_of_two_nodes() -> SmallWorld {
    SmallWorld {
        name: "two nodes with commands that are overtaken and one place",
        held_up: 1,
        budget: Budget { time: 1, faults: 0, operator: 0, orders: 0 },
        reaches: &[Reached::Complete, Reached::TimedOut, Reached::Full],
        ..two_nodes()
    }
}

/// Three nodes and two places.
pub(crate) fn three_nodes() -> SmallWorld {
    SmallWorld {
        name: "three nodes and two places",
        nodes: 3,
        places: 2,
        budget: Budget { time: 1, faults: 0, operator: 0, orders: 0 },
        reaches: &[Reached::Complete, Reached::TimedOut, Reached::Full],
        ..SmallWorld::default()
    }
}

fn one_node() -> SmallWorld {
    SmallWorld { nodes: 1, places: 1, called: 1, ..SmallWorld::default() }
}

fn two_nodes() -> SmallWorld {
    SmallWorld { nodes: 2, places: 1, called: 1, ..SmallWorld::default() }
}

impl SmallWorld {
    pub(crate) fn with(self, canary: Canary) -> Self {
        Self { canary: Some(canary), ..self }
    }

    pub(crate) fn package(&self) -> Package {
        let (from, to) = (OLD.release.version, NEW.release.version);
        let path = Path(vec![PathStep { to, from, reason: String::new() }]);
        Package { release: NEW.release, manifest: NEW.manifest, path }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy { nodes_at_once: self.places, ..Policy::standard() }
    }

    pub(crate) fn slot_of(&self, software: Assignment) -> Slot {
        Slot { release: software.release, manifest: software.manifest }
    }

    /// The first state: all nodes serve and have reported so, and the operator has pressed Start.
    pub(crate) fn begin(&self) -> State {
        let mut fleet = Fleet::new(OLD.release, self.policy());
        for id in (1..=self.nodes).map(NodeId) {
            fleet.apply(BEGIN, Event::NodeAdded { id, name: format!("node{id}"), duty: Duty::AlwaysOn });
        }
        let manager = Manager {
            fleet,
            stored: None,
            up: true,
            upgrade: ManagerReconciler::default(),
            slot: OLD,
            trying: None,
            fell_back: None,
        };
        let machines = (0..self.nodes).map(|_| Arc::new(Machine::new(OLD))).collect();
        let state = State {
            now: BEGIN,
            manager: Arc::new(manager),
            machines,
            held_up: Vec::new(),
            budget: self.budget,
            broken: Broken::default(),
        };
        let mut transition = Transition::new(self, &state);
        for id in state.ids() {
            transition.apply(Step::Node(id, AtNode::Boots));
            transition.apply(Step::Node(id, AtNode::ReportArrives));
        }
        transition.press_start();
        State { budget: self.budget, ..transition.state }
    }
}
