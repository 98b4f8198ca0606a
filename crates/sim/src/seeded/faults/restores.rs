//! Worlds in which the Management Node is restored repeatedly, with restarts and starts of runs in between: its state
//! is wrong in a new way before the last error has been corrected.

use fleet::time::{Span, Time};

use crate::seeded::draw::Draw;
use crate::seeded::plan::fault_rates::FaultRates;
use crate::seeded::plan::releases::VERSIONS;
use crate::seeded::plan::step::Action;
use crate::seeded::world::World;
use crate::seeded::world::event_queue::WorldEvent;
use crate::seeded::world::manager::Store;

/// In how many of a thousand seeds.
const SEEDS: u64 = 150;

/// The most steps that follow a restore.
const CHAIN: u64 = 6;

/// The longest pause between two of them, in which a node may or may not report.
const PAUSE: Span = Span::minutes(6);

impl FaultRates {
    /// Makes restores frequent in some of the seeds.
    pub(crate) fn restore_often(&mut self, mut draw: Draw) {
        if !draw.chance(SEEDS) {
            return;
        }
        let mut every = |least, most| Some(draw.span(least, most));
        self.machines.memory_back_every = every(Span::minutes(20), Span::hours(2));
        self.machines.restore_point_every = every(Span::minutes(5), Span::hours(1));
        self.operator.start_every = every(Span::minutes(15), Span::minutes(90));
        self.operator.restart_every = every(Span::minutes(15), Span::hours(2));
        self.machines.restores_in_chain = draw.between(0, CHAIN);
    }
}

impl World {
    /// Schedules what follows a restore, in worlds with frequent restores.
    pub(crate) fn schedule_chain(&mut self, restored_at: Time, mut draw: Draw) {
        let steps = draw.below(self.rates.machines.restores_in_chain + 1);
        let mut at = restored_at;
        for _ in 0..steps {
            let pause = draw.span(Span(1), PAUSE);
            at = at + if draw.chance(500) { pause } else { Span(pause.0 / 20) };
            let action = match draw.below(8) {
                0..3 => Action::Start { version: draw.pick(&VERSIONS).unwrap_or(VERSIONS[1]) },
                3 | 4 => Action::Restart { away: draw.span(Span::seconds(2), Span::seconds(50)) },
                5 | 6 => self.some_restore(&mut draw),
                _ => Action::RestorePoint,
            };
            if let Action::MemoryBack { away, .. } = action {
                self.schedule_interference(at, WorldEvent::Action(action));
                at = at + away;
            } else {
                self.schedule_interference(at, WorldEvent::Action(action));
            }
        }
    }

    /// A restore; where restores are frequent, it may use an earlier restore point than the last.
    pub(crate) fn some_restore(&self, draw: &mut Draw) -> Action {
        let away = draw.span(Span::seconds(20), Span::minutes(20));
        let often = self.rates.machines.restores_in_chain > 0;
        Action::MemoryBack { away, before: if often { draw.below(3) } else { 0 } }
    }

    /// The restore point that is `before` before the last, or the first one.
    pub(crate) fn restore_point(&self, before: u64) -> Option<Store> {
        let points = &self.manager.restore_points;
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        points.get(points.len().saturating_sub(1).saturating_sub(before)).cloned()
    }
}
