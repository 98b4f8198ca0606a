//! Judges how long a node is kept in maintenance mode by a run, by the world's time: the machine's own clock may drift,
//! and stand still while the machine is off. The time without power is read from a wall clock that may have been set
//! back, and counts from a time that was stored a while before.

use fleet::desired::Owners;
use fleet::observed::ReleaseState;
use fleet::time::{Span, Time};

use super::truth::{Known, Since};
use crate::seeded::world::World;
use crate::seeded::world::clock::drift_of;
use crate::seeded::world::machine::Machine;

/// How late a node may handle a deadline of its own: the event queue counts in milliseconds.
const SLACK: Span = Span::seconds(1);

impl Since {
    /// Records a start after a loss of power.
    pub(crate) fn note_power(&mut self, unclocked: Span) {
        self.unclocked = Some(self.unclocked.unwrap_or_default() + unclocked);
    }

    /// Whether a hold is certainly not over: by the world's time, or after a loss of power, in which the wall clock may
    /// have been set forward, by the node's own.
    fn binds(&self, hold: Span, world: Time, local: Time) -> bool {
        match self.unclocked {
            None => world + drift_of(hold) + Span(1) < self.world + hold,
            Some(_) => local < self.local + hold,
        }
    }

    /// Whether a hold is certainly over.
    fn is_over(&self, hold: Span, world: Time) -> bool {
        world > self.world + hold + drift_of(hold) + self.unclocked.unwrap_or_default() + SLACK
    }
}

/// R3: a node takes no calls while the desired state that it accepted last keeps it in maintenance mode. The run's
/// mode binds it for the hold that the desired state names.
pub(crate) fn refuses_while_held(machine: &Machine, known: &Known, world: &World) -> Option<&'static str> {
    let Owners { operator, run, platform: _ } = &known.accepted.intent.owners;
    let local = machine.clock.shows(world.now);
    let held = !known.rejected_before && run.is_some_and(|hold| known.since.binds(hold, world.now, local));
    (machine.admits() && (operator.is_some() || held))
        .then_some("a node in maintenance mode takes no calls (R3)")
}

/// R8: the run's maintenance mode ends with the hold at the latest, whatever happens to the run and to the manager,
/// unless the node has selected its new slot.
pub(crate) fn releases_in_time(machine: &Machine, known: &Known, world: &World) -> Option<&'static str> {
    let process = machine.process.as_ref()?;
    let hold = known.accepted.intent.owners.run?;
    // A node that hangs, or cannot make the release of the hold durable, takes no calls and affects no other node.
    let able = !machine.hung && machine.disk_fault.is_none() && !process.write_failed;
    let keeps = || {
        let release_state = process.node.agent().observed(Time::default()).release_state;
        process.node.agent().owners().run.is_some() && release_state == ReleaseState::Confirmed
    };
    (known.since.is_over(hold, world.now) && able && keeps())
        .then_some("no node is kept in the run's maintenance mode for longer than the hold (R8)")
}
