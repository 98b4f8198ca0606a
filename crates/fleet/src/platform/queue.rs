//! Takes nodes out of service, as many as there are places (R2, R6), and says when a run is done.

use alloc::vec::Vec;

use super::Fleet;
use crate::fact::Fact;
use crate::node::{Duty, NodeId};
use crate::progress::Progress;
use crate::run::Outcome;
use crate::time::Time;

impl Fleet {
    /// Fills the free places from the queue.
    pub(super) fn fill_places(&mut self, now: Time, facts: &mut Vec<Fact>) {
        while self.has_free_place()
            && let Some(id) = self.nodes.next_in_queue()
        {
            self.take(now, id, facts);
        }
    }

    fn has_free_place(&self) -> bool {
        self.platform.run.as_ref().is_some_and(|run| {
            run.manager_is_done()
                && self.nodes.places().len() < run.policy.nodes_at_once as usize
                && !self.waits_for_first_nodes(run)
        })
    }

    fn take(&mut self, now: Time, id: NodeId, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        let tried = node.progress.tried().unwrap_or_default();
        if node.duty == Duty::Bursting && node.contact.is_lost() {
            let until = now + self.policy().start_limit;
            self.nodes.edit(id, |node| node.woken = true);
            self.enter(now, id, Progress::Starting { tried, since: now, until }, facts);
        } else {
            let next = self.preparing(now, tried);
            self.enter(now, id, next, facts);
        }
    }

    /// Ends the run when nothing is left that it could do. Nodes that cannot be contacted do not hold
    /// it up (R11), save for a grace in which they may turn up.
    pub(super) fn end_if_done(&mut self, now: Time, facts: &mut Vec<Fact>) {
        let working = self.nodes.working() > 0;
        let absent = !self.nodes.absent().is_empty();
        let Some(run) = &mut self.platform.run else { return };
        if !run.manager_is_done() || working {
            run.idle_since = None;
            return;
        }
        let since = *run.idle_since.get_or_insert(now);
        if absent && now < since + run.policy.absent_grace {
            return;
        }
        // One that was registered during the run and has never reported is not known to run it either, nor is
        // each of two machines under one identity.
        let target = run.package.release;
        let complete = self.nodes.iter().all(|(_, node)| node.is_on(target));
        let outcome = if complete { Outcome::Complete } else { Outcome::Incomplete };
        self.end(now, outcome, facts);
    }
}
