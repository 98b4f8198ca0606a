//! What goes wrong, and what the operator does midway. Each kind has a generator of its own and draws
//! its next time from it.

use fleet::node::{Duty, NodeId};
use fleet::platform::Event;
use fleet::policy::Policy;
use fleet::time::{Span, Time};

use super::agenda::{Act, Happening, Strike};
use super::kinds::Kind;
use super::machine::Trouble;
use super::manager::Told;
use super::world::{VERSIONS, World, installed};
use crate::world::package;

/// How often the manager's machine is copied, where it is ever restored from such a copy.
const RESTORE_POINT_EVERY: Span = Span::minutes(50);

/// The operator is busy with as many nodes at most.
const NODES_AT_MOST: usize = 45;

impl World {
    /// Enters the first of every kind.
    pub(super) fn enter_troubles(&mut self) {
        for (number, strike) in (0..).zip(Strike::ALL) {
            self.strikes.insert(strike, self.root.child("strike", number));
            self.enter_strike(strike);
        }
        for (number, act) in (0..).zip(Act::ALL) {
            self.acts.insert(act, self.root.child("operator", number));
            self.enter_act(act);
        }
        // Nearly every platform sees a run from its beginning.
        let first = self.root.child("first start", 0).span(Span::seconds(5), Span::minutes(20));
        self.agenda.enter(self.now + first, Happening::Operator(Act::Start));
    }

    fn enter_strike(&mut self, strike: Strike) {
        let (machines, links) = (&self.odds.machines, &self.odds.links);
        let every = match strike {
            Strike::NodeCrash => machines.crash_every,
            Strike::NodeOff => machines.off_every,
            Strike::ManagerCrash => machines.manager_crash_every,
            Strike::MemoryBack => machines.memory_back_every,
            Strike::Cut => links.cut_every,
            Strike::Split => links.split_every,
            Strike::Blind => machines.blind_every,
            Strike::Unfit => machines.unfit_every,
            Strike::NodeHang => machines.hang_every,
            Strike::ManagerHang => machines.manager_hang_every,
            Strike::DiskFull => machines.disk_full_every,
            Strike::DiskFails => machines.disk_fails_every,
            Strike::ManagerDisk => machines.manager_disk_every,
            Strike::NodeClock => machines.clock_jumps_every,
            Strike::ManagerClock => machines.manager_clock_jumps_every,
        };
        if let (Some(every), Some(draw)) = (every, self.strikes.get_mut(&strike)) {
            let at = self.now + draw.wait(every);
            self.agenda.enter(at, Happening::Strike(strike));
        }
    }

    fn enter_act(&mut self, act: Act) {
        let every = match act {
            Act::Maintenance => self.odds.operator.maintenance_every,
            Act::Nodes => self.odds.operator.nodes_every,
            Act::Change => self.odds.operator.change_every,
            Act::Start => self.odds.operator.start_every,
            Act::Restart => self.odds.operator.restart_every,
            Act::RestorePoint => self.odds.machines.memory_back_every.map(|_| RESTORE_POINT_EVERY),
        };
        if let (Some(every), Some(draw)) = (every, self.acts.get_mut(&act)) {
            let at = self.now + draw.wait(every);
            self.agenda.enter(at, Happening::Operator(act));
        }
    }

