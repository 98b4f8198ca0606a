//! What must always hold in a small world. Each promise is judged where it could be broken, against the machines and
//! not only against the platform's state. A broken promise stays broken in all later states, so that no path to it is
//! lost.

use fleet::node::{Contact, Node, NodeId};
use fleet::platform::Fleet;
use fleet::progress::{Phase, Progress};
use fleet::status::Status;

use super::state::State;
use super::transition::Transition;

/// A promise, named as a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    Places,
    LivingCalls,
    ManagerFirst,
    StaleCommands,
    LateReports,
    OnceBeforeTwice,
    EndedRun,
    OperatorsMode,
    Unconfirmed,
    Complete,
    PlatformState,
    Deadlines,
    SaysWhy,
    Recovers,
    Paused,
}

impl Promise {
    pub(crate) const ALL: [Self; 15] = [
        Self::Places,
        Self::LivingCalls,
        Self::ManagerFirst,
        Self::StaleCommands,
        Self::LateReports,
        Self::OnceBeforeTwice,
        Self::EndedRun,
        Self::OperatorsMode,
        Self::Unconfirmed,
        Self::Complete,
        Self::PlatformState,
        Self::Deadlines,
        Self::SaysWhy,
        Self::Recovers,
        Self::Paused,
    ];

    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Places => "never more machines really out of service than allowed (R2, R6)",
            Self::LivingCalls => "no machine restarts while a call lives (R4)",
            Self::ManagerFirst => "no node is touched before the Management Node runs the release (R1)",
            Self::StaleCommands => "a stale or contradictory command has no effect",
            Self::LateReports => "what is held of a node is the newest that arrived of what it said",
            Self::OnceBeforeTwice => "every node is tried once before any is tried twice (R5)",
            Self::EndedRun => "an ended run keeps no node in its maintenance mode but one that restarts (R8)",
            Self::OperatorsMode => "an operator's maintenance mode stays until the operator lets go (R12)",
            Self::Unconfirmed => "a release takes no calls before it is confirmed",
            Self::Complete => "a run that is complete has left no node on another release (R23)",
            Self::PlatformState => "what the platform knows agrees with itself, and reads back as stored",
            Self::Deadlines => "a deadline that has passed is dealt with",
            Self::SaysWhy => "a run that is under way says of every node what it waits for",
            Self::Recovers => "when everything heals, the run ends in time and every node serves",
            Self::Paused => "no node is taken while the run is paused (G9)",
        }
    }
}

/// The promises that were broken on the path to a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Broken(u16);

impl Broken {
    pub(crate) fn insert(&mut self, promise: Promise) {
        self.0 |= 1 << promise as u16;
    }

    pub(crate) fn contains(self, promise: Promise) -> bool {
        self.0 & 1 << promise as u16 != 0
    }

    fn insert_unless(&mut self, promise: Promise, holds: bool) {
        if !holds {
            self.insert(promise);
        }
    }
}

impl Transition<'_> {
    /// Judges what any step can break, at its end.
    pub(crate) fn judge_world(&mut self) {
        let places = self.world.places as usize;
        let state = &self.state;
        let out = state.machines.iter().filter(|machine| machine.is_out_for_a_run()).count();
        let operators = state.machines.iter().all(|machine| {
            let binds = |since| machine.persistent_state.accepted.generation >= since;
            !(machine.admits() && machine.operator_since.is_some_and(binds))
        });
        let unconfirmed = state.machines.iter().any(|machine| machine.admits() && machine.trying);
        let ended = state.manager.fleet.platform.run.is_some() || state.ids().all(|id| is_let_go(state, id));
        let broken = &mut self.state.broken;
        broken.insert_unless(Promise::Places, out <= places);
        broken.insert_unless(Promise::OperatorsMode, operators);
        broken.insert_unless(Promise::Unconfirmed, !unconfirmed);
        broken.insert_unless(Promise::EndedRun, ended);
    }

    /// Judges what only an event of the platform can break.
    pub(crate) fn judge_platform(&mut self) {
        let (now, state) = (self.state.now, &self.state);
        let fleet = &state.manager.fleet;
        let dealt_with = fleet.next_deadline().is_none_or(|deadline| deadline > now);
        let says_why = fleet.platform.run.is_none() || state.ids().all(|id| is_explained(state, id));
        let running = state.manager.slot.release;
        let in_order = state.ids().all(|id| {
            let software = fleet.wanted(id).and_then(|desired| desired.intent.software);
            software.is_none_or(|(software, _)| software.release <= running)
        });
        let in_turn = fleet
            .platform
            .run
            .as_ref()
            .is_none_or(|run| !run.manager_is_done() || run.package.release == running);
        let operator = state.ids().all(|id| {
            let wished = state.machine(id).operator_since.is_some();
            !wished || fleet.wanted(id).is_some_and(|desired| desired.intent.owners.operator.is_some())
        });
        let agrees = fleet.check().is_empty();
        let broken = &mut self.state.broken;
        broken.insert_unless(Promise::Deadlines, dealt_with);
        broken.insert_unless(Promise::SaysWhy, says_why);
        broken.insert_unless(Promise::ManagerFirst, in_order && in_turn);
        broken.insert_unless(Promise::OperatorsMode, operator);
        broken.insert_unless(Promise::PlatformState, agrees);
    }

    /// R5, G9: judges the beginning of an attempt. Nodes that cannot be contacted are passed over (R11).
    pub(crate) fn judge_turn(&mut self, id: NodeId) {
        if self.fleet().platform.run.as_ref().is_some_and(|run| run.paused.is_some()) {
            self.state.broken.insert(Promise::Paused);
        }
        let timeouts = |id| self.state.machine(id).timeouts;
        let passed_over = |(other, node): (NodeId, &Node)| {
            let waits = matches!(node.progress, Progress::Pending { .. }) && !node.contact.is_lost();
            other != id && waits && timeouts(other) < timeouts(id)
        };
        if self.fleet().nodes().iter().any(passed_over) {
            self.state.broken.insert(Promise::OnceBeforeTwice);
        }
    }

    /// R23: judges a run that is complete.
    pub(crate) fn judge_completion(&mut self) {
        let target = self.world.package().release;
        let complete = self.state.machines.iter().all(|machine| machine.confirmed.release == target);
        self.state.broken.insert_unless(Promise::Complete, complete);
    }
}

/// R8: a node that has accepted its newest desired state after a run is not in the run's maintenance mode, unless it
/// restarts into its new slot.
fn is_let_go(state: &State, id: NodeId) -> bool {
    let (machine, node) = (state.machine(id), state.manager.fleet.nodes().get(id));
    let current = |node: &&Node| node.generation == machine.persistent_state.accepted.generation;
    node.filter(current).is_none_or(|node| {
        let restarts = matches!(node.progress.phase(), Some(Phase::Rebooting { .. }));
        restarts || machine.persistent_state.accepted.intent.owners.run.is_none()
    })
}

/// For a node that is not done, the run gives a reason; a node is shown as not reachable only if it is (R11).
fn is_explained(state: &State, id: NodeId) -> bool {
    let fleet: &Fleet = &state.manager.fleet;
    fleet.nodes().get(id).is_some_and(|node| {
        let explained = node.progress.tried().is_none() || fleet.waits(id, state.now).is_some();
        let shown = fleet.status(id) == Some(Status::CouldNotCommunicate);
        explained && !(shown && node.contact == Contact::Heard)
    })
}
