//! Judges every promise after every event, whatever goes wrong. `Fleet::check` judges the platform's state by itself;
//! here that state is compared with the truth, which only the world knows.

pub(crate) mod truth;

pub(crate) mod attempts;
pub(crate) mod history;
pub(crate) mod recording;

pub(crate) mod copies;
pub(crate) mod holds;
pub(crate) mod shown;
pub(crate) mod stops;

pub(crate) mod bound;
pub(crate) mod healing;

use std::collections::BTreeSet;

use fleet::agent::Agent;
use fleet::desired::{Desired, RunId};
use fleet::node::{Contact, Duty, Node, NodeId};
use fleet::observed::ReleaseState;
use fleet::progress::Progress;
use fleet::run::{Outcome, Run};
use fleet::status::Status;
use fleet::time::Time;
use fleet::version::Release;

use crate::seeded::world::World;
use crate::seeded::world::copies::identity;
use crate::seeded::world::machine::Machine;
use crate::seeded::world::tracked::Next;
use holds::{refuses_while_held, releases_in_time};
use truth::{Known, Since};

impl World {
    /// Judges what must hold between the platform's state and the world, after each of its events.
    pub(crate) fn check_platform(&mut self) {
        for violation in self.fleet().check() {
            self.violation(violation.promise, violation.subject);
        }
        let now = self.manager_now();
        if self.fleet().next_deadline().is_some_and(|deadline| deadline <= now) {
            self.violation("a deadline that has passed is dealt with", "the platform".into());
        }
        self.manager_runs_its_run();
        for id in self.fleet().nodes().ids() {
            self.statuses_say_what_is_known(id);
            self.only_a_restored_machine_is_out_of_date(id);
            if !self.is_compromised(id) {
                self.upgraded_means_upgraded(id);
            }
        }
    }

    /// The manager's time is monotonic: no event is applied at an earlier time than the one before, however the wall
    /// clock jumps. A restore takes the time back with the rest of the state.
    pub(crate) fn time_goes_on(&mut self, now: Time) {
        if now < self.manager.seen {
            let subject = format!("{now:?} after {:?}", self.manager.seen);
            self.violation("the time of the Management Node never goes back", subject);
        }
        self.manager.seen = now;
    }

    /// R1: the nodes' turn begins only when the Management Node runs the release.
    fn manager_runs_its_run(&mut self) {
        let running = self.manager.store.release.0;
        let Some(run) = &self.fleet().platform.run else { return };
        if run.manager_is_done() && run.package.release != running {
            let subject = format!("run {} brings {}, {running} runs", run.id, run.package.release);
            self.violation("the nodes' turn begins when the Management Node runs the release (R1)", subject);
        }
    }

    /// The contact that is shown of a node is the last that is known of its link.
    fn statuses_say_what_is_known(&mut self, id: NodeId) {
        let (Some(node), Some(known)) = (self.fleet().nodes().get(id), self.truth.nodes.get(&id)) else {
            return;
        };
        let unreachable = || self.fleet().status(id) == Some(Status::CouldNotCommunicate);
        let heard = node.contact == Contact::Heard;
        if heard != known.heard || (known.heard && unreachable()) {
            let subject = format!("node{id} is {:?}, and was heard: {}", node.contact, known.heard);
            self.violation("a node is shown as reachable when it was heard, else not (R11)", subject);
        }
    }

    /// R20: in these worlds no machine goes back to an earlier release but a copy, in the place of its original.
    /// While both report, neither is kept out of service.
    fn only_a_restored_machine_is_out_of_date(&mut self, id: NodeId) {
        let Some(node) = self.fleet().nodes().get(id).filter(|node| node.out_of_date.is_some()) else {
            return;
        };
        let two = node.duplicate().is_some();
        if two || !(self.was_copied(id) || self.is_compromised(id)) {
            let subject = format!("node{id}, two machines: {two}");
            self.violation("only a machine that was restored is kept out of service as such (R20)", subject);
        }
    }

    /// R23: a node that is shown as upgraded to a release really runs it, confirmed. It may be the release of an
    /// earlier run: a node that reports again only after the next run reports the outcome of the one before.
    fn upgraded_means_upgraded(&mut self, id: NodeId) {
        let upgraded = self
            .fleet()
            .nodes()
            .get(id)
            .is_some_and(|node| matches!(node.progress, Progress::Upgraded { .. }));
        let (Some(machine), Some(known)) = (self.nodes.get(&id), self.truth.nodes.get(&id)) else { return };
        let runs = machine.disk.confirmed.0;
        // If the node was copied, either machine may have reported it.
        let is_false = |reported: &Release| {
            let runs = |machine| self.nodes.get(&machine).is_some_and(|it| it.disk.confirmed.0 == *reported);
            !self.machines_of(id).any(runs)
        };
        if let Some(reported) = known.upgraded_to.filter(|reported| upgraded && is_false(reported)) {
            self.violation(
                "a node that is shown as upgraded runs the new release (R23)",
                format!("node{id} runs {runs} and not {reported}"),
            );
        }
    }

