//! Handles a node's report and the loss of its link: facts, epochs, and the transitions of [`Progress`]. Deadlines
//! are handled in `overdue`, and which node is taken next is decided in `queue`.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::Fleet;
use super::duplicate::Taken;
use crate::desired::{Assignment, Generation};
use crate::fact::{Fact, NodeFact};
use crate::node::{Contact, Node, NodeId, Power};
use crate::observed::{Calls, Observed, ReleaseState};
use crate::progress::{Attempt, AttemptResult, Ending, Failure, Phase, Progress};
use crate::run::{EndedRun, Run};
use crate::time::{Span, Time};

/// The highest epoch that a report or a clock can raise the platform's epoch to. Above it there are epochs left for
/// a million starts of the Management Node.
pub(super) const EPOCHS: u32 = u32::MAX - (1 << 20);

/// How far ahead of its clock a Management Node may have been when it issued an epoch, in seconds: ten years, because
/// epochs follow the clock and a clock may have been wrong. A report that claims more raises the generation of its
/// own node only.
const EPOCHS_AHEAD: u32 = 10 * 366 * 24 * 3_600;

impl Fleet {
    pub(super) fn report(&mut self, now: Time, id: NodeId, observed: Observed, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        // Nothing can be ordered above the highest epoch: the node is faulty and counts as silent.
        if observed.generation.epoch == u32::MAX {
            return;
        }
        let starts = node.starts_after(now, &observed);
        let taken = node.takes(&starts, &observed);
        let gone_back = node.has_gone_back(now);
        self.hear_process(now, id, starts, &observed, facts);
        match taken {
            Taken::News => {}
            Taken::Late => return self.note_late_version(id, &observed),
            // It counts only as one more that reports an earlier version.
            Taken::Nothing => {
                if gone_back {
                    self.compare_version(now, id, &observed, facts);
                }
                return;
            }
            Taken::OfAnother => return self.note_unbelieved(now, id, &observed, facts),
        }
        self.report_facts(now, id, &observed, facts);
        self.outbid(now, id, observed.generation, facts);
        self.nodes.edit(id, |node| {
            node.contact = Contact::Heard;
            node.observed = Some(observed.clone());
            node.reported_at = now;
        });
        self.compare_version(now, id, &observed, facts);
        self.join(id, facts);
        self.advance(now, id, facts);
    }

    /// The facts of a report about the node itself, whether or not a run is under way.
    fn report_facts(&self, now: Time, id: NodeId, observed: &Observed, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        self.contact_fact(now, id, observed, facts);
        let unfit_before = node.observed.as_ref().and_then(|last| last.unfit.as_ref());
        match (&observed.unfit, unfit_before) {
            (Some(why), before) if before != Some(why) => {
                self.node_fact(id, NodeFact::Unfit { why: why.clone() }, facts);
            }
            (None, Some(_)) => self.node_fact(id, NodeFact::Fit, facts),
            (Some(_) | None, _) => {}
        }
        match (&observed.start_fault, node.start_fault()) {
            (Some(why), before) if before != Some(why.as_str()) => {
                self.node_fact(id, NodeFact::StartFault { why: why.clone() }, facts);
            }
            (None, Some(_)) => self.node_fact(id, NodeFact::StartFaultOver, facts),
            (Some(_) | None, _) => {}
        }
        let after = Node { observed: Some(observed.clone()), ..node.clone() };
        if let Some(assigned) = node.assigned
            && after.has_staged()
            && !node.has_staged()
        {
            self.node_fact(id, NodeFact::Staged { release: assigned.release }, facts);
        }
    }

    /// The fact of a report about the node's link.
    pub(super) fn contact_fact(&self, now: Time, id: NodeId, observed: &Observed, facts: &mut Vec<Fact>) {
        match self.nodes.get(id).map(|node| node.contact) {
            Some(Contact::Never) => {
                self.node_fact(id, NodeFact::ContactMade { release: observed.release }, facts);
            }
            Some(Contact::Lost { since }) => {
                self.node_fact(id, NodeFact::ContactRestored { after: now.since(since) }, facts);
            }
            Some(Contact::Heard | Contact::Silent { .. }) | None => {}
        }
    }

