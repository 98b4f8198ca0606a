//! What the operator orders a run to do: pause, go on, stop. An order for another run than the one under way has no effect,
//! however late it comes.

use alloc::vec::Vec;

use super::Fleet;
use crate::desired::RunId;
use crate::fact::Fact;
use crate::run::{Order, Outcome, Pause, Run};
use crate::time::Time;

impl Fleet {
    /// Takes no further node until the run is resumed. Attempts under way go on.
    pub(super) fn pause(&mut self, now: Time, run: RunId, order: Order, facts: &mut Vec<Fact>) {
        let Some(run) = self.ordered(run).filter(|run| run.paused.is_none()) else { return };
        facts.push(Fact::RunPaused { run: run.id, order: order.clone() });
        run.paused = Some(Pause { since: now, order });
        // No node holds up others while none is taken.
        run.held_up_since = None;
    }

    /// Goes on with a paused run.
    pub(super) fn resume(&mut self, run: RunId, order: Order, facts: &mut Vec<Fact>) {
        let Some(run) = self.ordered(run).filter(|run| run.paused.is_some()) else { return };
        facts.push(Fact::RunResumed { run: run.id, order });
        run.paused = None;
    }

    /// Ends the run as its limit would (R8).
    pub(super) fn stop(&mut self, now: Time, run: RunId, order: Order, facts: &mut Vec<Fact>) {
        if self.ordered(run).is_some_and(|run| run.can_be_stopped()) {
            self.end(now, Outcome::Stopped { order }, facts);
        }
    }

    fn ordered(&mut self, ordered: RunId) -> Option<&mut Run> {
        self.platform.run.as_mut().filter(|run| run.id == ordered)
    }
}