    /// A late report has no effect: the platform holds the newest report of a node.
    pub(crate) fn check_report(&mut self, id: NodeId) {
        let Some(node) = self.fleet().nodes().get(id) else { return };
        let newest = self.truth.nodes.get(&id).and_then(|known| known.newest.as_ref());
        let same = match (&node.observed, newest) {
            (Some(held), Some(newest)) => newest.says_the_same_as(held),
            (held, newest) => held.is_none() && newest.is_none(),
        };
        if !same {
            let subject = format!("node{id}: {:?} instead of {newest:?}", node.observed);
            self.violation("what is held of a node is the newest that it said", subject);
        }
    }

    /// The generation rises whenever the desired state of a node changes.
    pub(crate) fn check_wanted(&mut self, id: NodeId) {
        let Some(wanted) = self.fleet().wanted(id) else {
            self.manager.wanted.remove(&id);
            return;
        };
        let before = self.manager.wanted.insert(id, wanted.clone());
        if let Some(before) = before
            && before.intent != wanted.intent
            && before.generation >= wanted.generation
        {
            let subject = format!("node{id}: {before:?} and {wanted:?}");
            self.violation("the generation rises whenever something else is wanted", subject);
        }
    }

    /// R1: no node is sent a later release than the Management Node runs.
    pub(crate) fn check_sent(&mut self, id: NodeId, desired: &Desired) {
        let running = self.manager.store.release.0;
        if self.fleet().wanted(id).as_ref() != Some(desired) {
            let subject = format!("node{id}: {desired:?}");
            self.violation("a node is sent nothing that is not stored", subject);
        }
        if let Some((software, _)) = desired.intent.software
            && software.release > running
        {
            let subject = format!("node{id}: {} while {running} runs", software.release);
            self.violation("no node is sent a release that the Management Node does not run (R1)", subject);
        }
    }

    /// A command that is stale, contradictory or refused has no effect.
    pub(crate) fn check_acceptance(&mut self, id: NodeId, came: &Desired, taken: bool, before: &Agent) {
        let Some(machine) = self.nodes.get(&id) else { return };
        let (local, agent) =
            (machine.clock.shows(self.now), machine.process.as_ref().map(|process| process.node.agent()));
        // A refusal may change what the node reports, and nothing else.
        let acts_on = |agent: &Agent| (agent.persistent_state().clone(), agent.wanted());
        let changed = agent != Some(before) && agent.map(acts_on) != Some(acts_on(before));
        let away = machine.is_between_releases();
        let accepted = &self.truth.nodes.entry(id).or_default().accepted;
        let stale = came.generation < accepted.generation;
        let other = came.generation == accepted.generation && came.intent != accepted.intent;
        if (taken && (stale || other)) || (!taken && changed) {
            let subject = format!("node{id}: {came:?} after {accepted:?}");
            self.violation("a stale or contradictory command has no effect", subject);
        }
        let world = self.now;
        self.check_start_fault(id, before);
        let rejected_before = was_rejected_before(before, came);
        self.watch(id).is_answered();
        let known = self.known(id);
        if taken && came.generation > known.accepted.generation {
            known.rejected_before = rejected_before;
            known.accepted = came.clone();
            known.since = Since { world, local, unclocked: None };
            let is_lost =
                |(remembered, epoch)| came.generation > remembered && came.generation.epoch <= epoch;
            // What a manager sent before it was restored is in effect until the restart that it caused is over.
            known.forgotten = known.lost.is_some_and(is_lost) || (known.forgotten && away);
        }
    }

    /// A start fault that a node has before it is to leave service is found before its first call is refused.
    fn check_start_fault(&mut self, id: NodeId, before: &Agent) {
        let Some(machine) = self.nodes.get(&id).filter(|machine| machine.start_fault.is_some()) else {
            return;
        };
        let after = machine.process.as_ref().map(|process| process.node.agent());
        let is_held = |agent: &Agent| agent.owners().run.is_some();
        let leaves = !is_held(before) && after.is_some_and(is_held);
        // A node that runs the release already, or tries it, is not restarted by the run.
        let restarts = after.is_some_and(would_restart);
        if leaves && restarts {
            self.violation(
                "a node that would not start again is not taken out of service by a run",
                format!("node{id}"),
            );
        }
    }