    /// Something goes wrong.
    pub(super) fn strike(&mut self, strike: Strike) {
        if self.healed {
            return;
        }
        self.counts.done.note(strike.kind());
        self.enter_strike(strike);
        let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
        let (cut_median, jumps) = (self.odds.links.cut_median, self.odds.machines.clock_jumps);
        let Some(draw) = self.strikes.get_mut(&strike) else { return };
        let one = draw.pick(&ids);
        let lasts = draw.around(cut_median, 96);
        let part = draw.between(1, 9) * 100;
        let (by, back) = (draw.span(Span(1), jumps), draw.chance(500));
        let some: Vec<NodeId> = ids.iter().copied().filter(|_| draw.chance(part)).collect();
        self.journal.line(self.now, || format!("{strike:?}: {one:?} or {some:?}, {lasts}"));
        match (strike, one) {
            (Strike::NodeCrash, Some(id)) => self.crash(id, Span::seconds(5), Span::minutes(3)),
            (Strike::NodeOff, Some(id)) => self.crash(id, Span::minutes(5), Span::hours(4)),
            (Strike::ManagerCrash, _) => self.manager_loses_power(),
            (Strike::MemoryBack, _) => self.memory_goes_back(),
            (Strike::Cut, Some(id)) => self.cut(vec![id], lasts),
            (Strike::Split, _) => self.cut(some, lasts),
            (Strike::Blind, Some(id)) => self.ail(id, Strike::Blind, lasts),
            (Strike::Unfit, Some(id)) => self.ail(id, Strike::Unfit, lasts),
            (Strike::DiskFull, Some(id)) => self.ail(id, Strike::DiskFull, lasts),
            (Strike::DiskFails, Some(id)) => self.ail(id, Strike::DiskFails, lasts),
            (Strike::NodeHang, Some(id)) => self.hang(Some(id), Span(lasts.0 / 4)),
            (Strike::ManagerHang, _) => self.hang(None, Span(lasts.0 / 4)),
            (Strike::ManagerDisk, _) => {
                self.manager.disk_fails = true;
                self.agenda.enter(self.now + lasts, Happening::ManagerDiskWell);
            }
            (Strike::NodeClock, Some(id)) => {
                self.nodes.entry(id).and_modify(|machine| machine.clock.jump(by, back));
            }
            (Strike::ManagerClock, _) => self.manager.clock.jump(by, back),
            (
                Strike::NodeCrash
                | Strike::NodeOff
                | Strike::Cut
                | Strike::Blind
                | Strike::Unfit
                | Strike::DiskFull
                | Strike::DiskFails
                | Strike::NodeHang
                | Strike::NodeClock,
                None,
            ) => self.counts.impossible.note(strike.kind()),
        }
    }

    fn manager_loses_power(&mut self) {
        if self.manager.up {
            self.manager_ends(Span::seconds(5), Span::minutes(8));
        } else {
            self.counts.impossible.note(Kind::ManagerCrash);
        }
    }

    /// The manager's machine is restored from a copy of it: its memory goes back.
    fn memory_goes_back(&mut self) {
        let Some(store) = self.manager.restore_points.last().cloned() else {
            self.counts.impossible.note(Kind::MemoryBack);
            return;
        };
        self.manager.store = store;
        self.manager.seen = Time::default();
        self.manager.wanted.clear();
        self.manager_ends(Span::seconds(20), Span::minutes(20));
        self.forget();
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

    fn ail(&mut self, id: NodeId, strike: Strike, lasts: Span) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        match strike {
            Strike::Blind => machine.blind = true,
            Strike::Unfit => machine.unfit = true,
            Strike::DiskFull => machine.trouble = Some(Trouble::Full),
            Strike::DiskFails => machine.trouble = Some(Trouble::Fails),
            Strike::NodeCrash
            | Strike::NodeOff
            | Strike::ManagerCrash
            | Strike::MemoryBack
            | Strike::Cut
            | Strike::Split
            | Strike::NodeHang
            | Strike::ManagerHang
            | Strike::ManagerDisk
            | Strike::NodeClock
            | Strike::ManagerClock => {}
        }
        self.agenda.enter(self.now + lasts, Happening::Recover { node: id });
        self.settle_node(id);
    }

