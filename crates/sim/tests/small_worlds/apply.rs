//! What each step does to a state.

use std::sync::Arc;

use fleet::node::NodeId;
use fleet::platform::{Event, ManagerOutcome};

use super::state::Message;
use super::step::{AtManager, AtNode, Step};
use super::transition::Transition;
use super::worlds::Overtaken;

impl Transition<'_> {
    /// Applies one step.
    pub(crate) fn apply(&mut self, step: Step) {
        match step {
            Step::Node(id, what) => self.at_node(id, what),
            Step::Manager(what) => self.at_manager(what),
            Step::LateArrives(which) => self.late_arrives(which),
            Step::TimePasses => {
                self.state.budget.time -= 1;
                self.state.now = self.state.next_time().unwrap_or(self.state.now);
            }
        }
        self.judge_world();
    }

    fn at_node(&mut self, id: NodeId, what: AtNode) {
        match what {
            AtNode::ReportArrives => {
                if let Some(observed) = self.state.machine(id).report.clone() {
                    self.report_arrives(id, observed);
                }
            }
            AtNode::DesiredArrives => {
                if let Some(desired) = self.state.machine(id).desired.clone() {
                    self.desired_arrives(id, desired);
                }
            }
            AtNode::LinkDown => self.link_down(id),
            AtNode::CallBegins => self.calls(id, 1),
            AtNode::CallEnds => self.calls(id, 0),
            AtNode::Staged => self.staged(id),
            AtNode::Rejects => {
                self.state.budget.faults -= 1;
                self.rejects(id);
            }
            AtNode::Selects => self.selects(id),
            AtNode::LosesPower => self.loses_power(id),
            AtNode::Boots => self.boots(id),
            AtNode::FallsBack => {
                self.state.budget.faults -= 1;
                self.falls_back(id);
            }
            AtNode::Confirms => self.confirms(id),
            AtNode::ConfirmsAndLosesPower => {
                self.state.machine_mut(id).confirm();
                self.loses_power(id);
            }
            AtNode::Due => self.settle(id),
            AtNode::OperatorHolds => self.operator(id, Some("a new fan".into())),
            AtNode::OperatorLetsGo => self.operator(id, None),
        }
    }

    fn at_manager(&mut self, what: AtManager) {
        match what {
            AtManager::Staged | AtManager::Selects => self.manager_completes(ManagerOutcome::Done),
            AtManager::Rejects => {
                self.state.budget.faults -= 1;
                self.manager_completes(ManagerOutcome::Failed("the disk is full".into()));
            }
            AtManager::Stores => self.manager_mut().stored = None,
            AtManager::LosesPower => {
                self.state.budget.faults -= 1;
                self.manager_mut().stop();
            }
            AtManager::Boots => self.manager_boots(),
            AtManager::FallsBack => {
                self.state.budget.faults -= 1;
                self.manager_falls_back();
            }
            AtManager::Due => self.apply_to_platform(Event::DeadlinePassed),
            AtManager::OperatorStarts => {
                self.state.budget.operator -= 1;
                self.press_start();
            }
            AtManager::OperatorPauses => {
                self.state.budget.orders -= 1;
                self.order(|run, order| Event::RunPaused { run, order });
            }
            AtManager::OperatorResumes => {
                self.state.budget.orders -= 1;
                self.order(|run, order| Event::RunResumed { run, order });
            }
            AtManager::OperatorStops => {
                self.state.budget.orders -= 1;
                self.order(|run, order| Event::RunStopped { run, order });
            }
        }
    }

    fn late_arrives(&mut self, which: usize) {
        let message = self.state.held_up.remove(which);
        match Arc::unwrap_or_clone(message) {
            Message::Report { from, observed } => self.report_arrives(from, observed),
            Message::Desired { to, desired } => self.desired_arrives(to, desired),
        }
    }

    fn link_down(&mut self, id: NodeId) {
        if self.state.machine(id).process.is_some() {
            self.state.budget.faults -= 1;
        }
        self.apply_to_platform(Event::LinkDown { id });
    }

    fn calls(&mut self, id: NodeId, calls: u32) {
        self.state.machine_mut(id).calls = calls;
        self.settle(id);
    }

    fn loses_power(&mut self, id: NodeId) {
        self.state.budget.faults -= 1;
        self.state.machine_mut(id).end();
    }

    fn operator(&mut self, id: NodeId, operator: Option<String>) {
        self.state.budget.operator -= 1;
        let holds = operator.is_some();
        self.state.machine_mut(id).operator_since = None;
        self.apply_to_platform(Event::Maintenance { id, operator });
        let since = self.fleet().nodes().get(id).map(|node| node.generation);
        self.state.machine_mut(id).operator_since = since.filter(|_| holds);
    }

    /// Delays a message that a newer one has overtaken in this step. If there are too many delayed messages, the oldest
    /// is lost.
    pub(crate) fn hold_up(&mut self, which: usize) -> bool {
        if which >= self.superseded.len() {
            return false;
        }
        let message = self.superseded.swap_remove(which);
        if matches!(message, Message::Report { .. }) && self.world.overtaken == Overtaken::Orders {
            return false;
        }
        let held_up = &mut self.state.held_up;
        held_up.push(Arc::new(message));
        if held_up.len() > self.world.held_up {
            held_up.remove(0);
        }
        true
    }
}
