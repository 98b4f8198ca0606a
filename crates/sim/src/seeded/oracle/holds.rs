//! How long a node is kept in maintenance mode on behalf of a run, by the world's time: a machine's own clock
//! is no witness of itself. It may drift, and while the machine is off it may stand still: what passes then
//! is read from a wall clock that may have been set back, and the time was stored a while before.

use fleet::desired::Owners;
use fleet::observed::Footing;
use fleet::time::{Span, Time};

use super::truth::{Known, Since};
use crate::seeded::world::World;
use crate::seeded::world::clock::drift_of;
use crate::seeded::world::machine::Machine;

/// How late a node may be with a deadline of its own: the agenda counts in milliseconds.
const SLACK: Span = Span::seconds(1);

impl Since {
    /// It has started after a loss of power.
    pub(crate) fn note_power(&mut self, unclocked: Span) {
        self.unclocked = Some(self.unclocked.unwrap_or_default() + unclocked);
    }

    /// Whether a hold is surely not over: by the world's time, or by the node's own after a loss of power, in
    /// which its wall clock may have been set forward.
    fn binds(&self, hold: Span, world: Time, local: Time) -> bool {
        match self.unclocked {
            None => world + drift_of(hold) + Span(1) < self.world + hold,
            Some(_) => local < self.local + hold,
        }
    }

    /// Whether a hold is surely over.
    fn is_over(&self, hold: Span, world: Time) -> bool {
        world > self.world + hold + drift_of(hold) + self.unclocked.unwrap_or_default() + SLACK
    }
}

/// R3: a node takes no calls while the desired state that it accepted last keeps it in maintenance mode.
/// The run's mode binds it for the hold that came with it.
pub(crate) fn refuses_while_held(machine: &Machine, known: &Known, world: &World) -> Option<&'static str> {
    let Owners { operator, run, platform: _ } = &known.accepted.intent.owners;
    let local = machine.clock.shows(world.now);
    let held = !known.rejected_before && run.is_some_and(|hold| known.since.binds(hold, world.now, local));
    (machine.admits() && (operator.is_some() || held))
        .then_some("a node in maintenance mode takes no calls (R3)")
}

/// R8: the run's maintenance mode ends with the hold at the latest, whatever becomes of the run and of
/// the manager, unless the node has selected its new slot.
pub(crate) fn releases_in_time(machine: &Machine, known: &Known, world: &World) -> Option<&'static str> {
    let process = machine.process.as_ref()?;
    let hold = known.accepted.intent.owners.run?;
    // A node that hangs, or cannot make durable that it lets go, takes no calls and harms nobody.
    let able = !machine.hung && machine.disk_fault.is_none() && !process.write_failed;
    let keeps = || {
        let footing = process.agent.observed(Time::default()).footing;
        process.agent.owners().run.is_some() && footing == Footing::Confirmed
    };
    (known.since.is_over(hold, world.now) && able && keeps())
        .then_some("no node is kept in the run's maintenance mode for longer than the hold (R8)")
}