    pub(super) fn recover(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.blind = false;
        machine.unfit = false;
        machine.trouble = None;
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

    /// The operator does something.
    pub(super) fn operator(&mut self, act: Act) {
        if self.healed {
            return;
        }
        self.counts.done.note(act.kind());
        if act != Act::Start || self.acts.contains_key(&act) {
            self.enter_act(act);
        }
        if !self.manager.up || self.manager.hung {
            self.counts.impossible.note(act.kind());
            return;
        }
        let ids: Vec<NodeId> = self.fleet().nodes().ids();
        let Some(draw) = self.acts.get_mut(&act) else { return };
        let (one, coin, version) = (draw.pick(&ids), draw.chance(600), draw.below(6));
        match (act, one) {
            (Act::Maintenance, Some(id)) => {
                let operator = coin.then(|| format!("reason {}", self.counts.done.of(Kind::Maintenance)));
                self.operator_holds(id, operator);
            }
            (Act::Nodes, Some(id)) if coin => self.remove_node(id),
            (Act::Nodes, _) => self.add_another(version),
            (Act::Start, _) => {
                self.start_some(version);
            }
            (Act::Restart, _) => self.manager_ends(Span::seconds(2), Span::seconds(50)),
            (Act::RestorePoint, _) => self.manager.restore_points.push(self.manager.store.clone()),
            (Act::Change, Some(id)) => self.change_node(id, coin),
            (Act::Maintenance | Act::Change, None) => self.counts.impossible.note(act.kind()),
        }
    }

    pub(super) fn operator_holds(&mut self, id: NodeId, operator: Option<String>) {
        if self.tell(Event::Maintenance { id, operator }) == Told::Committed {
            self.note_operator(id);
        }
    }

    pub(super) fn remove_node(&mut self, id: NodeId) {
        if self.tell(Event::NodeRemoved { id }) == Told::Committed {
            self.nodes.remove(&id);
            self.forget_node(id);
        }
    }

    /// A node gets another name, and perhaps another duty. One that is always on from now on is switched on.
    fn change_node(&mut self, id: NodeId, renamed: bool) {
        let Some(duty) = self.fleet().nodes().get(id).map(|node| node.duty) else { return };
        let duty = match (renamed, duty) {
            (true, duty) => duty,
            (false, Duty::AlwaysOn) => Duty::Bursting,
            (false, Duty::Bursting) => Duty::AlwaysOn,
        };
        let name = format!("node{id} of change {}", self.counts.done.of(Kind::Change));
        if self.tell(Event::NodeChanged { id, name, duty }) == Told::NotCommitted {
            return;
        }
        self.known(id).made_always_on |= !renamed && duty == Duty::AlwaysOn;
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if duty == Duty::AlwaysOn && !machine.powered {
            machine.powered = true;
            self.boot_after(id, Span::minutes(2));
        }
    }

    /// A node is installed with what the platform runs, or with what it is upgraded from.
    fn add_another(&mut self, coin: u64) {
        if self.nodes.len() >= NODES_AT_MOST {
            self.counts.impossible.note(Kind::Nodes);
            return;
        }
        let platform = &self.fleet().platform;
        let running = platform.release.version;
        let under_way = platform.run.as_ref().map(|run| run.source.version);
        let source = under_way.or(platform.last_run.as_ref().map(|run| run.source.version));
        let version = source.filter(|_| coin == 0).unwrap_or(running);
        let duty = if coin == 1 && self.odds.bursting > 0 { Duty::Bursting } else { Duty::AlwaysOn };
        self.add_node(duty, installed(version));
    }

    /// Presses Start, with a package that is new to the platform more often than not.
    fn start_some(&mut self, draw: u64) {
        let running = self.fleet().platform.release.version;
        let newer = VERSIONS.into_iter().find(|version| *version > running).unwrap_or(VERSIONS[2]);
        let version = match draw {
            0 => running,
            1 | 2 => newer,
            // Whatever lies about: the newest of all, or one that the platform has left behind.
            3 => VERSIONS[2],
            _ => VERSIONS[0],
        };
        if self.press_start(version, self.odds.policy.clone()).is_err() {
            self.counts.refused_starts += 1;
        }
    }

    /// Whether a run was started.
    pub(super) fn press_start(
        &mut self,
        version: fleet::version::Version,
        policy: Policy,
    ) -> Result<(), Vec<fleet::platform::Blocker>> {
        let now = self.manager_now();
        if !self.manager.up || self.manager.disk_fails {
            // The commit of a start fails like any other, and this one is not pressed again.
            self.counts.impossible.note(Kind::Start);
            return Err(Vec::new());
        }
        let before = self.fleet().platform.run.as_ref().map(|run| run.lock);
        let started = self.manager.store.fleet.start(package(version), policy.clone(), now);
        self.journal.line(self.now, || format!("start of {version}: {:?}", started.as_ref().err()));
        let applied = started?;
        self.time_goes_on(now);
        if before == Some(fleet::run::Lock::Held) {
            self.violation("no run is started while another is under way (R10)", format!("{version}"));
        }
        self.manager.store.stamp = self.manager.clock.stamp(self.now);
        self.counts.runs += 1;
        self.note_start(&policy);
        self.manager_acts(applied);
        Ok(())
    }
}
