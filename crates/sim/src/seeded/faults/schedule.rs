//! Decides when which fault or operator action occurs, and to which node. Each kind has a generator for its times, and
//! each occurrence a generator for its details, so that removing one changes no other. If the steps are written down,
//! nothing is drawn.

use fleet::node::{Duty, NodeId};
use fleet::time::{Span, Time};

use crate::seeded::draw::Draw;
use crate::seeded::plan::kinds::Kind;
use crate::seeded::plan::releases::VERSIONS;
use crate::seeded::plan::step::{Action, Step, Way};
use crate::seeded::world::World;
use crate::seeded::world::copies::identity;
use crate::seeded::world::event_queue::{OperatorAction, RandomFault, WorldEvent};

impl World {
    /// Schedules the first occurrence of every kind, or every step that is written down.
    pub(crate) fn schedule_interferences(&mut self, steps: Option<&[Step]>) {
        if let Some(steps) = steps {
            for Step { at, action } in steps {
                self.schedule_interference(*at, WorldEvent::Action(action.clone()));
            }
            return;
        }
        for (number, fault) in (0..).zip(RandomFault::ALL) {
            self.fault_draws.insert(fault, self.root.child("strike", number));
            self.schedule_fault(fault);
        }
        for (number, act) in (0..).zip(OperatorAction::ALL) {
            self.operator_draws.insert(act, self.root.child("operator", number));
            self.schedule_operator(act);
        }
        // So that nearly every platform has a run from its beginning.
        let first = self.root.child("first start", 0).span(Span::seconds(5), Span::minutes(20));
        self.schedule_interference(self.now + first, WorldEvent::Operator(OperatorAction::Start));
    }

    /// Schedules an event, unless it would occur after everything has healed.
    pub(crate) fn schedule_interference(&mut self, at: Time, event: WorldEvent) {
        if at <= self.heals_at {
            self.queue.push_interference(at, event);
        }
    }

    fn schedule_fault(&mut self, fault: RandomFault) {
        let (machines, links) = (&self.rates.machines, &self.rates.links);
        let every = match fault {
            RandomFault::NodeCrash => machines.crash_every,
            RandomFault::NodeOff => machines.off_every,
            RandomFault::ManagerCrash => machines.manager_crash_every,
            RandomFault::MemoryBack => machines.memory_back_every,
            RandomFault::Cut => links.cut_every,
            RandomFault::Split => links.split_every,
            RandomFault::Blind => machines.blind_every,
            RandomFault::Unfit => machines.unfit_every,
            RandomFault::NodeHang => machines.hang_every,
            RandomFault::ManagerHang => machines.manager_hang_every,
            RandomFault::DiskFull => machines.disk_full_every,
            RandomFault::DiskFails => machines.disk_fails_every,
            RandomFault::ManagerDisk => machines.manager_disk_every,
            RandomFault::NodeClock => machines.clock_jumps_every,
            RandomFault::ManagerClock => machines.manager_clock_jumps_every,
            RandomFault::StartFault => machines.start_fault_every,
            RandomFault::ManagerStartFault => machines.manager_start_fault_every,
            RandomFault::Clone => machines.clone_every,
        };
        if let (Some(every), Some(draw)) = (every, self.fault_draws.get_mut(&fault)) {
            let at = self.now + draw.wait(every);
            self.schedule_interference(at, WorldEvent::RandomFault(fault));
        }
    }

    fn schedule_operator(&mut self, act: OperatorAction) {
        let every = match act {
            OperatorAction::Maintenance => self.rates.operator.maintenance_every,
            OperatorAction::Nodes => self.rates.operator.nodes_every,
            OperatorAction::Change => self.rates.operator.change_every,
            OperatorAction::Start => self.rates.operator.start_every,
            OperatorAction::Restart => self.rates.operator.restart_every,
            OperatorAction::Order => self.rates.operator.order_every,
            // Only in worlds that restore the Management Node.
            OperatorAction::RestorePoint => {
                let machines = &self.rates.machines;
                machines.memory_back_every.and(machines.restore_point_every)
            }
        };
        if let (Some(every), Some(draw)) = (every, self.operator_draws.get_mut(&act)) {
            let at = self.now + draw.wait(every);
            self.schedule_interference(at, WorldEvent::Operator(act));
        }
    }

    /// A random fault is due.
    pub(crate) fn random_fault(&mut self, fault: RandomFault) {
        let number = self.counts.done.of(fault.kind());
        let draw = self.fault_draws.get(&fault).map(|draw| draw.child("deed", number));
        self.schedule_fault(fault);
        let action = draw.and_then(|draw| self.draw_fault(fault, draw));
        if let (Some(Action::MemoryBack { away, .. }), Some(draw)) = (&action, self.fault_draws.get(&fault)) {
            self.schedule_chain(self.now + *away, draw.child("chain", number));
        }
        self.interfere_if_possible(fault.kind(), action);
    }

    /// An operator action is due.
    pub(crate) fn operator(&mut self, act: OperatorAction) {
        let number = self.counts.done.of(act.kind());
        let draw = self.operator_draws.get(&act).map(|draw| draw.child("deed", number));
        self.schedule_operator(act);
        let action = draw.and_then(|draw| self.draw_operator_action(act, number, draw));
        self.interfere_if_possible(act.kind(), action);
    }