    /// Raises a node's generation above one that it has accepted and that this manager has not stored.
    ///
    /// An epoch that an earlier state of this manager can have issued raises the platform's too, because other
    /// nodes may have accepted generations of it. Any other is the claim of a faulty node and must not consume
    /// epochs of the platform.
    pub(super) fn outbid(&mut self, now: Time, id: NodeId, accepted: Generation, facts: &mut Vec<Fact>) {
        if self.nodes.get(id).is_none_or(|node| accepted <= node.generation) {
            return;
        }
        let epoch = self.platform.epoch.max(accepted.epoch.saturating_add(1));
        if epoch > self.platform.epoch && accepted.epoch <= self.issued_at_most(now) {
            self.raise_epoch(epoch);
            facts.push(Fact::EpochRaised { epoch });
        }
        self.nodes.edit(id, |node| node.generation = Generation { epoch, n: 1 });
    }

    /// The highest epoch that an earlier state of this Management Node can have issued. Starts take epochs from the
    /// wall clock, which is not under control while the machine is off.
    fn issued_at_most(&self, now: Time) -> u32 {
        let clock = self.shown(now).0.max(now.0) / 1_000;
        u32::try_from(clock).unwrap_or(u32::MAX).saturating_add(EPOCHS_AHEAD).min(EPOCHS)
    }

    /// Queues a node that reports another release than the run's while it is in no state of the run.
    fn join(&mut self, id: NodeId, facts: &mut Vec<Fact>) {
        let (Some(run), Some(node)) = (&self.platform.run, self.nodes.get(id)) else { return };
        let target = run.package.release;
        let other = node.observed.as_ref().is_some_and(|observed| observed.release != target);
        if node.progress == Progress::Idle && other {
            self.queue(id, facts);
        }
    }

    /// Puts a node into the queue of the run under way.
    pub(super) fn queue(&mut self, id: NodeId, facts: &mut Vec<Fact>) {
        let Some(run) = &self.platform.run else { return };
        let (target, done, hold) = (run.assignment(), run.manager_is_done(), run.policy.hold());
        self.nodes.edit(id, |node| {
            node.progress = Progress::Pending { tried: 0, rests_until: None };
            node.assigned = done.then_some(target);
            node.hold = hold;
        });
        self.node_fact(id, NodeFact::Queued, facts);
    }

    /// Moves a node through all states that its report allows.
    pub(super) fn advance(&mut self, now: Time, id: NodeId, facts: &mut Vec<Fact>) {
        // A report moves a node through a few states at most; the bound keeps a bug from looping forever.
        for _ in 0..8 {
            let Some(next) = self.nodes.get(id).and_then(|node| self.next_place(now, node)) else { return };
            self.enter(now, id, next, facts);
        }
    }

    /// The next state that follows from the node's report, if there is one.
    fn next_place(&self, now: Time, node: &Node) -> Option<Progress> {
        if let Some(next) = settled(now, node, self.off_path(node)) {
            return Some(next);
        }
        let release_state = node.observed.as_ref().map(|observed| observed.release_state);
        let Progress::Attempt(Attempt { tried, since, phase }) = &node.progress else { return None };
        let tried = *tried;
        let enters = |phase| Some(Attempt::enters(now, tried, phase));
        match *phase {
            Phase::Starting { .. } if node.has_staged() => Some(self.preparing(now, tried)),
            // A manager that was restored meanwhile has not stored that the node restarts.
            Phase::Preparing { .. } | Phase::Draining { .. }
                if node.current().is_some() && node.restarts() =>
            {
                enters(Phase::Rebooting { stuck_at: now + self.policy().stuck_after })
            }
            Phase::Preparing { .. } if node.refuses_calls() => {
                enters(Phase::Draining { until: now + self.policy().drain_limit })
            }
            Phase::Draining { until } if node.refuses_calls() && calls(node).cleared() => {
                let stuck_at = now + self.policy().stuck_after;
                enters(Phase::Installing { drain_until: until, stuck_at })
            }
            // It was cut off and went back to service by itself.
            Phase::Draining { .. } | Phase::Installing { .. } if node.admits_calls() => {
                Some(Attempt::releasing(now, tried + 1, Ending::TimedOut))
            }
            // Its last report before the restart may be lost: a node on an unconfirmed release has restarted.
            Phase::Installing { stuck_at, .. } if node.restarts() => enters(Phase::Rebooting { stuck_at }),
            Phase::Installing { drain_until, .. } if !calls(node).cleared() => {
                enters(Phase::Draining { until: drain_until })
            }
            Phase::Rebooting { stuck_at } if release_state == Some(ReleaseState::Confirmed) => {
                Some(self.not_taken(now, node, tried, *since, stuck_at))
            }
            Phase::Releasing { ref ending } if node.is_back() => {
                Some(self.ended(now, node, ending.clone(), tried))
            }
            Phase::Starting { .. }
            | Phase::Preparing { .. }
            | Phase::Draining { .. }
            | Phase::Installing { .. }
            | Phase::Rebooting { .. }
            | Phase::Releasing { .. } => None,
        }
    }

