//! Stops a run by itself when too many of the nodes that it took have failed (G8). The run ends, and every node that
//! has not begun to restart goes back to service. Relies on the results that `report` records of each attempt.
//!
//! A failure is a node that was taken out of service and did not take the release: it fell back, it could not
//! select the release, or it did not report again after it had restarted. A node that could not be reached before it
//! was taken, one that could not stage the package while in service, one whose calls did not clear, and a bursting
//! node that did not start up are not counted.

use alloc::vec::Vec;

use super::Fleet;
use crate::fact::Fact;
use crate::node::{Node, NodeId};
use crate::nodes::Results;
use crate::run::{Outcome, Run};
use crate::time::Time;

impl Fleet {
    /// Ends the run when too many attempts have failed, if that keeps at least one node from its restart.
    pub(super) fn stop_if_failing(&mut self, now: Time, facts: &mut Vec<Fact>) {
        let Some(Results { upgraded, failed }) = self.too_many_failures() else { return };
        if self.nodes.iter().any(|(_, node)| node.progress.can_be_spared()) {
            let ended = upgraded.saturating_add(failed);
            self.end(now, Outcome::TooManyFailures { failed, ended }, facts);
        }
    }

    /// The results of the run under way, if too many of them are failures: both the number and the share of the
    /// policy, or all nodes that were taken if no node is known to run the release.
    fn too_many_failures(&self) -> Option<Results> {
        let run = self.platform.run.as_ref().filter(|run| run.manager_is_done())?;
        let results = self.nodes.results();
        let (limit, percent) = (run.policy.stop_at_failures, run.policy.stop_at_failure_percent);
        if limit == 0 || results.failed == 0 {
            return None;
        }
        let upgraded = u64::from(results.upgraded) + u64::from(run.on_target);
        let failed = u64::from(results.failed);
        let many = results.failed >= limit && failed * 100 >= u64::from(percent) * (failed + upgraded);
        let all = upgraded == 0 && self.under_way() == 0;
        (many || all).then_some(results)
    }

    /// Whether no node is taken before an attempt that is under way has ended: while fewer nodes are upgraded than
    /// are to go first, or while no node is known to run the release and one has failed.
    pub(crate) fn waits_for_first_nodes(&self, run: &Run) -> bool {
        let Results { upgraded, failed } = self.nodes.results();
        let doubtful = run.policy.stop_at_failures > 0 && failed > 0 && upgraded == 0 && run.on_target == 0;
        let first = run.policy.first_nodes.saturating_sub(upgraded) as usize;
        doubtful || (first > 0 && self.under_way() >= first)
    }

    /// Ends the alarm of a run that has stopped by itself: the operator starts another run.
    pub(super) fn lower_stop(&self, facts: &mut Vec<Fact>) {
        if let Some(last) = &self.platform.last_run
            && let Outcome::TooManyFailures { .. } = last.outcome
        {
            facts.push(Fact::FailureStopOver { run: last.id });
        }
    }

    /// How many attempts are under way.
    pub(crate) fn under_way(&self) -> usize {
        let is_under_way =
            |id: &&NodeId| self.nodes.get(**id).is_some_and(|node: &Node| node.progress.is_under_way());
        self.nodes.places().iter().filter(is_under_way).count()
    }
}
