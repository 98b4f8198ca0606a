//! Takes nodes out of service while places are free (R2, R6), and ends a run that has nothing left to do. Relies on
//! the index of [`crate::nodes`]; how an attempt goes on is in `report`.

use alloc::vec::Vec;

use super::Fleet;
use crate::fact::Fact;
use crate::node::{Contact, Duty, Node, NodeId};
use crate::progress::{Attempt, Phase};
use crate::run::Outcome;
use crate::time::Time;

impl Fleet {
    /// Fills the free places from the queue.
    pub(super) fn fill_places(&mut self, now: Time, facts: &mut Vec<Fact>) {
        while self.has_free_place()
            && let Some(id) = self.next_to_take(now)
        {
            self.take(now, id, facts);
        }
    }

    /// The next node of the queue. A node that could be taken waits for those before it (R5, R7), but for no longer
    /// than a drain may take, whatever those do or report meanwhile.
    fn next_to_take(&mut self, now: Time) -> Option<NodeId> {
        let (next, first) = (self.nodes.next_in_queue(), self.nodes.first_ready());
        let run = self.platform.run.as_mut()?;
        run.held_up_since = match next {
            Some(_) => None,
            None => first.map(|_| run.held_up_since.unwrap_or(now)),
        };
        let waited = run.held_up_since.is_some_and(|since| now >= since + run.policy.drain_limit);
        next.or(first.filter(|_| waited))
    }

    pub(super) fn has_free_place(&self) -> bool {
        self.platform.run.as_ref().is_some_and(|run| {
            run.manager_is_done()
                && run.paused.is_none()
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
            self.enter(now, id, Attempt::enters(now, tried, Phase::Starting { until }), facts);
        } else {
            let next = self.preparing(now, tried);
            self.enter(now, id, next, facts);
        }
    }

    /// Whether a node may still make its first report since this manager started. Until then what is stored of it may
    /// be out of date: the manager may have been restored, and the node upgraded meanwhile.
    fn awaits_first_reports(&self) -> bool {
        let started_at = self.platform.started_at;
        self.nodes.iter().any(|(_, node)| match node.contact {
            Contact::Silent { .. } => node.reported_at < started_at,
            Contact::Never | Contact::Heard | Contact::Lost { .. } => false,
        })
    }

    /// Whether a node has reported since this manager started. A bursting node that is powered off cannot.
    fn is_known(&self, node: &Node) -> bool {
        node.duty == Duty::Bursting || node.reported_at >= self.platform.started_at
    }

    /// Ends the run when it has nothing left to do. It waits for nodes that cannot be contacted only for a grace
    /// period (R11).
    pub(super) fn end_if_done(&mut self, now: Time, facts: &mut Vec<Fact>) {
        let working = self.nodes.working() > 0;
        let absent =
            !self.nodes.absent().is_empty() || self.nodes.iter().any(|(_, node)| !self.is_known(node));
        let awaited = !working && self.awaits_first_reports();
        let Some(run) = &mut self.platform.run else { return };
        if !run.manager_is_done() || working || awaited {
            run.idle_since = None;
            return;
        }
        if run.paused.is_some() && absent {
            // The operator may be about to bring them back.
            run.idle_since = None;
            return;
        }
        let since = *run.idle_since.get_or_insert(now);
        if absent && now < since + run.policy.absent_grace {
            return;
        }
        // Not known to run the release are also a node that was registered during the run and has never reported, two
        // machines under one identity, and an always-on node that has not reported to this manager.
        let target = run.package.release;
        let complete = self.nodes.iter().all(|(_, node)| node.is_on(target) && self.is_known(node));
        let outcome = if complete { Outcome::Complete } else { Outcome::Incomplete };
        self.end(now, outcome, facts);
    }
}
