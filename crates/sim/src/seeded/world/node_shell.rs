//! The machine around one node's turn, which is the one that ships: it performs each effect on its disk, slots, calls
//! and link, with the faults of the seed, and reports the outcome. It never decides which effect comes next.

use fleet::agent::{
    AgentEvent, AgentFact, Durability, Effect, Outcome, PersistentState, ReleaseCheck, StagingOutcome,
};
use fleet::desired::{Assignment, Desired};
use fleet::node::NodeId;
use fleet::observed::{Admission, Observed};
use fleet::time::{Span, Time};

use super::World;
use super::event_queue::WorldEvent;
use super::machine::{DiskFault, Late, Written};
use crate::seeded::canary::Canary;
use crate::seeded::faults::start_fault;
use crate::seeded::plan::kinds::Kind;

/// The most effects of one turn; a node that needs more does not settle.
const EFFECTS: u32 = 400;

/// The pause before an interrupted staging is resumed.
const STAGING_PAUSE: Span = Span::seconds(30);

/// How long a release that is tried takes to confirm itself after its first answer.
const CONFIRMS_AFTER: Span = Span::seconds(2);

/// The pause before a failed write is retried.
const WRITE_RETRY: Span = Span::seconds(20);

impl World {
    /// Applies an event to a node's agent. It takes effect only if the persistent state is durable.
    pub(crate) fn apply_to_node(&mut self, id: NodeId, event: AgentEvent) -> Durability {
        self.known(id).rejected |= matches!(event, AgentEvent::Rejected { .. });
        let Some(machine) = self.nodes.get_mut(&id) else { return Durability::NotDurable };
        let local = machine.clock.shows(self.now);
        let Some(process) = &mut machine.process else { return Durability::NotDurable };
        let facts = process.node.apply(local, event);
        self.note_facts(id, facts);
        let durability = self.persist_change(id);
        self.counts.events += u64::from(durability == Durability::Durable);
        durability
    }

    fn note_facts(&mut self, id: NodeId, facts: Vec<AgentFact>) {
        for fact in facts {
            self.counts.reached.let_go += u64::from(fact == AgentFact::LetGo);
            self.journal.line(self.now, || format!("  node{id}: {fact}"));
        }
    }

    /// Persists what the last event has changed, if anything.
    fn persist_change(&mut self, id: NodeId) -> Durability {
        let process = self.nodes.get(&id).and_then(|machine| machine.process.as_ref());
        let Some(state) = process.and_then(|process| process.node.to_persist().cloned()) else {
            return Durability::Durable;
        };
        let (durability, facts) = self.persist(id, &state);
        self.note_facts(id, facts);
        durability
    }

    /// Writes the persistent state and reports to the node whether it is durable.
    fn persist(&mut self, id: NodeId, state: &PersistentState) -> (Durability, Vec<AgentFact>) {
        let (now, canary) = (self.now, self.canary);
        let nothing = (Durability::NotDurable, Vec::new());
        let Some(machine) = self.nodes.get_mut(&id) else { return nothing };
        let written = machine.write(state, now);
        match written {
            Written::Durable => {}
            Written::NotDurable => self.counts.done.note(Kind::FailedWrite),
            Written::Uncertain => self.counts.done.note(Kind::UncertainWrite),
        }
        let local = machine.clock.shows(now);
        let Some(process) = &mut machine.process else { return nothing };
        let counts = written == Written::Durable || canary == Some(Canary::FailedWriteCounts);
        let durability = if counts { Durability::Durable } else { Durability::NotDurable };
        if !std::mem::replace(&mut process.write_failed, !counts) && !counts {
            self.queue.push(now + WRITE_RETRY, WorldEvent::NodeDue { node: id });
        }
        (durability, process.node.complete(local, Outcome::Persisted(durability)))
    }

