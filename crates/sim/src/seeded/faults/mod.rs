//! Injects the faults of a seeded world and ends them. Every action is recorded as a step, so that it can be replayed.
//! When a fault occurs is decided in `schedule`; what the operator does is in `operator`.

pub(crate) mod schedule;

pub(crate) mod operator;

pub(crate) mod compromised;
pub(crate) mod copies;
pub(crate) mod restores;
pub(crate) mod start_fault;

use fleet::node::NodeId;
use fleet::time::{Span, Time};

use crate::seeded::plan::kinds::Kind;
use crate::seeded::plan::step::{Action, Step, Way};
use crate::seeded::world::World;
use crate::seeded::world::clock::Downtime;
use crate::seeded::world::event_queue::WorldEvent;
use crate::seeded::world::machine::{DiskFault, Machine};

impl World {
    /// Does an action and records it as a step.
    pub(crate) fn interfere(&mut self, action: Action) {
        let step = Step { at: self.now, action: action.clone() };
        self.counts.done.note(action.kind());
        self.journal.line(self.now, || format!("! {action}"));
        self.steps.push(step);
        match action {
            Action::NodeCrash { node, away } | Action::NodeOff { node, away } => self.crash(node, away, away),
            Action::ManagerCrash { away } => self.manager_loses_power(away),
            Action::MemoryBack { away, before } => self.memory_goes_back(away, before),
            Action::Cut { node, lasts } => self.cut(vec![node], lasts),
            Action::Split { nodes, lasts } => self.cut(nodes, lasts),
            Action::Blind { node, lasts } => self.inject_for(node, lasts, |machine| machine.blind = true),
            Action::Unfit { node, lasts } => self.inject_for(node, lasts, |machine| machine.unfit = true),
            Action::DiskFull { node, lasts } => {
                self.inject_for(node, lasts, |machine| machine.disk_fault = Some(DiskFault::Full));
            }
            Action::DiskFails { node, lasts } => {
                self.inject_for(node, lasts, |machine| machine.disk_fault = Some(DiskFault::Fails));
            }
            Action::NodeHang { node, lasts } => self.hang(Some(node), lasts),
            Action::ManagerHang { lasts } => self.hang(None, lasts),
            Action::ManagerDisk { lasts } => {
                self.manager.disk_fails = true;
                self.queue.push(self.now + lasts, WorldEvent::ManagerDiskRecovers);
            }
            Action::StartFault { node, lasts } => self.will_not_start(node, lasts),
            Action::ManagerStartFault { lasts } => self.manager_will_not_start(lasts),
            Action::Clone { node, lasts } => self.copy(node, lasts),
            Action::NodeClock { node, way, by } => {
                self.nodes.entry(node).and_modify(|machine| machine.clock.jump(by, way == Way::Back));
            }
            Action::ManagerClock { way, by } => {
                self.manager.clock.jump(by, way == Way::Back);
                self.manager_clock_set();
            }
            Action::Hold { .. }
            | Action::LetGo { .. }
            | Action::AddNode { .. }
            | Action::RemoveNode { .. }
            | Action::Rename { .. }
            | Action::MakeDuty { .. }
            | Action::Start { .. }
            | Action::Restart { .. }
            | Action::RestorePoint
            | Action::Pause
            | Action::Resume
            | Action::Stop => self.operate(action),
        }
    }

    fn manager_loses_power(&mut self, away: Span) {
        if self.manager.up {
            self.manager.downtime = Downtime::Machine;
            self.manager_ends(away, away);
        } else {
            self.counts.impossible.note(Kind::ManagerCrash);
        }
    }

    /// Restores the manager's machine from a restore point: its state goes back.
    fn memory_goes_back(&mut self, away: Span, before: u64) {
        let Some(store) = self.restore_point(before) else {
            self.counts.impossible.note(Kind::MemoryBack);
            return;
        };
        let epoch = self.fleet().platform.epoch;
        self.manager.store = store;
        self.manager.seen = Time::default();
        self.manager.wanted.clear();
        self.manager.downtime = Downtime::Machine;
        self.manager_ends(away, away);
        self.forget(epoch);
    }

    fn cut(&mut self, nodes: Vec<NodeId>, lasts: Span) {
        for id in &nodes {
            if let Some(machine) = self.nodes.get_mut(id) {
                machine.cuts += 1;
            }
        }
        self.link_breaks(&nodes);
        self.queue.push(self.now + lasts, WorldEvent::CutEnds { nodes });
    }

    pub(crate) fn end_cut(&mut self, nodes: &[NodeId]) {
        for id in nodes {
            if let Some(machine) = self.nodes.get_mut(id) {
                machine.cuts = machine.cuts.saturating_sub(1);
            }
        }
    }

    fn inject_for(&mut self, id: NodeId, lasts: Span, from: impl FnOnce(&mut Machine)) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        from(machine);
        self.queue.push(self.now + lasts, WorldEvent::Recover { node: id });
        self.settle_node(id);
    }

    pub(crate) fn recover(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.blind = false;
        machine.unfit = false;
        machine.disk_fault = None;
        machine.start_fault = None;
        self.node_due(id);
    }

    /// A program hangs: its events wait.
    fn hang(&mut self, node: Option<NodeId>, lasts: Span) {
        let program = match node.and_then(|id| self.nodes.get_mut(&id)) {
            Some(machine) => machine.process.is_some().then_some(&mut machine.hung),
            None => (node.is_none() && self.manager.up).then_some(&mut self.manager.hung),
        };
        let Some(hung) = program else {
            let kind = if node.is_some() { Kind::NodeHang } else { Kind::ManagerHang };
            return self.counts.impossible.note(kind);
        };
        *hung = true;
        self.queue.push(self.now + lasts, WorldEvent::Resume { node });
        let broken: Vec<NodeId> = node.map_or_else(|| self.nodes.keys().copied().collect(), |id| vec![id]);
        self.link_breaks(&broken);
    }

    pub(crate) fn resume(&mut self, node: Option<NodeId>) {
        match node {
            Some(id) => {
                self.nodes.entry(id).and_modify(|machine| machine.hung = false);
                self.handle_missed_events();
                self.link_breaks(&[id]);
                self.settle_node(id);
            }
            None => {
                self.manager.hung = false;
                self.handle_missed_events();
            }
        }
    }
}
