//! What goes wrong, and what the operator does midway. Each kind has a generator of its own and draws
//! its next time from it.

use fleet::node::{Duty, NodeId};
use fleet::platform::Event;
use fleet::policy::Policy;
use fleet::time::Span;

use super::agenda::{Act, Happening, Strike};
use super::world::{VERSIONS, World, installed};
use crate::world::package;

/// How often the manager's machine is copied, where it is ever restored from such a copy.
const RESTORE_POINT_EVERY: Span = Span::minutes(50);

/// The operator is busy with as many nodes at most.
const NODES_AT_MOST: usize = 45;

impl World {
    /// Enters the first of every kind.
    pub(super) fn enter_troubles(&mut self) {
        for (number, strike) in (0..).zip([
            Strike::NodeCrash,
            Strike::NodeOff,
            Strike::ManagerCrash,
            Strike::MemoryBack,
            Strike::Cut,
            Strike::Split,
            Strike::Blind,
            Strike::Unfit,
        ]) {
            self.strikes.insert(strike, self.root.child("strike", number));
            self.enter_strike(strike);
        }
        for (number, act) in
            (0..).zip([Act::Maintenance, Act::Nodes, Act::Start, Act::Restart, Act::RestorePoint])
        {
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
        self.counts.strikes += 1;
        self.enter_strike(strike);
        let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
        let cut_median = self.odds.links.cut_median;
        let Some(draw) = self.strikes.get_mut(&strike) else { return };
        let one = draw.pick(&ids);
        let lasts = draw.around(cut_median, 24);
        let part = draw.between(1, 9) * 100;
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
            (Strike::NodeCrash | Strike::NodeOff | Strike::Cut | Strike::Blind | Strike::Unfit, None) => {
                self.counts.impossible += 1
            }
        }
    }

    fn manager_loses_power(&mut self) {
        if self.manager.up {
            self.manager_ends(Span::seconds(5), Span::minutes(8));
        } else {
            self.counts.impossible += 1;
        }
    }

    /// The manager's machine is restored from a copy of it: its memory goes back.
    fn memory_goes_back(&mut self) {
        let Some(store) = self.manager.restore_points.last().cloned() else {
            self.counts.impossible += 1;
            return;
        };
        self.manager.store = store;
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
            Strike::NodeCrash
            | Strike::NodeOff
            | Strike::ManagerCrash
            | Strike::MemoryBack
            | Strike::Cut
            | Strike::Split => {}
        }
        self.agenda.enter(self.now + lasts, Happening::Recover { node: id });
        self.settle_node(id);
    }

    pub(super) fn recover(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.blind = false;
        machine.unfit = false;
        self.settle_node(id);
    }

    /// The operator does something.
    pub(super) fn operator(&mut self, act: Act) {
        if self.healed {
            return;
        }
        self.counts.acts += 1;
        if act != Act::Start || self.acts.contains_key(&act) {
            self.enter_act(act);
        }
        if !self.manager.up {
            self.counts.impossible += 1;
            return;
        }
        let ids: Vec<NodeId> = self.fleet().nodes().ids();
        let Some(draw) = self.acts.get_mut(&act) else { return };
        let (one, coin, version) = (draw.pick(&ids), draw.chance(600), draw.below(3));
        match (act, one) {
            (Act::Maintenance, Some(id)) => {
                let operator = coin.then(|| format!("reason {}", self.counts.acts));
                self.operator_holds(id, operator);
            }
            (Act::Nodes, Some(id)) if coin => self.remove_node(id),
            (Act::Nodes, _) => self.add_another(version),
            (Act::Start, _) => {
                self.start_some(version);
            }
            (Act::Restart, _) => self.manager_ends(Span::seconds(2), Span::seconds(50)),
            (Act::RestorePoint, _) => self.manager.restore_points.push(self.manager.store.clone()),
            (Act::Maintenance, None) => self.counts.impossible += 1,
        }
    }

    pub(super) fn operator_holds(&mut self, id: NodeId, operator: Option<String>) {
        self.tell(Event::Maintenance { id, operator });
        self.note_operator(id);
    }

    fn remove_node(&mut self, id: NodeId) {
        self.tell(Event::NodeRemoved { id });
        self.nodes.remove(&id);
        self.forget_node(id);
    }

    /// A node is installed with what the platform runs, or with what it is upgraded from.
    fn add_another(&mut self, coin: u64) {
        if self.nodes.len() >= NODES_AT_MOST {
            self.counts.impossible += 1;
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
        let version = if draw == 0 { running } else { newer };
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
        let before = self.fleet().platform.run.as_ref().map(|run| run.lock);
        let started = self.manager.store.fleet.start(package(version), policy.clone(), now);
        self.journal.line(self.now, || format!("start of {version}: {:?}", started.as_ref().err()));
        let applied = started?;
        if before == Some(fleet::run::Lock::Held) {
            self.violation("no run is started while another is under way (R10)", format!("{version}"));
        }
        self.counts.runs += 1;
        self.note_start(&policy);
        self.manager_acts(applied);
        Ok(())
    }
}
