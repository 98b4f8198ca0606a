//! What interferes with a world: what goes wrong here, what the operator does in its own file.

use fleet::node::NodeId;
use fleet::time::{Span, Time};

use super::agenda::Happening;
use super::clock::Downtime;
use super::kinds::Kind;
use super::machine::{Machine, Trouble};
use super::step::{Deed, Step, Way};
use super::world::World;

impl World {
    /// Something interferes, and is written down as a step.
    pub(super) fn interfere(&mut self, deed: Deed) {
        let step = Step { at: self.now, deed: deed.clone() };
        self.counts.done.note(deed.kind());
        self.journal.line(self.now, || format!("! {deed}"));
        self.steps.push(step);
        match deed {
            Deed::NodeCrash { node, away } | Deed::NodeOff { node, away } => self.crash(node, away, away),
            Deed::ManagerCrash { away } => self.manager_loses_power(away),
            Deed::MemoryBack { away, before } => self.memory_goes_back(away, before),
            Deed::Cut { node, lasts } => self.cut(vec![node], lasts),
            Deed::Split { nodes, lasts } => self.cut(nodes, lasts),
            Deed::Blind { node, lasts } => self.ail(node, lasts, |machine| machine.blind = true),
            Deed::Unfit { node, lasts } => self.ail(node, lasts, |machine| machine.unfit = true),
            Deed::DiskFull { node, lasts } => {
                self.ail(node, lasts, |machine| machine.trouble = Some(Trouble::Full));
            }
            Deed::DiskFails { node, lasts } => {
                self.ail(node, lasts, |machine| machine.trouble = Some(Trouble::Fails));
            }
            Deed::NodeHang { node, lasts } => self.hang(Some(node), lasts),
            Deed::ManagerHang { lasts } => self.hang(None, lasts),
            Deed::ManagerDisk { lasts } => {
                self.manager.disk_fails = true;
                self.agenda.enter(self.now + lasts, Happening::ManagerDiskWell);
            }
            Deed::StartFault { node, lasts } => self.will_not_start(node, lasts),
            Deed::ManagerStartFault { lasts } => self.manager_will_not_start(lasts),
            Deed::Clone { node, lasts } => self.copy(node, lasts),
            Deed::NodeClock { node, way, by } => {
                self.nodes.entry(node).and_modify(|machine| machine.clock.jump(by, way == Way::Back));
            }
            Deed::ManagerClock { way, by } => {
                self.manager.clock.jump(by, way == Way::Back);
                self.manager_clock_set();
            }
            Deed::Hold { .. }
            | Deed::LetGo { .. }
            | Deed::AddNode { .. }
            | Deed::RemoveNode { .. }
            | Deed::Rename { .. }
            | Deed::MakeDuty { .. }
            | Deed::Start { .. }
            | Deed::Restart { .. }
            | Deed::RestorePoint => self.operate(deed),
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

    /// The manager's machine is restored from a copy of it: its memory goes back.
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
        self.agenda.enter(self.now + lasts, Happening::Mend { nodes });
    }

    pub(super) fn mend(&mut self, nodes: &[NodeId]) {
        for id in nodes {
            if let Some(machine) = self.nodes.get_mut(id) {
                machine.cuts = machine.cuts.saturating_sub(1);
            }
        }
    }

    fn ail(&mut self, id: NodeId, lasts: Span, from: impl FnOnce(&mut Machine)) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        from(machine);
        self.agenda.enter(self.now + lasts, Happening::Recover { node: id });
        self.settle_node(id);
    }

    pub(super) fn recover(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.blind = false;
        machine.unfit = false;
        machine.trouble = None;
        machine.start_fault = None;
        self.node_due(id);
    }

    /// A program hangs: what comes to it waits.
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
        self.agenda.enter(self.now + lasts, Happening::Resume { node });
        let broken: Vec<NodeId> = node.map_or_else(|| self.nodes.keys().copied().collect(), |id| vec![id]);
        self.link_breaks(&broken);
    }

    pub(super) fn resume(&mut self, node: Option<NodeId>) {
        match node {
            Some(id) => {
                self.nodes.entry(id).and_modify(|machine| machine.hung = false);
                self.deal_with_what_was_missed();
                self.link_breaks(&[id]);
                self.settle_node(id);
            }
            None => {
                self.manager.hung = false;
                self.deal_with_what_was_missed();
            }
        }
    }
}
