//! The loop around one node's agent, in the order of the node's program: apply an event, make it durable, act on what
//! is wanted, report.

use fleet::agent::{Agent, AgentEvent, FallBack};
use fleet::desired::Desired;
use fleet::node::NodeId;
use fleet::observed::{Admission, Calls};
use fleet::time::Time;

use super::canary::{self, Canary};
use super::promises::Promise;
use super::state::{Machine, Message, Process};
use super::transition::{Output, Transition};

impl Transition<'_> {
    pub(crate) fn apply_to_node(&mut self, id: NodeId, event: AgentEvent) {
        let now = self.state.now;
        let machine = self.state.machine_mut(id);
        let Some(process) = &mut machine.process else { return };
        let facts = process.agent.apply(now, event);
        machine.memory = process.agent.memory().clone();
        self.outputs.extend(facts.into_iter().map(|fact| Output::Node(id, fact)));
    }

    /// Acts until nothing more is wanted, then reports what has changed. A node that may leave stores that it leaves,
    /// and does nothing else before it selects its slot: power may be lost in between.
    pub(crate) fn settle(&mut self, id: NodeId) {
        let now = self.state.now;
        let Some(wants) = self.agent(id).map(Agent::wanted) else { return };
        if self.agent(id).and_then(Agent::next_deadline).is_some_and(|deadline| deadline <= now) {
            self.apply_to_node(id, AgentEvent::DeadlinePassed);
        }
        let refuse = self.agent(id).map_or(wants.refuse_calls, |agent| agent.wanted().refuse_calls);
        self.state.machine_mut(id).engine =
            if refuse.is_some() { Admission::Refusing } else { Admission::Admitting };
        // The calls are counted after admission is closed.
        self.count(id);
        match self.agent(id).and_then(|agent| agent.wanted().leave) {
            Some(software) => self.apply_to_node(id, AgentEvent::Leaving { software }),
            None => self.publish(id),
        }
    }

    fn agent(&self, id: NodeId) -> Option<&Agent> {
        self.state.machine(id).process.as_ref().map(|process| &process.agent)
    }

    fn count(&mut self, id: NodeId) {
        let machine = self.state.machine(id);
        let Some(known) = self.agent(id).map(|agent| agent.observed(self.state.now)) else { return };
        let count = if self.world.canary == Some(Canary::CallsForgotten) { 0 } else { machine.calls };
        let (admission, calls) = (machine.engine, Calls::Known { count, oldest: None });
        if known.admission != admission {
            self.apply_to_node(id, AgentEvent::Admission(admission));
        }
        if known.calls != calls {
            self.apply_to_node(id, AgentEvent::Calls(calls));
        }
    }

    /// Reports if the report has changed. The newest report is in transit until a newer one replaces it: until then it
    /// may arrive late or never.
    fn publish(&mut self, id: NodeId) {
        let now = self.state.now;
        let machine = self.state.machine(id);
        let Some(process) = &machine.process else { return };
        let mut observed = process.agent.observed(now);
        if machine.report.as_ref().is_some_and(|before| observed.says_the_same_as(before)) {
            return;
        }
        // No two reports have the same time.
        let last = machine.report.as_ref().map_or(0, |report| report.at.0);
        observed.at = now.max(Time(last + 1));
        let before = self.state.machine_mut(id).report.replace(observed);
        self.superseded.extend(before.map(|observed| Message::Report { from: id, observed }));
    }

    /// A desired state arrives.
    pub(crate) fn desired_arrives(&mut self, id: NodeId, desired: Desired) {
        let (now, canary) = (self.state.now, self.world.canary);
        let machine = self.state.machine_mut(id);
        let accepted = machine.memory.accepted.clone();
        let trying = machine.trying;
        let Some(process) = &mut machine.process else { return };
        let stale = desired.generation < accepted.generation;
        let contradicts = desired.generation == accepted.generation && desired.intent != accepted.intent;
        let before = process.agent.clone();
        let outcome = process.agent.accept(now, canary::alter_desired(canary, &accepted, desired));
        let changed = process.agent != before;
        process.answered = trying;
        machine.memory = process.agent.memory().clone();
        match outcome {
            Ok(facts) => self.outputs.extend(facts.into_iter().map(|fact| Output::Node(id, fact))),
            Err(refusal) => {
                process.agent.refused(refusal);
                self.outputs.push(Output::Refused(id, refusal));
            }
        }
        if (stale || contradicts) && changed {
            self.state.broken.insert(Promise::StaleCommands);
        }
        self.settle(id);
    }

    /// Selects the slot and restarts the machine, which must never happen while a call lives (R4).
    pub(crate) fn selects(&mut self, id: NodeId) {
        let Some(software) = self.state.machine(id).leaves_for() else { return };
        let machine = self.state.machine(id);
        if machine.other.is_none_or(|other| other.manifest != software.manifest) {
            return self.rejects(id);
        }
        if machine.calls > 0 {
            self.state.broken.insert(Promise::LivingCalls);
        }
        // The last report before the restart may or may not arrive.
        self.publish(id);
        let machine = self.state.machine_mut(id);
        machine.trying = true;
        machine.fell_back = None;
        machine.end();
    }

    /// The release cannot be staged or selected.
    pub(crate) fn rejects(&mut self, id: NodeId) {
        let Some(wants) = self.agent(id).map(Agent::wanted) else { return };
        let Some(software) = wants.restart.or(wants.stage) else { return };
        self.apply_to_node(id, AgentEvent::Rejected { software, why: "the disk is full".into() });
        self.settle(id);
    }

    pub(crate) fn staged(&mut self, id: NodeId) {
        if let Some(software) = self.agent(id).and_then(|agent| agent.wanted().stage) {
            self.state.machine_mut(id).other = Some(self.world.slot_of(software));
            self.apply_to_node(id, AgentEvent::Staged { manifest: software.manifest });
            self.settle(id);
        }
    }

    pub(crate) fn boots(&mut self, id: NodeId) {
        let canary = self.world.canary;
        let machine = self.state.machine_mut(id);
        canary::alter_memory(canary, &mut machine.memory);
        let agent = Agent::new(machine.memory.clone(), machine.start_conditions());
        machine.memory = agent.memory().clone();
        machine.process = Some(Process { agent, answered: false });
        self.settle(id);
    }

    /// The release that is tried has used up its tries, and boot falls back.
    pub(crate) fn falls_back(&mut self, id: NodeId) {
        let machine = self.state.machine_mut(id);
        machine.trying = false;
        // One that the node has drawn its conclusion from is told from this one, as two moments are.
        let at = machine.memory.fell_back_at.map_or(0, |before| 1 - before);
        machine.fell_back = machine.other.map(|slot| FallBack {
            manifest: slot.manifest,
            at,
            why: "it did not confirm itself".into(),
        });
        machine.end();
    }

    /// Confirms the slot record first, then the agent.
    pub(crate) fn confirms(&mut self, id: NodeId) {
        self.state.machine_mut(id).confirm();
        self.apply_to_node(id, AgentEvent::Confirmed);
        self.settle(id);
    }
}

impl Machine {
    /// The process ends, and its calls with it.
    pub(crate) fn end(&mut self) {
        self.process = None;
        self.engine = Admission::Refusing;
        self.calls = 0;
    }

    /// Confirms the other slot in the slot record.
    pub(crate) fn confirm(&mut self) {
        if let Some(other) = self.other {
            self.other = Some(self.confirmed);
            self.confirmed = other;
            self.trying = false;
        }
    }
}