    /// The next state of a node that came back from a restart that was not into its new slot: it is asked again,
    /// unless the run that asked has ended, after which no attempt may begin (R8).
    fn not_taken(&self, now: Time, node: &Node, tried: u32, since: Time, stuck_at: Time) -> Progress {
        if self.is_of_this_run(node) {
            Progress::Attempt(Attempt {
                tried,
                since,
                phase: Phase::Installing { drain_until: stuck_at, stuck_at },
            })
        } else {
            Attempt::releasing(now, tried, Ending::Stopped)
        }
    }

    pub(super) fn preparing(&self, now: Time, tried: u32) -> Progress {
        Attempt::enters(now, tried, Phase::Preparing { until: now + self.policy().drain_limit })
    }

    /// Whether the attempt at a node belongs to the run under way, and not to one that it has replaced.
    pub(super) fn is_of_this_run(&self, node: &Node) -> bool {
        let run = self.platform.run.as_ref().map(Run::name);
        run.is_some() && node.assigned.map(|assigned| assigned.run) == run
    }

    /// Whether the attempt at a node belongs to the run that was started last, whether or not it has ended.
    fn is_of_newest_run(&self, node: &Node) -> bool {
        let last = self.platform.last_run.as_ref().map(EndedRun::name);
        let newest = self.platform.run.as_ref().map(Run::name).or(last);
        newest.is_some() && node.assigned.map(|assigned| assigned.run) == newest
    }

    /// The state of a node that is back after an attempt. How an attempt of a replaced run ended does not count for
    /// the run under way, which begins with no attempts.
    fn ended(&self, now: Time, node: &Node, ending: Ending, tried: u32) -> Progress {
        if let Some(run) = &self.platform.run
            && !self.is_of_this_run(node)
        {
            return match node.is_on(run.package.release) {
                true => Progress::Upgraded { at: now },
                false => Progress::Pending { tried: 0, rests_until: None },
            };
        }
        match ending {
            Ending::Upgraded if node.runs_assigned() => Progress::Upgraded { at: now },
            Ending::Failed(why) => Progress::Failed { why, at: now },
            Ending::TimedOut if self.platform.run.is_some() => {
                Progress::Pending { tried, rests_until: Some(now + self.policy().rest) }
            }
            // It, or another machine with its identity, has reported the release and reports another one now.
            Ending::Upgraded if self.platform.run.is_some() => {
                Progress::Pending { tried, rests_until: Some(now + self.policy().rest) }
            }
            Ending::Upgraded | Ending::TimedOut | Ending::Stopped => Progress::Idle,
        }
    }

    /// Puts a node into a state, with the facts of that.
    pub(super) fn enter(&mut self, now: Time, id: NodeId, next: Progress, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        let what = entry_fact(now, node, &next);
        let power = power_fact(node, &next);
        let assigned = self.assignment_in(&next, node.assigned);
        let hold = self.policy().hold();
        let cleared_at = cleared_at(now, &next, node.cleared_at);
        // A node that runs the release counts, whichever run has brought it there.
        let counts = self.is_of_newest_run(node) || matches!(next, Progress::Upgraded { .. });
        let result = if counts { result_in(node, &next) } else { node.result };
        self.nodes.edit(id, |node| {
            node.cleared_at = cleared_at;
            node.result = result;
            node.progress = next;
            node.assigned = assigned;
            if node.progress.holds_maintenance() {
                node.hold = hold;
            }
        });
        if let Some(what) = what {
            self.node_fact(id, what, facts);
        }
        if let Some(power) = power {
            self.node_fact(id, NodeFact::Power(power), facts);
        }
    }

