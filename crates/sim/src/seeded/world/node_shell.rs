//! The loop around one node's agent, in the order of the shipped program: apply an event, make it durable, act on the
//! difference between what is wanted and what is in flight, report. It relies on the machine for disk, clock and calls.

use fleet::agent::{Agent, AgentEvent, AgentFact};
use fleet::desired::{Assignment, Desired};
use fleet::node::NodeId;
use fleet::observed::Admission;
use fleet::time::{Span, Time};

use super::World;
use super::event_queue::WorldEvent;
use super::machine::{DiskFault, Durability, Late, Written};
use crate::seeded::canary::Canary;
use crate::seeded::faults::start_fault;
use crate::seeded::plan::kinds::Kind;

/// The most turns of the loop at one time; a node that needs more does not settle.
const TURNS: u32 = 50;

/// The pause before an interrupted staging is resumed.
const STAGING_PAUSE: Span = Span::seconds(30);

/// How long a release that is tried takes to confirm itself after its first answer.
const CONFIRMS_AFTER: Span = Span::seconds(2);

/// The pause before a failed write is retried.
const WRITE_RETRY: Span = Span::seconds(20);

/// Whether something was done that changes what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acted {
    Yes,
    No,
}

impl World {
    /// Applies an event to a node's agent. It takes effect only if the persistent state is durable.
    pub(crate) fn apply_to_node(&mut self, id: NodeId, event: AgentEvent) -> Durability {
        self.known(id).rejected |= matches!(event, AgentEvent::Rejected { .. });
        let Some(machine) = self.nodes.get_mut(&id) else { return Durability::NotDurable };
        let local = machine.clock.shows(self.now);
        let Some(process) = &machine.process else { return Durability::NotDurable };
        let mut next = process.agent.clone();
        let facts = next.apply(local, event);
        if self.persist(id, next) == Durability::NotDurable {
            return Durability::NotDurable;
        }
        self.counts.events += 1;
        for fact in facts {
            self.counts.reached.let_go += u64::from(fact == AgentFact::LetGo);
            self.journal.line(self.now, || format!("  node{id}: {fact}"));
        }
        Durability::Durable
    }

    /// Makes the persistent state durable, and only then replaces the agent: persist, then act.
    fn persist(&mut self, id: NodeId, next: Agent) -> Durability {
        let (now, canary) = (self.now, self.canary);
        let Some(machine) = self.nodes.get_mut(&id) else { return Durability::NotDurable };
        let Some(durable) = machine.process.as_ref().map(|process| &process.durable) else {
            return Durability::NotDurable;
        };
        let written = match durable == next.memory() {
            true => Written::Durable,
            false => machine.write(next.memory(), now),
        };
        match written {
            Written::Durable => {}
            Written::NotDurable => self.counts.done.note(Kind::FailedWrite),
            Written::Uncertain => self.counts.done.note(Kind::UncertainWrite),
        }
        let Some(process) = &mut machine.process else { return Durability::NotDurable };
        let operator_draws = written == Written::Durable || canary == Some(Canary::FailedWriteCounts);
        if !operator_draws {
            if !std::mem::replace(&mut process.write_failed, true) {
                self.queue.push(now + WRITE_RETRY, WorldEvent::NodeDue { node: id });
            }
            return Durability::NotDurable;
        }
        if process.durable != *next.memory() {
            process.durable = next.memory().clone();
            process.write_failed = false;
        }
        process.agent = next;
        Durability::Durable
    }

