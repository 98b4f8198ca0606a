//! Which steps are possible in a state. Steps that would change nothing are left out.

use fleet::node::{Contact, NodeId};
use fleet::observed::Admission;
use fleet::platform::ManagerEffect;
use fleet::time::{Span, Time};

use super::state::{Machine, Message, State};
use super::step::{AtManager, AtNode, Step};

/// A deadline further ahead than this is never reached.
pub(crate) const NEVER: Span = Span::hours(1_000);

impl State {
    /// All steps that are possible and change something.
    pub(crate) fn possible(&self) -> Vec<Step> {
        let mut steps = Vec::with_capacity(24);
        self.ids().for_each(|id| self.possible_at(id, &mut steps));
        steps.extend((0..self.held_up.len()).filter(|which| self.is_heard(*which)).map(Step::LateArrives));
        self.possible_at_manager(&mut steps);
        if self.next_time().is_some() && self.budget.time > 0 && !self.is_overdue() {
            steps.push(Step::TimePasses);
        }
        steps
    }

    fn possible_at(&self, id: NodeId, steps: &mut Vec<Step>) {
        let (machine, budget) = (self.machine(id), self.budget);
        let mut may = |what: AtNode, may: bool| steps.extend(may.then_some(Step::Node(id, what)));
        may(AtNode::ReportArrives, self.report_is_new(id));
        may(AtNode::LinkDown, self.may_break(id));
        if id == NodeId(1) && budget.operator > 0 && self.manager.up {
            may(AtNode::OperatorHolds, machine.operator_since.is_none());
            may(AtNode::OperatorLetsGo, machine.operator_since.is_some());
        }
        if machine.trying {
            may(AtNode::FallsBack, budget.faults > 0);
        }
        let Some(process) = &machine.process else { return may(AtNode::Boots, true) };
        may(AtNode::LosesPower, budget.faults > 0);
        may(AtNode::CallEnds, machine.calls > 0);
        let wants = process.node.agent().wanted();
        if wants.restart.is_some() {
            may(AtNode::Selects, true);
            return may(AtNode::Rejects, budget.faults > 0);
        }
        may(AtNode::DesiredArrives, machine.desired_is_new());
        may(AtNode::CallBegins, machine.calls == 0 && machine.engine == Admission::Admitting);
        may(AtNode::Staged, wants.stage.is_some());
        may(AtNode::Rejects, wants.stage.is_some() && budget.faults > 0);
        let answered = machine.trying && process.answered;
        may(AtNode::Confirms, answered);
        may(AtNode::ConfirmsAndLosesPower, answered && budget.faults > 0);
        may(AtNode::Due, process.node.agent().next_deadline().is_some_and(|at| at <= self.now));
    }

    fn possible_at_manager(&self, steps: &mut Vec<Step>) {
        let (manager, budget) = (&self.manager, self.budget);
        let mut may = |what: AtManager, may: bool| steps.extend(may.then_some(Step::Manager(what)));
        if !manager.up {
            may(AtManager::Boots, true);
            return may(AtManager::FallsBack, manager.trying.is_some() && budget.faults > 0);
        }
        let awaited = manager.upgrade.awaited();
        may(AtManager::LosesPower, budget.faults > 0);
        may(AtManager::Staged, matches!(awaited, Some(ManagerEffect::BeginStaging(_))));
        may(AtManager::Rejects, manager.upgrade.is_wanted(&manager.fleet) && budget.faults > 0);
        may(AtManager::Selects, matches!(awaited, Some(ManagerEffect::SelectSlot(_))));
        may(AtManager::Stores, manager.stored.is_some());
        may(AtManager::Due, manager.fleet.next_deadline().is_some_and(|at| at <= self.now));
        may(AtManager::OperatorStarts, budget.operator > 0);
        let Some(run) = manager.fleet.platform.run.as_ref().filter(|_| budget.orders > 0) else { return };
        may(AtManager::OperatorPauses, run.paused.is_none());
        may(AtManager::OperatorResumes, run.paused.is_some());
        may(AtManager::OperatorStops, run.can_be_stopped());
    }

    /// Whether the newest report would change anything for the platform.
    fn report_is_new(&self, id: NodeId) -> bool {
        let (report, node) = (&self.machine(id).report, self.manager.fleet.nodes().get(id));
        let (true, Some(report), Some(node)) = (self.manager.up, report, node) else { return false };
        let heard = node.contact == Contact::Heard;
        !(heard && node.observed.as_ref().is_some_and(|last| report.says_the_same_as(last)))
    }

    /// Whether the manager may find the link down: the process does not run, or a fault is left in the budget.
    fn may_break(&self, id: NodeId) -> bool {
        let heard = self.manager.fleet.nodes().get(id).is_some_and(|node| node.contact == Contact::Heard);
        let gone = self.machine(id).process.is_none();
        self.manager.up && heard && (gone || self.budget.faults > 0)
    }

    fn is_heard(&self, which: usize) -> bool {
        match &*self.held_up[which] {
            Message::Report { .. } => self.manager.up,
            Message::Desired { to, .. } => {
                let machine = self.machine(*to);
                machine.process.is_some() && machine.leaves_for().is_none()
            }
        }
    }

    fn deadlines(&self) -> impl Iterator<Item = (Time, bool)> {
        let nodes =
            self.machines.iter().filter_map(|machine| machine.process.as_ref()?.node.agent().next_deadline());
        let manager = self.manager.fleet.next_deadline().map(|at| (at, self.manager.up));
        nodes.map(|at| (at, true)).chain(manager)
    }

    /// Whether a running state machine has a deadline that has passed; it handles it before time advances.
    fn is_overdue(&self) -> bool {
        self.deadlines().any(|(at, up)| up && at <= self.now)
    }

    /// The next deadline of any state machine.
    pub(crate) fn next_time(&self) -> Option<Time> {
        let ahead = |at: &Time| *at > self.now && *at < self.now + NEVER;
        self.deadlines().map(|(at, _)| at).filter(ahead).min()
    }
}

impl Machine {
    fn desired_is_new(&self) -> bool {
        let unanswered = self.trying && self.process.as_ref().is_some_and(|process| !process.answered);
        let other = |desired: &fleet::desired::Desired| {
            desired.generation != self.persistent_state.accepted.generation
        };
        self.desired.as_ref().is_some_and(|desired| unanswered || other(desired))
    }
}