    /// The software that a node in this state is assigned.
    fn assignment_in(&self, place: &Progress, assigned: Option<Assignment>) -> Option<Assignment> {
        match place {
            Progress::Idle | Progress::Upgraded { .. } | Progress::Failed { .. } => None,
            Progress::Pending { .. } => {
                self.platform.run.as_ref().filter(|run| run.manager_is_done()).map(|run| run.assignment())
            }
            Progress::Attempt(_) => assigned,
        }
    }

    pub(super) fn link_down(&mut self, now: Time, id: NodeId, facts: &mut Vec<Fact>) {
        let Some(node) = self.nodes.get(id) else { return };
        if node.contact != Contact::Heard {
            return;
        }
        let tried = node.progress.tried().unwrap_or_default();
        let allowed = match node.progress.phase() {
            Some(&Phase::Installing { stuck_at, .. }) => {
                self.enter(now, id, Attempt::enters(now, tried, Phase::Rebooting { stuck_at }), facts);
                self.policy().reboot_silent_after
            }
            Some(Phase::Rebooting { .. }) => self.policy().reboot_silent_after,
            Some(
                Phase::Starting { .. }
                | Phase::Preparing { .. }
                | Phase::Draining { .. }
                | Phase::Releasing { .. },
            )
            | None => self.policy().silent_after,
        };
        self.nodes.edit(id, |node| {
            node.contact = Contact::Silent { since: now, lost_at: now + allowed };
            // A bursting node whose link goes down after its attempt was powered off, as was wanted.
            node.woken = node.woken && node.progress.holds_place();
        });
    }
}

/// The state of a node that reports, for its current desired state, that it runs the release, that it cannot take
/// it, or that it runs a release which this one cannot be installed on. A report for another desired state does not
/// count: after a restore of this manager, one from before it may arrive that names a release which the node has
/// left since.
fn settled(now: Time, node: &Node, off_path: Option<Failure>) -> Option<Progress> {
    let tried = node.progress.tried()?;
    if node.duplicate().is_none() {
        node.current()?;
    }
    let holds_place = node.progress.holds_place();
    let known = match node.progress.phase() {
        Some(Phase::Releasing { ending }) => Some(ending),
        Some(
            Phase::Starting { .. }
            | Phase::Preparing { .. }
            | Phase::Draining { .. }
            | Phase::Installing { .. }
            | Phase::Rebooting { .. },
        )
        | None => None,
    };
    let ending = if node.duplicate().is_some() {
        Ending::Failed(Failure::Duplicate)
    } else if node.runs_assigned() {
        Ending::Upgraded
    } else {
        let rejected = || node.rejection().map(|why| Failure::Rejected(why.to_string()));
        Ending::Failed(off_path.or_else(rejected)?)
    };
    match (ending, holds_place) {
        (ending, true) if known == Some(&ending) => None,
        (ending, true) => {
            let ended = if known.is_some() { tried } else { tried + 1 };
            Some(Attempt::releasing(now, ended, ending))
        }
        (Ending::Upgraded, false) => Some(Progress::Upgraded { at: now }),
        // The duplicate may be over before the run ends.
        (Ending::Failed(Failure::Duplicate), false) => None,
        (Ending::Failed(why), false) => Some(Progress::Failed { why, at: now }),
        (Ending::TimedOut | Ending::Stopped, false) => None,
    }
}

fn calls(node: &Node) -> Calls {
    node.observed.as_ref().map_or(Calls::Unknown, |observed| observed.calls)
}

