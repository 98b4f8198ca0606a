//! When something interferes with a world, and what. Each kind has a generator of its own for its times, and
//! each time one of its own for what is done then, so that one thing less moves no other. Or all of that is
//! written down, and nothing is drawn.

use fleet::node::{Duty, NodeId};
use fleet::time::{Span, Time};

use super::agenda::{Act, Happening, Strike};
use super::clones::identity;
use super::draw::Draw;
use super::kinds::Kind;
use super::step::{Deed, Step, Way};
use super::world::{VERSIONS, World};

impl World {
    /// Enters the first of every kind, or every step that is written down.
    pub(super) fn enter_interferences(&mut self, steps: Option<&[Step]>) {
        if let Some(steps) = steps {
            for Step { at, deed } in steps {
                self.enter_interference(*at, Happening::Deed(deed.clone()));
            }
            return;
        }
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
        self.enter_interference(self.now + first, Happening::Operator(Act::Start));
    }

    /// What would come after everything has healed does not come.
    pub(super) fn enter_interference(&mut self, at: Time, happening: Happening) {
        if at <= self.heals_at {
            self.agenda.enter_interference(at, happening);
        }
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
            Strike::StartFault => machines.start_fault_every,
            Strike::ManagerStartFault => machines.manager_start_fault_every,
            Strike::Clone => machines.clone_every,
        };
        if let (Some(every), Some(draw)) = (every, self.strikes.get_mut(&strike)) {
            let at = self.now + draw.wait(every);
            self.enter_interference(at, Happening::Strike(strike));
        }
    }

    fn enter_act(&mut self, act: Act) {
        let every = match act {
            Act::Maintenance => self.odds.operator.maintenance_every,
            Act::Nodes => self.odds.operator.nodes_every,
            Act::Change => self.odds.operator.change_every,
            Act::Start => self.odds.operator.start_every,
            Act::Restart => self.odds.operator.restart_every,
            // Where the Management Node is ever restored from one.
            Act::RestorePoint => {
                let machines = &self.odds.machines;
                machines.memory_back_every.and(machines.restore_point_every)
            }
        };
        if let (Some(every), Some(draw)) = (every, self.acts.get_mut(&act)) {
            let at = self.now + draw.wait(every);
            self.enter_interference(at, Happening::Operator(act));
        }
    }

    /// It is time that something goes wrong.
    pub(super) fn strike(&mut self, strike: Strike) {
        let number = self.counts.done.of(strike.kind());
        let draw = self.strikes.get(&strike).map(|draw| draw.child("deed", number));
        self.enter_strike(strike);
        let deed = draw.and_then(|draw| self.draw_strike(strike, draw));
        if let (Some(Deed::MemoryBack { away, .. }), Some(draw)) = (&deed, self.strikes.get(&strike)) {
            self.enter_chain(self.now + *away, draw.child("chain", number));
        }
        self.interfere_if_possible(strike.kind(), deed);
    }

    /// It is time that the operator does something.
    pub(super) fn operator(&mut self, act: Act) {
        let number = self.counts.done.of(act.kind());
        let draw = self.acts.get(&act).map(|draw| draw.child("deed", number));
        self.enter_act(act);
        let deed = draw.and_then(|draw| self.draw_act(act, number, draw));
        self.interfere_if_possible(act.kind(), deed);
    }

    fn interfere_if_possible(&mut self, kind: Kind, deed: Option<Deed>) {
        match deed {
            Some(deed) => self.interfere(deed),
            None => {
                self.counts.done.note(kind);
                self.counts.impossible.note(kind);
            }
        }
    }

    /// Whom a strike hits, and for how long. None when there is nobody.
    fn draw_strike(&self, strike: Strike, mut draw: Draw) -> Option<Deed> {
        let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
        let (one, lasts) = (draw.pick(&ids), draw.around(self.odds.links.cut_median, 96));
        let by = draw.span(Span(1), self.odds.machines.clock_jumps);
        let way = if draw.chance(500) { Way::Back } else { Way::Ahead };
        let mut away = |least, most| draw.span(least, most);
        Some(match strike {
            Strike::NodeCrash => {
                Deed::NodeCrash { node: one?, away: away(Span::seconds(5), Span::minutes(3)) }
            }
            Strike::NodeOff => Deed::NodeOff { node: one?, away: away(Span::minutes(5), Span::hours(4)) },
            Strike::ManagerCrash => Deed::ManagerCrash { away: away(Span::seconds(5), Span::minutes(8)) },
            Strike::MemoryBack => self.some_restore(&mut draw),
            Strike::Cut => Deed::Cut { node: one?, lasts },
            Strike::Split => Deed::Split { nodes: some(&ids, &mut draw), lasts },
            Strike::Blind => Deed::Blind { node: one?, lasts },
            Strike::Unfit => Deed::Unfit { node: one?, lasts },
            Strike::DiskFull => Deed::DiskFull { node: one?, lasts },
            Strike::DiskFails => Deed::DiskFails { node: one?, lasts },
            Strike::NodeHang => Deed::NodeHang { node: one?, lasts: Span(lasts.0 / 4) },
            Strike::ManagerHang => Deed::ManagerHang { lasts: Span(lasts.0 / 4) },
            Strike::ManagerDisk => Deed::ManagerDisk { lasts },
            Strike::NodeClock => Deed::NodeClock { node: one?, way, by },
            Strike::ManagerClock => Deed::ManagerClock { way, by },
            Strike::StartFault => Deed::StartFault { node: one?, lasts },
            Strike::ManagerStartFault => Deed::ManagerStartFault { lasts },
            Strike::Clone => {
                Deed::Clone { node: identity(one?), lasts: away(Span::minutes(1), Span::hours(4)) }
            }
        })
    }

    /// What the operator does, and with which node. None when there is none.
    fn draw_act(&self, act: Act, number: u64, mut draw: Draw) -> Option<Deed> {
        let one = draw.pick(&self.fleet().nodes().ids());
        let (coin, choice) = (draw.chance(600), draw.below(6));
        Some(match act {
            Act::Maintenance if coin => Deed::Hold { node: one?, reason: number + 1 },
            Act::Maintenance => Deed::LetGo { node: one? },
            Act::Nodes => match one.filter(|_| coin) {
                Some(node) => Deed::RemoveNode { node },
                None => self.another_node(choice),
            },
            Act::Start => Deed::Start { version: self.some_version(choice) },
            Act::Restart => Deed::Restart { away: draw.span(Span::seconds(2), Span::seconds(50)) },
            Act::RestorePoint => Deed::RestorePoint,
            Act::Change if coin => Deed::Rename { node: one?, change: number + 1 },
            Act::Change => Deed::MakeDuty { node: one?, duty: self.other_duty(one?) },
        })
    }

    /// A node with what the platform runs, or with what it is upgraded from.
    fn another_node(&self, choice: u64) -> Deed {
        let platform = &self.fleet().platform;
        let under_way = platform.run.as_ref().map(|run| run.source.version);
        let source = under_way.or(platform.last_run.as_ref().map(|run| run.source.version));
        let version = source.filter(|_| choice == 0).unwrap_or(platform.release.version);
        let duty = if choice == 1 && self.odds.bursting > 0 { Duty::Bursting } else { Duty::AlwaysOn };
        Deed::AddNode { node: self.next_id, version, duty }
    }

    /// The version of a package that is new to the platform more often than not.
    fn some_version(&self, choice: u64) -> fleet::version::Version {
        let running = self.fleet().platform.release.version;
        match choice {
            0 => running,
            1 | 2 => VERSIONS.into_iter().find(|version| *version > running).unwrap_or(VERSIONS[2]),
            // Whatever lies about: the newest of all, or one that the platform has left behind.
            3 => VERSIONS[2],
            _ => VERSIONS[0],
        }
    }

    fn other_duty(&self, id: NodeId) -> Duty {
        match self.fleet().nodes().get(id).map(|node| node.duty) {
            Some(Duty::Bursting) => Duty::AlwaysOn,
            Some(Duty::AlwaysOn) | None => Duty::Bursting,
        }
    }
}

/// A part of the nodes, from a tenth to nine tenths of them.
fn some(ids: &[NodeId], draw: &mut Draw) -> Vec<NodeId> {
    let part = draw.between(1, 9) * 100;
    ids.iter().copied().filter(|_| draw.chance(part)).collect()
}