    /// Retries a failed write.
    fn persist_again(&mut self, id: NodeId) {
        let now = self.now;
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let memory = match &machine.process {
            Some(process) if process.write_failed => process.agent.memory().clone(),
            Some(_) | None => return,
        };
        let written = machine.write(&memory, now);
        if let Some(process) = &mut machine.process {
            process.write_failed = written != Written::Durable;
            if process.write_failed {
                self.queue.push(now + WRITE_RETRY, WorldEvent::NodeDue { node: id });
            }
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
        let desired = Canary::alter_arrival(self.canary, &process.agent, desired);
        let (local, before) = (machine.clock.shows(self.now), process.agent.clone());
        let mut next = process.agent.clone();
        let outcome = next.accept(local, desired.clone());
        if let Err(refusal) = outcome {
            process.agent.refused(refusal);
        }
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
        let taken = checked == Durability::Durable
            && outcome.is_ok()
            && self.persist(to, next) == Durability::Durable;
        if trying {
            self.queue.push(self.now + CONFIRMS_AFTER, WorldEvent::Confirm { node: to, start });
        }
        self.counts.events += 1;
        self.journal.line(self.now, || format!("node{to} is sent {desired:?}: {outcome:?}"));
        self.counts.reached.commands_refused += u64::from(outcome.is_err());
        self.check_acceptance(to, &came, taken, &before);
        self.settle_node(to);
    }

    /// Acts until nothing more is wanted, then reports what has changed.
    pub(crate) fn settle_node(&mut self, id: NodeId) {
        for _ in 0..TURNS {
            if self.act(id) == Acted::No {
                self.publish(id);
                self.set_node_timer(id);
                return;
            }
        }
        self.violation("a node comes to rest", format!("node{id}"));
    }

    fn act(&mut self, id: NodeId) -> Acted {
        self.pass_deadline(id);
        self.count(id);
        let Some(machine) = self.nodes.get_mut(&id) else { return Acted::No };
        let Some(process) = &machine.process else { return Acted::No };
        let wants = Canary::alter_wants(self.canary, machine, process.agent.wanted());
        machine.engine =
            if wants.refuse_calls.is_some() { Admission::Refusing } else { Admission::Admitting };
        // The calls are counted after admission is closed.
        self.count(id);
        let Some(machine) = self.nodes.get_mut(&id) else { return Acted::No };
        let Some(process) = &machine.process else { return Acted::No };
        let wants = Canary::alter_wants(self.canary, machine, process.agent.wanted());
        self.stage(id, wants.stage);
        if let Some(software) = wants.leave {
            if self.would_not_start(id) {
                return match self.reject(id, software) {
                    Durability::Durable => Acted::Yes,
                    Durability::NotDurable => Acted::No,
                };
            }
            if self.apply_to_node(id, AgentEvent::Leaving { software }) == Durability::NotDurable {
                return Acted::No;
            }
            if self.canary == Some(Canary::GuardSkipped) {
                self.select(id, software);
                return Acted::No;
            }
            return self.maybe_interrupted(id);
        }
        match wants.restart {
            Some(software) => {
                self.select(id, software);
                Acted::No
            }
            None => Acted::No,
        }
    }

    fn pass_deadline(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get(&id) else { return };
        let Some(process) = &machine.process else { return };
        let local = machine.clock.shows(self.now);
        let due = process.agent.next_deadline().is_some_and(|deadline| deadline <= local);
        if due && self.canary != Some(Canary::HoldNeverLapses) {
            self.apply_to_node(id, AgentEvent::DeadlinePassed);
        }
    }

    /// Applies the state of the call engine, the node's fitness and the result of the start check.
    fn count(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get(&id) else { return };
        let Some(process) = &machine.process else { return };
        let local = machine.clock.shows(self.now);
        let known = process.agent.observed(local);
        let counted = Canary::alter_calls(self.canary, machine.counted(local));
        let broken = machine.unfit.then_some("a part of the call engine has failed");
        let unfit =
            process.write_failed.then_some("the memory cannot be written").or(broken).map(String::from);
        let admission = machine.engine;
        let fault = machine.noticed_start_fault(self.now);
        if known.start_fault != fault {
            self.apply_to_node(id, AgentEvent::StartChecked { fault });
        }
        if known.unfit != unfit {
            self.apply_to_node(id, AgentEvent::Fitness { unfit });
        }
        if known.admission != admission {
            self.apply_to_node(id, AgentEvent::Admission(admission));
        }
        if known.calls != counted {
            self.apply_to_node(id, AgentEvent::Calls(counted));
        }
    }

    /// Begins what is to be staged, one at a time; a staging that is no longer wanted is cancelled.
    fn stage(&mut self, id: NodeId, wanted: Option<Assignment>) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let median = self.rates.machines.staging;
        let Some(process) = &mut machine.process else { return };
        if process.job.is_some_and(|(software, _)| Some(software) != wanted) {
            process.job = None;
        }
        let (None, Some(software)) = (process.job, wanted) else { return };
        machine.jobs += 1;
        let job = machine.jobs;
        process.job = Some((software, job));
        machine.disk.other = None;
        let took = machine.draw.around(median, 48);
        self.queue.push(self.now + Span(took.0 / 2), WorldEvent::HalfFetched { node: id, job });
        self.queue.push(self.now + took, WorldEvent::StagingEnds { node: id, job });
        self.apply_to_node(id, AgentEvent::Fetching { manifest: software.manifest, percent: 0 });
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
        let event = if machine.start_fault.is_some() {
            AgentEvent::Rejected { software, why: start_fault::WHY.into() }
        } else if rejected && !healed {
            self.counts.done.note(Kind::StagingRejected);
            AgentEvent::Rejected { software, why: "the disk is full".into() }
        } else {
            machine.disk.other = Some((software.release, software.manifest));
            machine.disk.torn = false;
            AgentEvent::Staged { manifest: software.manifest }
        };
        self.apply_to_node(id, event);
        self.settle_node(id);
    }

    /// The node has stored that it leaves, and may lose power before it has selected its slot.
    fn maybe_interrupted(&mut self, id: NodeId) -> Acted {
        let chance = self.rates.machines.interrupted;
        let Some(machine) = self.nodes.get_mut(&id) else { return Acted::No };
        if !self.healed && machine.draw.chance(chance) {
            // It then takes the fall-back of an earlier run for one of this run: a selection that did not reach the
            // slot record cannot be distinguished from one that did.
            let fell_back = machine.disk.fell_back.is_some();
            self.known(id).rejected |= fell_back;
            self.counts.done.note(Kind::Interrupted);
            self.crash(id, Span::seconds(5), Span::minutes(2));
            return Acted::No;
        }
        Acted::Yes
    }

    /// Reports at once if the report differs from the last one.
    fn publish(&mut self, id: NodeId) {
        let canary = self.canary;
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        let local = machine.clock.shows(self.now);
        let Some(process) = &mut machine.process else { return };
        let observed = Canary::alter_observed(canary, process.agent.observed(local));
        if process.reported.as_ref().is_none_or(|before| !observed.says_the_same_as(before)) {
            process.reported = Some(observed);
            machine.unanswered = 0;
            self.send_report(id);
        }
    }

    fn set_node_timer(&mut self, id: NodeId) {
        let Some(machine) = self.nodes.get_mut(&id) else { return };
        // A change that cannot be made durable is retried by `persist_again`.
        let process = machine.process.as_ref().filter(|process| !process.write_failed);
        let due = process.and_then(|process| process.agent.next_deadline());
        if due != machine.timer {
            machine.timer = due;
            if let Some(due) = due {
                let at = machine.clock.world(due).max(self.now);
                self.queue.push(at, WorldEvent::NodeDue { node: id });
            }
        }
    }
}