/// When the node's last call ended, in the attempt that it is in.
fn cleared_at(now: Time, next: &Progress, before: Option<Time>) -> Option<Time> {
    match next {
        Progress::Attempt(attempt) => match attempt.phase {
            Phase::Installing { .. } => before.or(Some(now)),
            Phase::Rebooting { .. } | Phase::Releasing { .. } => before,
            Phase::Starting { .. } | Phase::Preparing { .. } | Phase::Draining { .. } => None,
        },
        Progress::Upgraded { .. } => before,
        Progress::Idle | Progress::Pending { .. } | Progress::Failed { .. } => None,
    }
}

/// What a node's attempt has shown of the release when the node enters a state.
fn result_in(node: &Node, next: &Progress) -> Option<AttemptResult> {
    let ending = match next {
        Progress::Upgraded { .. } => &Ending::Upgraded,
        Progress::Attempt(Attempt { phase: Phase::Releasing { ending }, .. }) => ending,
        Progress::Attempt(_) | Progress::Idle | Progress::Pending { .. } | Progress::Failed { .. } => {
            return node.result;
        }
    };
    match ending {
        Ending::Upgraded => Some(AttemptResult::Upgraded),
        Ending::Failed(Failure::Rejected(_) | Failure::Lost) if was_taken(node) => {
            Some(AttemptResult::Failed)
        }
        Ending::Failed(_) | Ending::TimedOut | Ending::Stopped => node.result,
    }
}

/// Whether the machine of a node that the run has started is to run from now on, or may be powered off (R7).
fn power_fact(node: &Node, next: &Progress) -> Option<Power> {
    match (node.progress.holds_place(), next.holds_place()) {
        (true, false) => node.woken.then_some(Power::Rest),
        // It is taken again before it was powered off; the fact of its first start comes from `phase_fact`.
        (false, true) => (node.woken && !starts_up(next)).then_some(Power::On),
        (true, true) | (false, false) => None,
    }
}

/// The fact of a node that enters a state.
fn entry_fact(now: Time, node: &Node, next: &Progress) -> Option<NodeFact> {
    match next {
        Progress::Attempt(attempt) => phase_fact(node, &attempt.phase),
        Progress::Upgraded { .. } => upgraded(now, node),
        // It runs the release of a run that was replaced meanwhile.
        Progress::Pending { .. } | Progress::Idle
            if matches!(node.progress.phase(), Some(Phase::Releasing { .. }))
                && node.runs_assigned()
                && node.duplicate().is_none() =>
        {
            upgraded(now, node)
        }
        Progress::Failed { why, .. } => Some(NodeFact::Failed { why: why.clone() }),
        Progress::Pending { .. } | Progress::Idle => was_taken(node).then_some(NodeFact::Returned),
    }
}

fn phase_fact(node: &Node, phase: &Phase) -> Option<NodeFact> {
    match phase {
        Phase::Starting { .. } => Some(NodeFact::Power(Power::On)),
        Phase::Preparing { .. } => Some(NodeFact::Preparing),
        Phase::Draining { .. } => Some(NodeFact::Draining { calls: calls(node) }),
        Phase::Installing { .. } => Some(NodeFact::Installing),
        Phase::Rebooting { .. } => Some(NodeFact::Rebooting),
        Phase::Releasing { ending: Ending::TimedOut } => Some(NodeFact::DrainTimedOut { calls: calls(node) }),
        Phase::Releasing { ending: Ending::Failed(why @ Failure::Lost) } => {
            Some(NodeFact::GivenUp { why: why.clone() })
        }
        Phase::Releasing { ending: Ending::Upgraded | Ending::Failed(_) | Ending::Stopped } => None,
    }
}

/// Whether the node was taken out of service in its attempt. A bursting node that only starts up was not.
fn was_taken(node: &Node) -> bool {
    node.progress.holds_place() && !starts_up(&node.progress)
}

fn starts_up(progress: &Progress) -> bool {
    matches!(progress.phase(), Some(Phase::Starting { .. }))
}

fn upgraded(now: Time, node: &Node) -> Option<NodeFact> {
    let release = node.observed.as_ref().map(|observed| observed.release)?;
    let away = node.cleared_at.map_or(Span::ZERO, |cleared| now.since(cleared));
    Some(NodeFact::Upgraded { release, away })
}