    fn interfere_if_possible(&mut self, kind: Kind, action: Option<Action>) {
        match action {
            Some(action) => self.interfere(action),
            None => {
                self.counts.done.note(kind);
                self.counts.impossible.note(kind);
            }
        }
    }

    /// The target and the duration of a fault. None if there is no node.
    fn draw_fault(&self, fault: RandomFault, mut draw: Draw) -> Option<Action> {
        let ids: Vec<NodeId> = self.nodes.keys().copied().collect();
        let (one, lasts) = (draw.pick(&ids), draw.around(self.rates.links.cut_median, 96));
        let by = draw.span(Span(1), self.rates.machines.clock_jumps);
        let way = if draw.chance(500) { Way::Back } else { Way::Ahead };
        let mut away = |least, most| draw.span(least, most);
        Some(match fault {
            RandomFault::NodeCrash => {
                Action::NodeCrash { node: one?, away: away(Span::seconds(5), Span::minutes(3)) }
            }
            RandomFault::NodeOff => {
                Action::NodeOff { node: one?, away: away(Span::minutes(5), Span::hours(4)) }
            }
            RandomFault::ManagerCrash => {
                Action::ManagerCrash { away: away(Span::seconds(5), Span::minutes(8)) }
            }
            RandomFault::MemoryBack => self.some_restore(&mut draw),
            RandomFault::Cut => Action::Cut { node: one?, lasts },
            RandomFault::Split => Action::Split { nodes: some(&ids, &mut draw), lasts },
            RandomFault::Blind => Action::Blind { node: one?, lasts },
            RandomFault::Unfit => Action::Unfit { node: one?, lasts },
            RandomFault::DiskFull => Action::DiskFull { node: one?, lasts },
            RandomFault::DiskFails => Action::DiskFails { node: one?, lasts },
            RandomFault::NodeHang => Action::NodeHang { node: one?, lasts: Span(lasts.0 / 4) },
            RandomFault::ManagerHang => Action::ManagerHang { lasts: Span(lasts.0 / 4) },
            RandomFault::ManagerDisk => Action::ManagerDisk { lasts },
            RandomFault::NodeClock => Action::NodeClock { node: one?, way, by },
            RandomFault::ManagerClock => Action::ManagerClock { way, by },
            RandomFault::StartFault => Action::StartFault { node: one?, lasts },
            RandomFault::ManagerStartFault => Action::ManagerStartFault { lasts },
            RandomFault::Clone => {
                Action::Clone { node: identity(one?), lasts: away(Span::minutes(1), Span::hours(4)) }
            }
        })
    }

    /// What the operator does, and to which node. None if there is no node.
    fn draw_operator_action(&self, act: OperatorAction, number: u64, mut draw: Draw) -> Option<Action> {
        let one = draw.pick(&self.fleet().nodes().ids());
        let (coin, choice) = (draw.chance(600), draw.below(6));
        Some(match act {
            OperatorAction::Maintenance if coin => Action::Hold { node: one?, reason: number + 1 },
            OperatorAction::Maintenance => Action::LetGo { node: one? },
            OperatorAction::Nodes => match one.filter(|_| coin) {
                Some(node) => Action::RemoveNode { node },
                None => self.another_node(choice),
            },
            OperatorAction::Start => Action::Start { version: self.some_version(choice) },
            OperatorAction::Restart => {
                Action::Restart { away: draw.span(Span::seconds(2), Span::seconds(50)) }
            }
            OperatorAction::RestorePoint => Action::RestorePoint,
            // Whatever the run does, so that nothing else decides which one it is.
            OperatorAction::Order => match choice {
                0 => Action::Stop,
                1..4 => Action::Pause,
                _ => Action::Resume,
            },
            OperatorAction::Change if coin => Action::Rename { node: one?, change: number + 1 },
            OperatorAction::Change => Action::MakeDuty { node: one?, duty: self.other_duty(one?) },
        })
    }

    /// A new node with the platform's release, or with the one that it is upgraded from.
    fn another_node(&self, choice: u64) -> Action {
        let platform = &self.fleet().platform;
        let under_way = platform.run.as_ref().map(|run| run.source.version);
        let source = under_way.or(platform.last_run.as_ref().map(|run| run.source.version));
        let version = source.filter(|_| choice == 0).unwrap_or(platform.release.version);
        let duty = if choice == 1 && self.rates.bursting > 0 { Duty::Bursting } else { Duty::AlwaysOn };
        Action::AddNode { node: self.next_id, version, duty }
    }

    /// The version of a package, newer than that of the platform more often than not.
    fn some_version(&self, choice: u64) -> fleet::version::Version {
        let running = self.fleet().platform.release.version;
        match choice {
            0 => running,
            1 | 2 => VERSIONS.into_iter().find(|version| *version > running).unwrap_or(VERSIONS[2]),
            // Any other package: the newest of all, or one that is older than the platform.
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

/// Some of the nodes, from a tenth to nine tenths of them.
fn some(ids: &[NodeId], draw: &mut Draw) -> Vec<NodeId> {
    let part = draw.between(1, 9) * 100;
    ids.iter().copied().filter(|_| draw.chance(part)).collect()
}
