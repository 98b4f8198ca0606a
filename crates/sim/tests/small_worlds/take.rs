//! How each thing happens.

use std::sync::Arc;

use fleet::node::NodeId;
use fleet::platform::Event;

use super::moment::Message;
use super::step::{AtManager, AtNode, Step};
use super::turn::Turn;
use super::worlds::Overtaken;

impl Turn<'_> {
    /// Lets one thing happen.
    pub(crate) fn take(&mut self, step: Step) {
        match step {
            Step::Node(id, what) => self.at_node(id, what),
            Step::Manager(what) => self.at_manager(what),
            Step::LateArrives(which) => self.late_arrives(which),
            Step::TimePasses => {
                self.moment.left.time -= 1;
                self.moment.now = self.moment.next_time().unwrap_or(self.moment.now);
            }
        }
        self.judge_world();
    }

    fn at_node(&mut self, id: NodeId, what: AtNode) {
        match what {
            AtNode::ReportArrives => {
                if let Some(observed) = self.moment.machine(id).report.clone() {
                    self.report_arrives(id, observed);
                }
            }
            AtNode::OrderArrives => {
                if let Some(desired) = self.moment.machine(id).order.clone() {
                    self.order_arrives(id, desired);
                }
            }
            AtNode::LinkDown => self.link_down(id),
            AtNode::CallBegins => self.calls(id, 1),
            AtNode::CallEnds => self.calls(id, 0),
            AtNode::Staged => self.staged(id),
            AtNode::Rejects => {
                self.moment.left.faults -= 1;
                self.rejects(id);
            }
            AtNode::Selects => self.selects(id),
            AtNode::LosesPower => self.loses_power(id),
            AtNode::Boots => self.boots(id),
            AtNode::FallsBack => {
                self.moment.left.faults -= 1;
                self.falls_back(id);
            }
            AtNode::Confirms => self.confirms(id),
            AtNode::ConfirmsAndLosesPower => {
                self.moment.machine_mut(id).confirm();
                self.loses_power(id);
            }
            AtNode::Due => self.settle(id),
            AtNode::OperatorHolds => self.operator(id, Some("a new fan".into())),
            AtNode::OperatorLetsGo => self.operator(id, None),
        }
    }

    fn at_manager(&mut self, what: AtManager) {
        match what {
            AtManager::Staged => self.tell(Event::ManagerStaged),
            AtManager::Rejects => {
                self.moment.left.faults -= 1;
                self.tell(Event::ManagerRejected { why: "the disk is full".into() });
            }
            AtManager::Selects => self.manager_selects(),
            AtManager::Stores => self.manager_mut().stored = None,
            AtManager::LosesPower => {
                self.moment.left.faults -= 1;
                self.manager_mut().stop();
            }
            AtManager::Boots => self.manager_boots(),
            AtManager::FallsBack => {
                self.moment.left.faults -= 1;
                self.manager_falls_back();
            }
            AtManager::Due => self.tell(Event::DeadlinePassed),
            AtManager::OperatorStarts => {
                self.moment.left.operator -= 1;
                self.starts_again();
            }
        }
    }

    fn late_arrives(&mut self, which: usize) {
        let message = self.moment.held_up.remove(which);
        match Arc::unwrap_or_clone(message) {
            Message::Report { from, observed } => self.report_arrives(from, observed),
            Message::Order { to, desired } => self.order_arrives(to, desired),
        }
    }

    fn link_down(&mut self, id: NodeId) {
        if self.moment.machine(id).process.is_some() {
            self.moment.left.faults -= 1;
        }
        self.tell(Event::LinkDown { id });
    }

    fn calls(&mut self, id: NodeId, calls: u32) {
        self.moment.machine_mut(id).calls = calls;
        self.settle(id);
    }

    fn loses_power(&mut self, id: NodeId) {
        self.moment.left.faults -= 1;
        self.moment.machine_mut(id).end();
    }

    fn operator(&mut self, id: NodeId, operator: Option<String>) {
        self.moment.left.operator -= 1;
        let holds = operator.is_some();
        self.moment.machine_mut(id).operator_since = None;
        self.tell(Event::Maintenance { id, operator });
        let since = self.fleet().nodes().get(id).map(|node| node.generation);
        self.moment.machine_mut(id).operator_since = since.filter(|_| holds);
    }

    /// The message that a newer one has overtaken in this step is under way still, and the oldest of those
    /// that were held up before is lost when there are too many.
    pub(crate) fn hold_up(&mut self, which: usize) -> bool {
        if which >= self.superseded.len() {
            return false;
        }
        let message = self.superseded.swap_remove(which);
        if matches!(message, Message::Report { .. }) && self.world.overtaken == Overtaken::Orders {
            return false;
        }
        let held_up = &mut self.moment.held_up;
        held_up.push(Arc::new(message));
        if held_up.len() > self.world.held_up {
            held_up.remove(0);
        }
        true
    }
}
