//! When a run stops by itself (G8): it takes no more nodes when too many of those that it took did not take the
//! release. The run ends then, and whatever can be spared its restart goes back to service.
//!
//! A failure is a node that was taken out of service and did not take the release: it fell back, it could not
//! select the release, or it was not heard again after it had restarted. No failure is a node that could not be
//! reached before it was taken, one that could not stage the package while it served, one whose calls did not
//! clear, or a bursting node that did not start up.

use alloc::vec::Vec;

use super::Fleet;
use crate::fact::Fact;
use crate::node::{Node, NodeId};
use crate::nodes::Results;
use crate::run::{Outcome, Run};
use crate::time::Time;

impl Fleet {
    /// Ends the run when too many attempts have failed, as long as there is a node that is spared by it.
    pub(super) fn stop_if_failing(&mut self, now: Time, facts: &mut Vec<Fact>) {
        let Some(Results { upgraded, failed }) = self.too_many_failures() else { return };
        if self.nodes.iter().any(|(_, node)| node.progress.can_be_spared()) {
            let ended = upgraded.saturating_add(failed);
            self.end(now, Outcome::TooManyFailures { failed, ended }, facts);
        }
    }

    /// The results of the run under way, when too many of them are failures: a number and a share, or all that
    /// were taken when no node is known to run the release.
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

    /// Whether no node is taken before one of those under way has said more of the release: while fewer are
    /// upgraded than are to go first, or while none is known to run it and one has failed.
    pub(crate) fn waits_for_first_nodes(&self, run: &Run) -> bool {
        let Results { upgraded, failed } = self.nodes.results();
        let doubtful = run.policy.stop_at_failures > 0 && failed > 0 && upgraded == 0 && run.on_target == 0;
        let first = run.policy.first_nodes.saturating_sub(upgraded) as usize;
        doubtful || (first > 0 && self.under_way() >= first)
    }

    /// The operator starts another run after one that has stopped.
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
