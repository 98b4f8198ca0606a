//! The end of a run, and the invariants whose violation halts it. When a run ends is decided in `queue`, `failures`
//! and `overdue`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Fleet;
use crate::fact::Fact;
use crate::node::{Duty, NodeId};
use crate::progress::{Attempt, Ending, Failure, Phase, Progress};
use crate::run::{EndedRun, Outcome, Run};
use crate::time::Time;

impl Fleet {
    /// Ends the run: no attempt begins any more, draining nodes are released, nodes that have selected their new slot
    /// finish or fall back, and keep their place until they report (R8).
    pub(super) fn end(&mut self, now: Time, outcome: Outcome, facts: &mut Vec<Fact>) {
        let Some(run) = self.platform.run.take() else { return };
        let nodes_had_their_turn = run.manager_is_done();
        for id in self.nodes.ids() {
            self.let_go(now, id, nodes_had_their_turn, facts);
        }
        facts.push(Fact::RunEnded { run: run.id, outcome: outcome.clone() });
        self.platform.last_run = Some(EndedRun {
            id: run.id,
            package: run.package,
            source: run.source,
            started_at: run.started_at,
            ended_at: now,
            outcome,
            tag: run.tag,
            sources: run.sources,
        });
    }

    fn let_go(&mut self, now: Time, id: NodeId, had_its_turn: bool, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        let duplicate = had_its_turn && node.duplicate().is_some();
        let unreachable = had_its_turn && node.contact.is_lost() && node.duty == Duty::AlwaysOn;
        let next = match &node.progress {
            Progress::Pending { .. } if duplicate => Progress::Failed { why: Failure::Duplicate, at: now },
            Progress::Pending { .. } if unreachable => {
                Progress::Failed { why: Failure::Unreachable, at: now }
            }
            Progress::Pending { .. } => Progress::Idle,
            Progress::Attempt(Attempt { tried, phase, .. }) => match phase {
                Phase::Starting { .. } => Progress::Idle,
                Phase::Preparing { .. } | Phase::Draining { .. } | Phase::Installing { .. } => {
                    Attempt::releasing(now, *tried, Ending::Stopped)
                }
                Phase::Rebooting { .. } | Phase::Releasing { .. } => return,
            },
            Progress::Idle | Progress::Upgraded { .. } | Progress::Failed { .. } => return,
        };
        self.enter(now, id, next, facts);
    }

    /// The invariants that are checked after every event because that costs nothing. A violation is a bug in this
    /// program: the run halts, and calls are not touched.
    pub(super) fn broken_promise(&self) -> Option<String> {
        self.overfull().or_else(|| self.too_early())
    }

    /// More nodes out of service on behalf of the run than its policy allows (R2, R6).
    pub(crate) fn overfull(&self) -> Option<String> {
        let limit = self.platform.run.as_ref()?.policy.nodes_at_once;
        // Nearly always all places together are few enough, whichever run they are of.
        if self.nodes.places().len() <= limit as usize {
            return None;
        }
        let taken = self.places_of_this_run();
        (taken > limit as usize)
            .then(|| format!("{taken} nodes are out of service on behalf of the run, {limit} are allowed"))
    }

    /// A node out of service before the Management Node runs the release (R1).
    pub(crate) fn too_early(&self) -> Option<String> {
        let early = !self.platform.run.as_ref()?.manager_is_done() && self.places_of_this_run() > 0;
        early.then(|| String::from("a node was touched before the Management Node was upgraded"))
    }

    fn places_of_this_run(&self) -> usize {
        let run = self.platform.run.as_ref().map(Run::name);
        let assigned = |id: &NodeId| self.nodes.get(*id).and_then(|node| node.assigned);
        self.nodes.places().iter().filter_map(assigned).filter(|assigned| Some(assigned.run) == run).count()
    }
}
