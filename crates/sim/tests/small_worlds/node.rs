//! The machine around one node's turn, which is the one that ships: it performs each effect at once, but for the
//! selection of a slot, before which power may be lost.

use fleet::agent::{
    Agent, AgentEvent, AgentFact, Durability, Effect, FallBack, Outcome, Reconciler, ReleaseCheck, Selection,
    StagingOutcome,
};
use fleet::desired::Desired;
use fleet::node::NodeId;
use fleet::observed::{Admission, Calls, Observed};
use fleet::time::Time;

use super::canary::{self, Canary};
use super::promises::Promise;
use super::state::{Machine, Message, Process};
use super::transition::{Output, Transition};

impl Transition<'_> {
    /// One turn of the node. It ends early before a slot is selected, which is a step of its own.
    pub(crate) fn settle(&mut self, id: NodeId) {
        while let Some(effect) = self.next_effect(id) {
            if matches!(effect, Effect::Select(_)) {
                return;
            }
            self.perform(id, effect);
        }
    }

    fn next_effect(&mut self, id: NodeId) -> Option<Effect> {
        let now = self.state.now;
        self.state.machine_mut(id).process.as_mut()?.node.next(now)
    }

    fn perform(&mut self, id: NodeId, effect: Effect) {
        let (now, canary) = (self.state.now, self.world.canary);
        let machine = self.state.machine_mut(id);
        let Some(process) = &mut machine.process else { return };
        let outcome = match effect {
            Effect::Persist(state) => {
                machine.persistent_state = state;
                Outcome::Persisted(Durability::Durable)
            }
            Effect::CheckFitness => Outcome::Fitness { unfit: None },
            Effect::SetAdmission(refuse) => {
                machine.engine = if refuse.is_some() { Admission::Refusing } else { Admission::Admitting };
                return;
            }
            Effect::CountCalls => {
                let count = if canary == Some(Canary::CallsForgotten) { 0 } else { machine.calls };
                Outcome::Counted { admission: machine.engine, calls: Calls::Known { count, oldest: None } }
            }
            Effect::CancelStaging(software) => {
                process.node.staging_ended(now, software, StagingOutcome::Cancelled);
                return;
            }
            Effect::CheckRelease(_) => Outcome::Checked(ReleaseCheck::Passed),
            Effect::Report(observed) => return self.publish(id, observed),
            // Each ends by a step of its own.
            Effect::BeginStaging(_) | Effect::Select(_) => return,
        };
        self.complete(id, outcome);
    }

    fn complete(&mut self, id: NodeId, outcome: Outcome) {
        let now = self.state.now;
        let Some(process) = &mut self.state.machine_mut(id).process else { return };
        let facts = process.node.complete(now, outcome);
        self.output(id, facts);
    }

    fn output(&mut self, id: NodeId, facts: Vec<AgentFact>) {
        self.outputs.extend(facts.into_iter().map(|fact| Output::Node(id, fact)));
    }

    /// Persists what the last event has changed.
    fn persist(&mut self, id: NodeId) {
        let process = self.state.machine(id).process.as_ref();
        if let Some(state) = process.and_then(|process| process.node.to_persist().cloned()) {
            self.perform(id, Effect::Persist(state));
        }
    }

    fn agent(&self, id: NodeId) -> Option<&Agent> {
        self.state.machine(id).process.as_ref().map(|process| process.node.agent())
    }

    /// Reports if the report has changed. The newest report is in transit until a newer one replaces it: until then it
    /// may arrive late or never.
    fn publish(&mut self, id: NodeId, mut observed: Observed) {
        let now = self.state.now;
        let machine = self.state.machine(id);
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
        let accepted = machine.persistent_state.accepted.clone();
        let trying = machine.trying;
        let Some(process) = &mut machine.process else { return };
        let stale = desired.generation < accepted.generation;
        let contradicts = desired.generation == accepted.generation && desired.intent != accepted.intent;
        let before = process.node.agent().clone();
        let outcome = process.node.accept(now, canary::alter_desired(canary, &accepted, desired));
        process.answered = trying;
        let is_taken = outcome.is_ok();
        match outcome {
            Ok(facts) => self.output(id, facts),
            Err(refusal) => self.outputs.push(Output::Refused(id, refusal)),
        }
        self.persist(id);
        let changed = is_taken && self.agent(id) != Some(&before);
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
        if let Some(observed) = self.agent(id).map(|agent| agent.observed(self.state.now)) {
            self.publish(id, observed);
        }
        let machine = self.state.machine_mut(id);
        machine.trying = true;
        machine.fell_back = None;
        machine.end();
    }

    /// The release cannot be staged or selected.
    pub(crate) fn rejects(&mut self, id: NodeId) {
        let why = String::from("the disk is full");
        if self.state.machine(id).leaves_for().is_some() {
            self.complete(id, Outcome::Selected(Selection::Refused(why)));
            self.settle(id);
        } else {
            self.staging_ends(id, StagingOutcome::Rejected(why));
        }
    }

    pub(crate) fn staged(&mut self, id: NodeId) {
        if let Some(software) = self.agent(id).and_then(|agent| agent.wanted().stage) {
            self.state.machine_mut(id).other = Some(self.world.slot_of(software));
            self.staging_ends(id, StagingOutcome::Staged);
        }
    }

    fn staging_ends(&mut self, id: NodeId, outcome: StagingOutcome) {
        let now = self.state.now;
        let Some(process) = &mut self.state.machine_mut(id).process else { return };
        let Some(software) = process.node.staging() else { return };
        let facts = process.node.staging_ended(now, software, outcome);
        self.output(id, facts);
        self.settle(id);
    }

    pub(crate) fn boots(&mut self, id: NodeId) {
        let canary = self.world.canary;
        let machine = self.state.machine_mut(id);
        canary::alter_persistent_state(canary, &mut machine.persistent_state);
        let node = Reconciler::new(machine.persistent_state.clone(), machine.start_conditions());
        machine.process = Some(Process { node, answered: false });
        self.settle(id);
    }

    /// The release that is tried has used up its tries, and boot falls back.
    pub(crate) fn falls_back(&mut self, id: NodeId) {
        let machine = self.state.machine_mut(id);
        machine.trying = false;
        // Distinct from the fall-back that the node has applied already, as two times are.
        let at = machine.persistent_state.fell_back_at.map_or(0, |before| 1 - before);
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
        let now = self.state.now;
        if let Some(process) = &mut self.state.machine_mut(id).process {
            process.node.apply(now, AgentEvent::Confirmed);
        }
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
