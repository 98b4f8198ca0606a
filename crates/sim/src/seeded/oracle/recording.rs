//! Records the truth from events, facts and reports as they occur, and calls the checks that belong to a fact. It
//! changes nothing of the world itself.

use fleet::fact::{Fact, NodeFact};
use fleet::node::{NodeId, Power};
use fleet::observed::Observed;
use fleet::platform::{Applied, Event};
use fleet::policy::Policy;
use fleet::progress::Phase;
use fleet::run::{Outcome, Run};
use fleet::time::{Span, Time};
use fleet::version::Release;

use super::attempts::{Attempt, Stop};
use super::history::History;
use super::truth::{Known, Since, Watch};
use crate::seeded::canary::Canary;
use crate::seeded::world::World;
use crate::seeded::world::copies::is_copy;

const AGREE: &str = "facts and state agree";

impl World {
    pub(crate) fn known(&mut self, id: NodeId) -> &mut Known {
        self.truth.nodes.entry(id).or_default()
    }

    pub(crate) fn watch(&mut self, id: NodeId) -> &mut Watch {
        self.truth.watches.entry(id).or_default()
    }

    pub(crate) fn note_start(&mut self, policy: &Policy) {
        self.truth.limit = policy.nodes_at_once;
        self.note_stop(policy);
        self.truth.nodes.values_mut().for_each(|known| (known.timeouts, known.starting) = (0, false));
    }

    /// A node starts and acts on what is on its disk, perhaps on a desired state that it could not acknowledge before.
    pub(crate) fn note_boot(&mut self, id: NodeId, unclocked: Option<Span>) {
        let Some(machine) = self.nodes.get(&id) else { return };
        let (state, world) = (machine.disk.persistent_state.clone(), self.now);
        let shows = machine.clock.shows(world);
        let altered = self.canary.is_some_and(Canary::alters_persistent_state);
        let known = self.known(id);
        if let Some(unclocked) = unclocked {
            known.since.note_power(unclocked);
        }
        if !altered && state.accepted.generation > known.accepted.generation {
            // The hold counts from the write, not from the start.
            let began = state.held_until.zip(state.accepted.intent.owners.run);
            let local = began.map_or(shows, |(until, hold)| Time(until.0.saturating_sub(hold.0)));
            known.since = Since { world, local, unclocked: Some(Span::ZERO) };
            known.rejected_before = state.let_go && state.rejected.is_some();
            known.accepted = state.accepted;
        }
    }

    pub(crate) fn note_operator(&mut self, id: NodeId) {
        let node = self.fleet().nodes().get(id);
        let since = node.filter(|node| node.operator_maintenance.is_some()).map(|node| node.generation);
        let machines: Vec<NodeId> = self.machines_of(id).collect();
        for machine in machines {
            let known = self.known(machine);
            // A new reason changes the desired state, but the maintenance mode continues.
            known.operator_since = since.map(|since| known.operator_since.unwrap_or(since));
        }
    }

    /// Whether the report that the manager holds of a node was made before the last restore, however late it came.
    pub(crate) fn is_unheard_since_a_restore(&self, id: NodeId) -> bool {
        let held = self.fleet().nodes().get(id).and_then(|node| node.observed.as_ref());
        let before = self.truth.said_before.get(&id);
        before.is_some_and(|before| held.is_none_or(|held| held.at <= *before))
    }

    /// Records whether a node has waited for others in the queue for a drain limit, before an event.
    pub(crate) fn note_hold_up(&mut self, now: Time) {
        let run = self.manager.store.fleet.platform.run.as_ref();
        let until = run.and_then(|run| run.held_up_since.map(|since| since + run.policy.drain_limit));
        self.truth.held_up = until.is_some_and(|until| until <= now);
    }

    pub(crate) fn forget_node(&mut self, id: NodeId) {
        self.truth.nodes.remove(&id);
        self.truth.watches.remove(&id);
    }