    /// Retries a failed write.
    fn persist_again(&mut self, id: NodeId) {
        let now = self.now;
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let state = match &machine.process {
            Some(process) if process.write_failed => process.node.agent().persistent_state().clone(),
            Some(_) | None => return,
        };
        let written = machine.write(&state, now);
        let Some(process) = &mut machine.process else { return };
        process.write_failed = written != Written::Durable;
        if process.write_failed {
            self.queue.push(now + WRITE_RETRY, WorldEvent::NodeDue { node: id });
        } else {
            process.node.rewritten();
        }
    }

    /// A deadline of a node has passed, or a retry is due.
    pub(crate) fn node_due(&mut self, id: NodeId) {
        self.persist_again(id);
        self.settle_node(id);
    }

    /// A desired state arrives.
    pub(crate) fn desired_arrives(
        &mut self,
        to: NodeId,
        desired: Desired,
        heard: Option<Time>,
        answers: Option<u64>,
    ) {
        let there = self.nodes.get(&to).is_some_and(super::machine::Machine::is_linked);
        if !there {
            self.counts.done.note(Kind::ReachedNobody);
            return;
        }
        let checked = self.check_before_leaving_service(to, &desired);
        let heartbeat = self.rates.links.heartbeat;
        let Some(machine) = self.nodes.get_mut(&to) else { return };
        let late = machine.heard_at(heard);
        let Some(process) = &mut machine.process else { return };
        let came = desired.clone();
        let desired = Canary::alter_arrival(self.canary, process.node.agent(), desired);
        let (local, before) = (machine.clock.shows(self.now), process.node.agent().clone());
        let outcome = before.clone().accept(local, desired.clone());
        let accepts = checked == Durability::Durable && process.node.accept(local, desired.clone()).is_ok();
        // Only the answer to the current request counts as one: earlier requests are broken or superseded, and a
        // desired state that was sent unasked answers none.
        if answers == Some(machine.request) {
            machine.unanswered = 0;
            machine.request += 1;
            let pause = Span(heartbeat.0 / 2 + machine.link_draw.below(heartbeat.0));
            let pause = if late == Late::Yes { Span(1) } else { pause };
            self.queue.push(self.now + pause, WorldEvent::SendReport { node: to, request: machine.request });
        }
        let trying = machine.is_between_releases();
        let start = machine.start;
        let taken = accepts && self.persist_accepted(to) == Durability::Durable;
        if trying {
            self.queue.push(self.now + CONFIRMS_AFTER, WorldEvent::Confirm { node: to, start });
        }
        self.counts.events += 1;
        self.journal.line(self.now, || format!("node{to} is sent {desired:?}: {outcome:?}"));
        self.counts.reached.commands_refused += u64::from(outcome.is_err());
        self.check_acceptance(to, &came, taken, &before);
        self.settle_node(to);
    }

    /// The facts of what a node accepts are in the line of its arrival.
    fn persist_accepted(&mut self, id: NodeId) -> Durability {
        let process = self.nodes.get(&id).and_then(|machine| machine.process.as_ref());
        let state = process.and_then(|process| process.node.to_persist().cloned());
        state.map_or(Durability::Durable, |state| self.persist(id, &state).0)
    }

    /// One turn of a node.
    pub(crate) fn settle_node(&mut self, id: NodeId) {
        for _ in 0..EFFECTS {
            match self.next_effect(id) {
                Some(effect) => self.perform(id, effect),
                None => return self.set_node_timer(id),
            }
        }
        self.violation("a node comes to rest", format!("node{id}"));
    }

    fn next_effect(&mut self, id: NodeId) -> Option<Effect> {
        let machine = self.nodes.get_mut(&id)?;
        let local = machine.clock.shows(self.now);
        machine.process.as_mut()?.node.next(local)
    }

