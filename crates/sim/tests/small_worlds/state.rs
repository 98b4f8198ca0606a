//! A state of a small world: the platform's state machine, the agents, the messages in transit, and as much of the
//! world around them as they can observe.

use std::sync::Arc;

use fleet::agent::{FallBack, PersistentState, Reconciler, Start};
use fleet::desired::{Assignment, Desired, Generation};
use fleet::node::NodeId;
use fleet::observed::{Admission, Observed};
use fleet::platform::{Fleet, ManagerReconciler};
use fleet::time::Time;
use fleet::version::{Release, Sha256};

use super::promises::Broken;

/// A complete release in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) release: Release,
    pub(crate) manifest: Sha256,
}

/// How often something may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// Time advances to the next deadline.
    pub(crate) time: u8,
    /// A fault occurs: a node or the Management Node loses power, a release cannot be staged or selected, a release
    /// that is tried does not confirm itself, the link to a running node is taken for down.
    pub(crate) faults: u8,
    /// The operator puts the first node into maintenance mode or takes it out, or starts the package again.
    pub(crate) operator: u8,
    /// The operator pauses, resumes or stops the run under way.
    pub(crate) orders: u8,
}

/// A running process of the node's program.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Process {
    pub(crate) node: Reconciler,
    /// Whether the Management Node has answered the release that is tried.
    pub(crate) answered: bool,
}

/// A Conferencing Node's machine, and the newest message in each direction of its link.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    /// The persistent state of its agent.
    pub(crate) persistent_state: PersistentState,
    pub(crate) confirmed: Slot,
    pub(crate) other: Option<Slot>,
    /// The other slot is selected and has not confirmed itself.
    pub(crate) trying: bool,
    pub(crate) fell_back: Option<FallBack>,
    /// `None` while it is off or starting.
    pub(crate) process: Option<Process>,
    /// The calls in progress, one at most.
    pub(crate) calls: u32,
    pub(crate) engine: Admission,
    /// The newest report that it has sent.
    pub(crate) report: Option<Observed>,
    /// The newest desired state that it was sent.
    pub(crate) desired: Option<Desired>,
    /// Since which generation the operator holds it in maintenance mode, if so.
    pub(crate) operator_since: Option<Generation>,
    /// How many of its attempts in this run timed out.
    pub(crate) timeouts: u32,
}

/// The Management Node's machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manager {
    /// The platform's state; while the process is down, what is stored of it.
    pub(crate) fleet: Fleet,
    /// What is stored, if it differs from `fleet`, which only a canary causes.
    pub(crate) stored: Option<Fleet>,
    pub(crate) up: bool,
    /// Its upgrade of itself, in this process.
    pub(crate) upgrade: ManagerReconciler,
    pub(crate) slot: Slot,
    /// The release that is selected and has not confirmed itself.
    pub(crate) trying: Option<Assignment>,
    pub(crate) fell_back: Option<(Sha256, String)>,
}

/// A message that a newer one has overtaken and that may still arrive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Message {
    /// The report of a node.
    Report { from: NodeId, observed: Observed },
    /// The desired state of a node.
    Desired { to: NodeId, desired: Desired },
}

/// One state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) now: Time,
    pub(crate) manager: Arc<Manager>,
    /// By id, from 1.
    pub(crate) machines: Vec<Arc<Machine>>,
    pub(crate) held_up: Vec<Arc<Message>>,
    pub(crate) budget: Budget,
    pub(crate) broken: Broken,
}

impl State {
    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (1..=u32::try_from(self.machines.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    pub(crate) fn machine(&self, id: NodeId) -> &Machine {
        &self.machines[id.0 as usize - 1]
    }

    pub(crate) fn machine_mut(&mut self, id: NodeId) -> &mut Machine {
        Arc::make_mut(&mut self.machines[id.0 as usize - 1])
    }
}

impl Machine {
    /// A machine that has never been switched on.
    pub(crate) fn new(confirmed: Slot) -> Self {
        Self {
            persistent_state: PersistentState::default(),
            confirmed,
            other: None,
            trying: false,
            fell_back: None,
            process: None,
            calls: 0,
            engine: Admission::Refusing,
            report: None,
            desired: None,
            operator_since: None,
            timeouts: 0,
        }
    }

    /// The conditions that the process finds at its start.
    pub(crate) fn start_conditions(&self) -> Start {
        let fell_back = self.fell_back.clone();
        match self.other {
            Some(other) if self.trying => Start {
                release: other.release,
                confirmed: false,
                staged: Some(self.confirmed.manifest),
                fell_back,
            },
            other => Start {
                release: self.confirmed.release,
                confirmed: true,
                staged: other.map(|slot| slot.manifest),
                fell_back,
            },
        }
    }

    /// The release for which the node has stored that it leaves; its next step is to select the slot.
    pub(crate) fn leaves_for(&self) -> Option<Assignment> {
        self.process.as_ref().and_then(|process| process.node.agent().wanted().restart)
    }

    /// Whether it is really out of service for a run: it has accepted a desired state that keeps it in the run's
    /// maintenance mode, or it restarts into the run's release.
    pub(crate) fn is_out_for_a_run(&self) -> bool {
        let held =
            self.persistent_state.accepted.intent.owners.run.is_some() && !self.persistent_state.let_go;
        held || self.trying
    }

    pub(crate) fn admits(&self) -> bool {
        self.process.is_some() && self.engine == Admission::Admitting
    }
}