    fn count_outcome(&mut self, outcome: &Outcome) {
        let reached = &mut self.counts.reached;
        match outcome {
            Outcome::Complete => reached.complete += 1,
            Outcome::Incomplete => reached.incomplete += 1,
            Outcome::LimitReached => reached.limit += 1,
            Outcome::TooManyFailures { .. } => reached.stopped += 1,
            Outcome::Stopped { .. } => reached.stopped_by_operator += 1,
            Outcome::ManagerFellBack { .. } | Outcome::ManagerRejected { .. } => {
                reached.manager_fell_back += 1
            }
            Outcome::Replaced => reached.replaced += 1,
            Outcome::Halted { .. } => {}
        }
    }

    /// The manager is restored and loses everything since the restore point, the operator's requests included; `epoch`
    /// is the last one before the restore.
    pub(crate) fn forget(&mut self, epoch: u32) {
        self.truth.amnesia = true;
        self.truth.said_before = self.nodes.iter().map(|(id, machine)| (*id, machine.last_at())).collect();
        self.forget_processes(None);
        self.counts.reached.memory_back += 1;
        let run = self.fleet().platform.run.as_ref().map(Run::name);
        let policy = self.fleet().platform.run.as_ref().map(|run| run.policy.clone());
        self.truth.limit = policy.as_ref().map_or(0, |policy| policy.nodes_at_once);
        self.truth.stop = policy.as_ref().map(Stop::of).unwrap_or_default();
        self.truth.paused = self.fleet().platform.run.as_ref().is_some_and(|run| run.paused.is_some());
        let machines =
            |id| std::iter::once(id).chain(self.machines_of(id).filter(|machine| is_copy(*machine)));
        let nodes = self.fleet().nodes().iter();
        let records: Vec<_> =
            nodes.flat_map(|(id, node)| machines(id).map(|machine| (machine, node.clone()))).collect();
        let mut before = std::mem::take(&mut self.truth.nodes);
        for (id, node) in records {
            let mut known = before.remove(&id).unwrap_or_default();
            known.forgotten |= known.accepted.generation > node.generation;
            // Of several restores the latest lost epoch counts.
            let latest = known.lost.map_or(epoch, |(_, before)| before.max(epoch));
            known.lost = Some((node.generation, latest));
            known.operator_since = node.operator_maintenance.is_some().then_some(node.generation);
            known.upgraded_to = None;
            // An attempt that began with the start of a machine continues (R7).
            known.starting = matches!(node.progress.phase(), Some(Phase::Starting { .. }));
            // The tries of a replaced run do not count for the run in progress.
            let of_this_run = run.is_some_and(|run| node.assigned.is_some_and(|of| of.run == run));
            known.attempt = Attempt::remembered(&node, of_this_run);
            known.rejected = true;
            known.newest = node.observed;
            known.timeouts = node.progress.tried().filter(|_| of_this_run).unwrap_or_default();
            self.truth.nodes.insert(id, known);
        }
        self.truth.watches.retain(|id, _| self.truth.nodes.contains_key(id));
        self.read_anew();
        // Nodes that the manager no longer knows are not judged any more.
        self.nodes.retain(|id, _| self.truth.nodes.contains_key(id));
    }

    pub(crate) fn note_report(&mut self, id: NodeId, observed: &Observed) {
        // No generation can be issued above the highest epoch, so such a report is dropped.
        if observed.generation.epoch == u32::MAX {
            return;
        }
        let (now, believed) = (self.now, self.fleet().believes(id, self.manager_now(), observed));
        self.watch(id).heard = now;
        let known = self.known(id);
        // The report shows only that the node is in touch: it is of the other machine, or as the last one.
        if !believed || (known.heard && known.newest.as_ref().is_some_and(|it| observed.says_the_same_as(it)))
        {
            known.heard = true;
            return;
        }
        if known.newest.as_ref().is_none_or(|newest| newest.at <= observed.at) {
            known.newest = Some(observed.clone());
            known.heard = true;
        }
    }