    fn perform(&mut self, id: NodeId, effect: Effect) {
        match effect {
            Effect::Persist(state) => self.persist_in_turn(id, &state),
            Effect::CheckFitness => self.check_fitness(id),
            Effect::SetAdmission(refuse) => {
                if let Some(machine) = self.nodes.get_mut(&id) {
                    let wanted = if refuse.is_some() { Admission::Refusing } else { Admission::Admitting };
                    machine.engine = Canary::alter_admission(self.canary, machine, wanted);
                }
            }
            Effect::CountCalls => self.count(id),
            Effect::BeginStaging(software) => self.begin_staging(id, software),
            Effect::CancelStaging(software) => self.cancel_staging(id, software),
            Effect::CheckRelease(software) => self.check_release(id, software),
            Effect::Select(software) => self.select(id, software),
            Effect::Report(observed) => self.report(id, observed),
        }
    }

    pub(crate) fn complete(&mut self, id: NodeId, outcome: Outcome) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let local = machine.clock.shows(self.now);
        let Some(process) = &mut machine.process else { return };
        let facts = process.node.complete(local, outcome);
        self.note_facts(id, facts);
    }

    /// A node that has stored that it leaves may lose power before it has selected its slot.
    fn persist_in_turn(&mut self, id: NodeId, state: &PersistentState) {
        let process = self.nodes.get(&id).and_then(|machine| machine.process.as_ref());
        let before = process.map(|process| process.node.agent().persistent_state().clone());
        let (durability, facts) = self.persist(id, state);
        self.note_facts(id, facts);
        // What a start has settled is no event.
        let is_event = before.as_ref() != Some(state);
        self.counts.events += u64::from(is_event && durability == Durability::Durable);
        let leaves =
            state.selected.is_some() && before.is_some_and(|before| before.selected != state.selected);
        if leaves && durability == Durability::Durable {
            self.maybe_interrupt(id);
        }
    }

    /// Applies the result of the start check, and reports whether the node is fit.
    fn check_fitness(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get(&id) else { return };
        let Some(process) = &machine.process else { return };
        let local = machine.clock.shows(self.now);
        let known = process.node.agent().observed(local);
        let broken = machine.unfit.then_some("a part of the call engine has failed");
        let unfit = process
            .write_failed
            .then_some("the persistent state cannot be written")
            .or(broken)
            .map(String::from);
        let fault = machine.noticed_start_fault(self.now);
        if known.start_fault != fault {
            self.apply_to_node(id, AgentEvent::StartChecked { fault });
        }
        self.counts.events += u64::from(known.unfit != unfit);
        self.complete(id, Outcome::Fitness { unfit });
    }

    /// Reports the state of the call engine.
    fn count(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get(&id) else { return };
        let Some(process) = &machine.process else { return };
        let local = machine.clock.shows(self.now);
        let known = process.node.agent().observed(local);
        let calls = Canary::alter_calls(self.canary, machine.counted(local));
        let admission = machine.engine;
        self.counts.events += u64::from(known.admission != admission) + u64::from(known.calls != calls);
        let unguarded = Canary::skipped_guard(self.canary, machine);
        self.complete(id, Outcome::Counted { admission, calls });
        if let Some(software) = unguarded {
            self.select(id, software);
        }
    }

    fn begin_staging(&mut self, id: NodeId, software: Assignment) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let median = self.rates.machines.staging;
        let Some(process) = &mut machine.process else { return };
        machine.jobs += 1;
        let job = machine.jobs;
        process.job = Some((software, job));
        machine.disk.other = None;
        let took = machine.draw.around(median, 48);
        self.queue.push(self.now + Span(took.0 / 2), WorldEvent::HalfFetched { node: id, job });
        self.queue.push(self.now + took, WorldEvent::StagingEnds { node: id, job });
        self.apply_to_node(id, AgentEvent::Fetching { manifest: software.manifest, percent: 0 });
    }

    fn cancel_staging(&mut self, id: NodeId, software: Assignment) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let local = machine.clock.shows(self.now);
        if let Some(process) = &mut machine.process {
            process.job = None;
            process.node.staging_ended(local, software, StagingOutcome::Cancelled);
        }
    }

    fn check_release(&mut self, id: NodeId, _software: Assignment) {
        let fails = self.would_not_start(id);
        self.known(id).rejected |= fails;
        let check = if fails { ReleaseCheck::Failed(start_fault::WHY.into()) } else { ReleaseCheck::Passed };
        self.complete(id, Outcome::Checked(check));
    }

    fn job(&self, id: NodeId, number: u64) -> Option<Assignment> {
        let (software, job) = self.nodes.get(&id)?.process.as_ref()?.job?;
        (job == number).then_some(software)
    }

    pub(crate) fn half_fetched(&mut self, id: NodeId, number: u64) {
        let Some(software) = self.job(id, number) else { return };
        self.apply_to_node(id, AgentEvent::Fetching { manifest: software.manifest, percent: 50 });
        self.settle_node(id);
    }

    /// A staging ends, is interrupted and resumed later, or is rejected.
    pub(crate) fn staging_ends(&mut self, id: NodeId, number: u64) {
        let Some(software) = self.job(id, number) else { return };
        let (breaks, rejected) = (self.rates.machines.staging_breaks, self.rates.machines.rejected);
        let (manager_up, healed) = (self.manager.up, self.healed);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let (breaks, rejected) = (machine.draw.chance(breaks), machine.draw.chance(rejected));
        let rejected = rejected || machine.disk_fault == Some(DiskFault::Full);
        if !manager_up || machine.cuts > 0 || (breaks && !healed) {
            self.counts.done.note(Kind::StagingBroken);
            self.queue.push(self.now + STAGING_PAUSE, WorldEvent::StagingEnds { node: id, job: number });
            return;
        }
        if let Some(process) = &mut machine.process {
            process.job = None;
        }
        let outcome = if machine.start_fault.is_some() {
            StagingOutcome::Rejected(start_fault::WHY.into())
        } else if rejected && !healed {
            self.counts.done.note(Kind::StagingRejected);
            StagingOutcome::Rejected("the disk is full".into())
        } else {
            machine.disk.other = Some((software.release, software.manifest));
            machine.disk.torn = false;
            StagingOutcome::Staged
        };
        self.staging_ended(id, software, outcome);
        self.settle_node(id);
    }

    fn staging_ended(&mut self, id: NodeId, software: Assignment, outcome: StagingOutcome) {
        self.known(id).rejected |= matches!(outcome, StagingOutcome::Rejected(_));
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let local = machine.clock.shows(self.now);
        let Some(process) = &mut machine.process else { return };
        let facts = process.node.staging_ended(local, software, outcome);
        self.note_facts(id, facts);
        let durability = self.persist_change(id);
        self.counts.events += u64::from(durability == Durability::Durable);
    }

    fn maybe_interrupt(&mut self, id: NodeId) {
        let chance = self.rates.machines.interrupted;
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        if !self.healed && machine.draw.chance(chance) {
            // It then takes the fall-back of an earlier run for one of this run: a selection that did not reach the
            // slot record cannot be distinguished from one that did.
            let fell_back = machine.disk.fell_back.is_some();
            self.known(id).rejected |= fell_back;
            self.counts.done.note(Kind::Interrupted);
            self.crash(id, Span::seconds(5), Span::minutes(2));
        }
    }

    fn report(&mut self, id: NodeId, observed: Observed) {
        let observed = Canary::alter_observed(self.canary, observed);
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        machine.unanswered = 0;
        if let Some(process) = &mut machine.process {
            process.reported = Some(observed);
        }
        self.send_report(id);
    }

    fn set_node_timer(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        // A change that cannot be made durable is retried by `persist_again`.
        let process = machine.process.as_ref().filter(|process| !process.write_failed);
        let due = process.and_then(|process| process.node.agent().next_deadline());
        if due != machine.timer {
            machine.timer = due;
            if let Some(due) = due {
                let at = machine.clock.world(due).max(self.now);
                self.queue.push(at, WorldEvent::NodeDue { node: id });
            }
        }
    }
}
