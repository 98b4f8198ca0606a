//! Machines that would not start again for a while: the settings cannot be read, or an address is taken. Running
//! programs continue with what they have read. Until the fault ends every start fails, whichever release it is of, and
//! the check before a start finds the fault at any time.

use fleet::agent::{AgentEvent, Durability};
use fleet::desired::{Assignment, Desired};
use fleet::node::NodeId;
use fleet::platform::Event;
use fleet::time::{Span, Time};

use crate::seeded::canary::Canary;
use crate::seeded::world::World;
use crate::seeded::world::event_queue::WorldEvent;
use crate::seeded::world::machine::Machine;

/// The reason that a check reports.
pub(crate) const WHY: &str = "the settings cannot be used";

/// How often a program checks whether its own machine would start again.
const CHECKED_EVERY: Span = Span::seconds(60);

impl Machine {
    /// The fault as its program has found it: at the next check; its end at once.
    pub(crate) fn noticed_start_fault(&self, now: Time) -> Option<String> {
        let since = self.start_fault?;
        (now >= since + CHECKED_EVERY).then(|| WHY.into())
    }
}

impl World {
    /// A node's machine would not start again from now on.
    pub(crate) fn will_not_start(&mut self, id: NodeId, lasts: Span) {
        let now = self.now;
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.start_fault.get_or_insert(now);
        self.queue.push(now + CHECKED_EVERY, WorldEvent::NodeDue { node: id });
        self.queue.push(now + lasts, WorldEvent::Recover { node: id });
    }

    pub(crate) fn would_not_start(&self, id: NodeId) -> bool {
        let ignored = self.canary == Some(Canary::StartFaultIgnored);
        !ignored && self.nodes.get(&id).is_some_and(|machine| machine.start_fault.is_some())
    }

    /// A node that is to leave service runs the check before it refuses its first call. If the result cannot be made
    /// durable, the node does not accept the desired state, and is sent it again.
    pub(crate) fn check_before_leaving_service(&mut self, id: NodeId, desired: &Desired) -> Durability {
        let process = self.nodes.get(&id).and_then(|machine| machine.process.as_ref());
        let software = process.and_then(|process| process.node.agent().would_leave_service_for(desired));
        match software.filter(|_| self.would_not_start(id)) {
            Some(software) => self.reject(id, software),
            None => Durability::Durable,
        }
    }

    /// Rejects the software, because the machine would not start.
    pub(crate) fn reject(&mut self, id: NodeId, software: Assignment) -> Durability {
        self.apply_to_node(id, AgentEvent::Rejected { software, why: WHY.into() })
    }

    /// The Management Node's machine would not start again from now on.
    pub(crate) fn manager_will_not_start(&mut self, lasts: Span) {
        self.manager.start_fault = true;
        self.queue.push(self.now + lasts, WorldEvent::ManagerStartFaultEnds);
        self.manager_checks();
    }

    pub(crate) fn manager_starts_again(&mut self) {
        self.manager.start_fault = false;
        self.manager_checks();
    }

    /// The Management Node's program checks whether its machine would start again.
    fn manager_checks(&mut self) {
        let fault = self.manager.start_fault.then(|| String::from(WHY));
        if self.manager.up && !self.manager.hung && self.fleet().platform.start_fault != fault {
            self.apply_to_platform(Event::ManagerChecked { fault });
        }
    }
}