    /// R5: no node is tried again while another has had fewer tries, except those that cannot be contacted (R11) and
    /// duplicate nodes. R7: always-on nodes before bursting nodes. The attempt at a bursting node begins when its
    /// machine is started.
    pub(crate) fn check_turn(&mut self, id: NodeId) {
        let tried = self.known(id).timeouts;
        let duty = self.fleet().nodes().get(id).map(|node| node.duty);
        let now = self.manager_now();
        // A node that cannot be taken now holds up the others for at most a drain limit.
        let held_up = |node: &Node| {
            let rests =
                matches!(node.progress, Progress::Pending { rests_until: Some(until), .. } if now < until);
            self.truth.held_up && (rests || !node.has_staged() || node.contact != Contact::Heard)
        };
        let passed_over = |(other, node): &(NodeId, &Node)| {
            let waits = matches!(node.progress, Progress::Pending { .. });
            let reachable = !node.contact.is_lost() || node.duty == Duty::Bursting;
            // An attempt at a copied node ends when the other machine reports an older release.
            let ended = node.progress.tried().filter(|_| self.was_copied(*other));
            let timeouts = self.truth.nodes.get(other).map_or(0, |known| ended.unwrap_or(known.timeouts));
            let first = timeouts < tried
                || (timeouts == tried && timeouts == 0 && Some(node.duty) < duty && !node.contact.is_lost());
            *other != id
                && !held_up(node)
                && waits
                && reachable
                && first
                && !self.is_compromised(*other)
                && !self.is_compromised(id)
                && node.duplicate().is_none()
        };
        let found = self.fleet().nodes().iter().find(passed_over).map(|(other, _)| other);
        if let Some(other) = found {
            let subject = format!("node{id} before node{other}, after {tried} tries");
            self.violation("every node is tried once before any is tried twice (R5)", subject);
        }
    }

    /// R23: a run that is complete has left no node on another release, except a node that is ahead of a restored
    /// manager, and a resting node that has not reported since the restore.
    pub(crate) fn check_outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Complete => {}
            Outcome::Halted { why } => {
                return self.violation("no promise of the core is broken", why.clone());
            }
            Outcome::Incomplete
            | Outcome::LimitReached
            | Outcome::TooManyFailures { .. }
            | Outcome::Stopped { .. }
            | Outcome::ManagerFellBack { .. }
            | Outcome::ManagerRejected { .. }
            | Outcome::Replaced => return,
        }
        let Some(run) = &self.fleet().platform.last_run else { return };
        let target = run.package.release;
        let unheard = |id: &NodeId| {
            let bursting = self.fleet().nodes().get(*id).is_some_and(|node| node.duty == Duty::Bursting);
            bursting && self.is_unheard_since_a_restore(*id)
        };
        let left = |id: &NodeId| {
            let runs = self.nodes.get(id).map(|machine| machine.disk.confirmed.0);
            let behind = |runs| runs != target && !(self.truth.amnesia && runs > target);
            !self.is_compromised(*id) && !unheard(id) && runs.is_some_and(behind) && self.is_held(*id)
        };
        let left: Vec<NodeId> = self.fleet().nodes().ids().into_iter().filter(left).collect();
        if !left.is_empty() {
            self.violation("a run that is complete has left no node behind (R23)", format!("{left:?}"));
        }
        self.check_copies(target);
    }

    /// Judges what must hold of the nodes themselves, after every event. A node that was not touched since it was
    /// judged is skipped, unless time alone could change the judgement.
    pub(crate) fn judge_nodes(&mut self, alone: Option<NodeId>) {
        self.nodes.add_touched_to([&mut self.unjudged, &mut self.unjudged_shown]);
        self.truth.nodes.add_touched_to([&mut self.unjudged]);
        self.manager.store.fleet.add_touched_to(&mut self.unjudged_shown);
        let mut found = Vec::new();
        let mut unjudged = std::mem::take(&mut self.unjudged);
        unjudged.judge(|id| self.judge_node(id, &mut found));
        self.unjudged = unjudged;
        self.judge_shown(alone, &mut found);
        for (promise, subject) in found {
            self.violation(promise, subject);
        }
        let out = self.out_for_the_run();
        if out > self.truth.limit {
            let subject = format!("{out} of {}", self.truth.limit);
            self.violation("never more machines really out of service than allowed (R2, R6)", subject);
        }
    }

    fn judge_node(&mut self, id: NodeId, found: &mut Vec<(&'static str, String)>) -> Next {
        self.out.remove(&id);
        let Some(machine) = self.nodes.get(&id).filter(|_| !self.is_compromised(id)) else {
            return Next::WhenTouched;
        };
        let Some(known) = self.truth.nodes.get(&id) else { return Next::Again };
        let promises = [
            operators_mode_stays(machine, known),
            refuses_while_held(machine, known, self),
            takes_no_calls_unconfirmed(machine),
            releases_in_time(machine, known, self),
            acts_on_nothing_it_would_forget(machine),
            can_start_a_complete_release(machine),
        ];
        let broken = promises.into_iter().flatten();
        let before = found.len();
        found.extend(broken.map(|promise| (promise, format!("node{id}"))));
        if let Some(run) = is_out_for(machine, known) {
            self.out.insert(id, run);
        }
        // Only a hold begins and ends with time; nothing else that is judged here does.
        let held = known.accepted.intent.owners.run.is_some();
        if held || found.len() > before { Next::Again } else { Next::WhenTouched }
    }

    /// How many machines are really out of service for the run in progress.
    fn out_for_the_run(&self) -> u32 {
        let run = self.fleet().platform.run.as_ref().map(Run::name);
        let is_there = |id: &NodeId| self.nodes.contains_key(id) && self.truth.nodes.contains_key(id);
        let is_out = |id: &NodeId| self.out.get(id).is_some_and(|of| Some(*of) == run) && is_there(id);
        let machines = self.out.keys().filter(|id| is_out(id) && !self.has_lost_a_copy(**id));
        // A node that is two machines is out of service when neither takes calls.
        let nodes: BTreeSet<NodeId> = machines.map(|id| identity(*id)).collect();
        let out = nodes.into_iter().filter(|node| self.machines_of(*node).all(|machine| is_out(&machine)));
        u32::try_from(out.count()).unwrap_or(u32::MAX)
    }
}