    /// Records that nodes fell silent: one whose link is down, or all at a start of the manager.
    pub(crate) fn note_silence(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::LinkDown { id } => self.truth.falls_silent(*id, now),
            Event::ManagerStarted { .. } => {
                let everybody: Vec<NodeId> = self.truth.nodes.keys().copied().collect();
                for id in everybody {
                    self.known(id).heard = true;
                    self.truth.falls_silent(id, now);
                }
            }
            Event::NodeAdded { .. }
            | Event::NodeChanged { .. }
            | Event::NodeRemoved { .. }
            | Event::NodeEnrolled { .. }
            | Event::Maintenance { .. }
            | Event::Report { .. }
            | Event::ManagerStaged
            | Event::ManagerRejected { .. }
            | Event::ManagerChecked { .. }
            | Event::WallClock { .. }
            | Event::ClockOffset { .. }
            | Event::RunPaused { .. }
            | Event::RunResumed { .. }
            | Event::RunStopped { .. }
            | Event::DeadlinePassed => {}
        }
    }

    pub(crate) fn note_fact(&mut self, fact: &Fact) {
        self.record_fact(fact);
        if let Some((node, what)) = fact.of_node()
            && let Some(known) = self.truth.nodes.get_mut(&node)
        {
            known.attempt.note(what);
        }
    }

    fn record_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Node { node, what: NodeFact::Preparing, .. } => {
                if !std::mem::take(&mut self.known(*node).starting) {
                    self.check_turn(*node);
                    self.check_taken(*node);
                }
            }
            Fact::Node { node, what: NodeFact::Power(Power::On), .. } => {
                self.counts.reached.woken += 1;
                self.known(*node).starting = true;
                self.check_turn(*node);
                self.check_taken(*node);
            }
            Fact::Node { node, what: NodeFact::Failed { why }, .. } => {
                self.check_rejection(*node, why);
                self.counts.reached.failed += 1;
                self.known(*node).starting = false;
            }
            Fact::Node { node, what: NodeFact::DrainTimedOut { .. }, .. } => {
                self.counts.reached.timeouts += 1;
                self.known(*node).timeouts += 1;
            }
            // The other machine of a copied node runs another release: what was tried before was done to the first.
            Fact::Node { node, what: NodeFact::Queued, .. } if self.was_copied(*node) => {
                self.known(*node).timeouts = 0;
            }
            Fact::Node { node, what: NodeFact::Upgraded { release, .. }, .. } => {
                self.known(*node).upgraded_to = Some(*release);
            }
            Fact::Node { node, what: NodeFact::ContactLost, .. } => self.check_lost(*node),
            Fact::Node { node, what: NodeFact::Duplicated(_), .. } => self.check_duplicate(*node),
            Fact::Node { node, what: NodeFact::DuplicateOver, .. } => self.note_one(*node),
            Fact::RunEnded { outcome, .. } => {
                self.truth.paused = false;
                self.count_outcome(outcome);
                self.check_outcome(outcome);
            }
            Fact::Node { .. }
            | Fact::RunStarted { .. }
            | Fact::ManagerInstalling { .. }
            | Fact::ManagerUpgraded { .. }
            | Fact::LockLifted { .. }
            | Fact::RunPaused { .. }
            | Fact::RunResumed { .. }
            | Fact::FailureStopOver { .. }
            | Fact::EpochRaised { .. }
            | Fact::ManagerStartFault { .. }
            | Fact::ManagerStartFaultOver
            | Fact::ClockStepped { .. }
            | Fact::ClockSteady => {}
        }
    }

    /// Adds the facts of an event to the history, and compares the history with the state after the event.
    pub(crate) fn read(&mut self, applied: &Applied) {
        let mut history = std::mem::take(&mut self.truth.history);
        let facts = Canary::alter_facts(self.canary, &applied.facts);
        let mut wrong = Vec::new();
        for fact in &facts {
            let runs = |id: &NodeId, release: Release| {
                let newest = self.truth.nodes.get(id).and_then(|known| known.newest.as_ref());
                newest.is_some_and(|newest| newest.release == release && !is_trying(newest.release_state))
            };
            wrong.extend(history.note(fact, runs));
        }
        wrong.extend(history.differs(self.fleet(), applied, &facts));
        self.truth.history = history;
        for subject in wrong {
            self.violation(AGREE, subject);
        }
    }

    /// The history of a restored manager continues from its restored state.
    pub(crate) fn read_anew(&mut self) {
        self.truth.history = History::of(self.fleet());
    }
}

fn is_trying(release_state: fleet::observed::ReleaseState) -> bool {
    release_state == fleet::observed::ReleaseState::Trying
}
