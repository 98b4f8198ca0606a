//! Judges that a run stops at its failure threshold, and which nodes it may take. Failures are counted from the facts
//! and compared with what the machines really run: upgraded nodes are known here before the platform knows them, and
//! failures after it.

use std::collections::BTreeSet;

use fleet::node::{Node, NodeId};
use fleet::observed::{Observed, ReleaseState};
use fleet::policy::Policy;
use fleet::progress::{AttemptResult, Failure, Phase};
use fleet::version::Release;

use super::attempts::{Attempt, DOUBT, Stop};
use super::truth::Known;
use crate::seeded::world::World;
use crate::seeded::world::copies::identity;

const PAUSED: &str = "no node is taken while the run is paused (G9)";
const STOPS: &str = "no node is taken after too many have failed (G8)";
const STALE: &str = "a rejection in an earlier run is none in this one (R9, R24)";
const ON_TARGET: &str = "a node that runs the release of the run is not taken (R9)";

impl World {
    /// A run begins: the outcomes of an earlier one do not count.
    pub(crate) fn note_stop(&mut self, policy: &Policy) {
        self.truth.stop = Stop::of(policy);
        let started = |known: &mut Known| (known.attempt, known.rejected) = (Attempt::None, false);
        self.truth.nodes.values_mut().for_each(started);
        let (fleet, reached) = (&self.manager.store.fleet, &mut self.counts.reached);
        let Some(run) = &fleet.platform.run else { return };
        let mixed = fleet.nodes().iter().any(|(_, node)| {
            node.observed.as_ref().is_some_and(|observed| observed.release != fleet.platform.release)
        });
        reached.from_mixture += u64::from(mixed);
        reached.on_target += u64::from(mixed && run.on_target > 0);
    }

    /// A node that is taken does not run the release yet, and not too many have failed before.
    pub(crate) fn check_taken(&mut self, id: NodeId) {
        if self.is_compromised(id) {
            return;
        }
        if self.truth.paused {
            self.violation(PAUSED, format!("node{id}"));
        }
        let Some(run) = &self.fleet().platform.run else { return };
        let (target, on_target) = (run.package.release, u64::from(run.on_target));
        let Some(node) = self.fleet().nodes().get(id) else { return };
        let newest = self.truth.nodes.get(&id).and_then(|known| known.newest.as_ref());
        // A bursting node that went to rest before it received its desired state is powered on again: its last report
        // may be of a time before a restore.
        let powered_on = matches!(node.progress.phase(), Some(Phase::Starting { .. }));
        let heard = |newest: &Observed| !powered_on || newest.generation == node.generation;
        if newest.is_some_and(|newest| {
            newest.release == target && newest.release_state == ReleaseState::Confirmed && heard(newest)
        }) {
            self.violation(ON_TARGET, format!("node{id}"));
        }
        let Stop { failures, percent } = self.truth.stop;
        let (failed, upgraded) = self.attempts(target);
        let upgraded = upgraded + on_target;
        if failures == 0 || failed == 0 {
            return;
        }
        let subject = || format!("node{id} after {failed} failures, {upgraded} upgraded");
        if upgraded == 0 {
            self.violation(DOUBT, subject());
        }
        if failed >= failures && failed * 100 >= percent * (failed + upgraded) {
            self.violation(STOPS, subject());
        }
    }

    /// How many nodes have failed in this run and do not run its release, and how many machines run it. A compromised
    /// node counts among these: only its own reports say what it runs.
    fn attempts(&self, target: Release) -> (u64, u64) {
        // After a restore of the manager, a node may be ahead.
        let is_on = |runs: Release| runs == target || (self.truth.amnesia && runs > target);
        let runs = |id: &NodeId| self.nodes.get(id).is_some_and(|machine| is_on(machine.disk.confirmed.0));
        let failed = |(id, known): &(&NodeId, &Known)| {
            known.attempt == Attempt::Failed
                && !runs(id)
                && !self.is_compromised(**id)
                && self.fleet().nodes().get(**id).is_some()
        };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let upgraded: BTreeSet<NodeId> = self
            .nodes
            .keys()
            .filter(|id| runs(id) || self.is_compromised(**id))
            .map(|id| identity(*id))
            .collect();
        // A restored Management Node still counts nodes that were removed since.
        let is_gone = |(id, node): &(NodeId, &Node)| {
            node.result == Some(AttemptResult::Upgraded) && !self.nodes.contains_key(id)
        };
        let gone = self.fleet().nodes().iter().filter(is_gone).count();
        (count(self.truth.nodes.iter().filter(failed).count()), count(upgraded.len() + gone))
    }

    /// A rejection that counts as a failure was made in the run in progress, not in an earlier one that was lost.
    pub(crate) fn check_rejection(&mut self, id: NodeId, why: &Failure) {
        // Either machine of a copied node may have reported it.
        let known = |machine| self.truth.nodes.get(&machine);
        let rejected = self.machines_of(id).filter_map(known).any(|known| known.rejected);
        let stale = matches!(why, Failure::Rejected(_)) && !rejected && self.fleet().platform.run.is_some();
        if stale && !self.is_compromised(id) {
            self.violation(STALE, format!("node{id}: {why}"));
        }
    }

    /// R20: a confirmed release is never replaced by an older one, nor by itself.
    pub(crate) fn check_direction(&mut self, id: NodeId, into: Release) {
        let Some(machine) = self.nodes.get(&id) else { return };
        let runs = machine.disk.confirmed.0;
        if into <= runs {
            self.violation(
                "no node restarts into a release that is not later (R20)",
                format!("node{id}: {runs} to {into}"),
            );
        }
    }
}