/// Whether a node is to leave service for a release that it has already rejected.
pub(crate) fn was_rejected_before(before: &Agent, came: &Desired) -> bool {
    let rejected = before.persistent_state().rejected.as_ref().map(|(rejected, _)| *rejected);
    let asked = came.intent.software.map(|(software, _)| software);
    asked.is_some() && asked == rejected && before.owners().run.is_none()
}

/// Whether a node would restart for the release that it was assigned.
fn would_restart(agent: &Agent) -> bool {
    let observed = agent.observed(Time::default());
    let assigned = agent.persistent_state().accepted.intent.software.map(|(software, _)| software.release);
    observed.release_state == ReleaseState::Confirmed
        && assigned.is_some_and(|release| release != observed.release)
}

/// R12: an operator's maintenance mode that a node has accepted stays until the operator ends it. It binds the node
/// from its acceptance on, not from the operator's request, as a message lies in between.
fn operators_mode_stays(machine: &Machine, known: &Known) -> Option<&'static str> {
    let since = known.operator_since?;
    let binds = !known.forgotten && known.accepted.generation >= since;
    (binds && machine.admits())
        .then_some("the operator's maintenance mode stays until the operator lets go (R12)")
}

/// A release takes no calls before it is confirmed: a fall-back would end them.
fn takes_no_calls_unconfirmed(machine: &Machine) -> Option<&'static str> {
    (machine.admits() && machine.is_between_releases())
        .then_some("a release takes no calls before it is confirmed")
}

/// Persist, then act: the state that an agent acts on is on its disk, unless a failed write has left newer contents
/// there. The outcome of a selection is not compared: it is found anew at every start.
fn acts_on_nothing_it_would_forget(machine: &Machine) -> Option<&'static str> {
    let process = machine.process.as_ref()?;
    let (acts_on, disk) = (process.node.agent().persistent_state(), &machine.disk.persistent_state);
    let kept = process.write_failed
        || (acts_on.accepted == disk.accepted
            && acts_on.held_until == disk.held_until
            && acts_on.let_go == disk.let_go);
    (!kept).then_some("a node acts on nothing that it would forget")
}

/// At any time the confirmed slot is not written, and a selected slot was unpacked completely.
fn can_start_a_complete_release(machine: &Machine) -> Option<&'static str> {
    let selected_torn = machine.disk.trying.is_some() && (machine.disk.torn || machine.disk.other.is_none());
    selected_torn.then_some("every node can always start a complete release")
}

/// The run for which a machine is really out of service: it has accepted a desired state of this run that keeps it in
/// maintenance mode, or it restarts into this run's release. What counts is what the node has accepted, not what the
/// platform wants. What a manager wanted before it was restored does not count for the restored one.
fn is_out_for(machine: &Machine, known: &Known) -> Option<RunId> {
    let state = &machine.disk.persistent_state;
    let (software, _) = state.accepted.intent.software?;
    let held = state.accepted.intent.owners.run.is_some() && !state.let_go;
    (!known.forgotten && (held || machine.is_between_releases())).then_some(software.run)
}
