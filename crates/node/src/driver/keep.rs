//! Persist, then act: a change of the agent counts only once what it remembers is durable.

use fleet::agent::{Agent, AgentEvent, AgentFact};
use fleet::desired::Desired;
use fleet::time::{Span, Time};
use tracing::{error, info, warn};
use wire::Configuration;

use super::Driver;
use super::faults::{Change, StateFile};
use crate::calls;
use crate::files::chain;
use crate::link::Handled;
use crate::probation::Probation;

/// How often the memory is written though it has not changed. It carries the time, which then goes on
/// from there should the machine lose power and its wall clock, and it shows that the disk can be written.
const KEEP_EVERY: Span = Span::seconds(60);

/// How soon a disk that could not be written is tried again.
const KEEP_AGAIN: Span = Span::seconds(5);

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It counts.
    Yes,
    /// It could not be made durable, so it has not happened.
    No,
}

/// When the memory is written for the first time. A node that opens at once shows before that its disk can
/// be written; one that still has to confirm itself shows it then, and nobody can call it until it has.
pub(super) fn first_due(probation: Option<&Probation>, now: Time) -> Time {
    probation.map_or(now, |_| now + KEEP_EVERY)
}

impl Driver {
    /// Lets the agent take in what has happened.
    pub(super) fn apply(&mut self, event: AgentEvent) -> Kept {
        let now = self.parts.clock.now();
        let mut next = self.parts.agent.clone();
        let facts = next.apply(now, event);
        self.keep(next, &facts)
    }

    /// Lets the agent take a desired state.
    pub(super) fn accept(&mut self, desired: Desired) -> Handled {
        let now = self.parts.clock.now();
        let mut next = self.parts.agent.clone();
        match next.accept(now, desired) {
            Ok(facts) => {
                self.refusal = None;
                match self.keep(next, &facts) {
                    Kept::Yes => Handled::Taken,
                    Kept::No => Handled::Refused,
                }
            }
            Err(refusal) => {
                let refusal = refusal.to_string();
                if self.refusal.as_ref() != Some(&refusal) {
                    warn!("what the Management Node wants is not taken: {refusal}");
                }
                self.refusal = Some(refusal);
                Handled::Refused
            }
        }
    }

    /// Makes durable what the agent remembers, and only then puts the change in force.
    fn keep(&mut self, next: Agent, facts: &[AgentFact]) -> Kept {
        if self.parts.durable != *next.memory() {
            match self.parts.memory.store(next.memory(), &self.parts.clock) {
                Ok(()) => self.kept(&next),
                Err(failure) => {
                    self.not_kept(chain(&failure));
                    return Kept::No;
                }
            }
        }
        self.parts.agent = next;
        for fact in facts {
            info!("{fact}");
        }
        Kept::Yes
    }

    fn kept(&mut self, agent: &Agent) {
        self.parts.durable = agent.memory().clone();
        self.keep_at = self.parts.clock.now() + KEEP_EVERY;
        self.written(StateFile::Memory);
    }

    fn not_kept(&mut self, why: String) {
        self.keep_at = self.parts.clock.now() + KEEP_AGAIN;
        self.not_written(StateFile::Memory, why);
    }

    fn written(&mut self, file: StateFile) {
        if self.faults.written(file) == Change::New {
            info!("the state of the node can be written again");
        }
    }

    fn not_written(&mut self, file: StateFile, why: String) {
        if self.faults.failed(file, why.clone()) == Change::New {
            error!("{why}");
        }
    }

    /// Writes the memory again when its time has come.
    pub(super) fn keep_when_due(&mut self) {
        if self.keep_at > self.parts.clock.now() {
            return;
        }
        match self.parts.memory.store(self.parts.agent.memory(), &self.parts.clock) {
            Ok(()) => {
                let agent = self.parts.agent.clone();
                self.kept(&agent);
            }
            Err(failure) => self.not_kept(chain(&failure)),
        }
    }

    /// Whether the node is fit to take calls: it must be able to remember what it promises, and to count
    /// its calls. It changes nothing durable, so it is in force at once.
    pub(super) fn judge_fitness(&mut self) {
        let engine = matches!(*self.parts.engine.calls().borrow(), call::Calls::Unknown)
            .then(|| "a part of the call engine has failed; restart the node at a quiet time".to_string());
        let probed = match &self.parts.probation {
            Some(probation) => probation.unfit(),
            None => self.heartbeat.unfit(),
        };
        let unfit = self.faults.unfit().or(engine).or(probed);
        let now = self.parts.clock.now();
        if self.parts.agent.observed(now).unfit == unfit {
            return;
        }
        if unfit.is_none() {
            info!("fit to take calls again");
        }
        for fact in self.parts.agent.apply(now, AgentEvent::Fitness { unfit }) {
            info!("{fact}");
        }
    }

    /// Puts a configuration in force, once it is durable.
    pub(super) fn configure(&mut self, configuration: &Configuration) -> Kept {
        if configuration.revision == self.parts.revision {
            return Kept::Yes;
        }
        if let Err(failure) = self.parts.configuration.store(configuration) {
            self.not_written(StateFile::Configuration, chain(&failure));
            return Kept::No;
        }
        self.written(StateFile::Configuration);
        self.parts.engine.set_rooms(calls::rooms(configuration));
        self.parts.revision = configuration.revision;
        let (rooms, revision) = (configuration.rooms.len(), configuration.revision);
        info!("{rooms} Virtual Meeting Rooms, revision {revision}");
        Kept::Yes
    }

    /// Lets the agent know that a deadline has come.
    pub(super) fn apply_deadline(&mut self) {
        let now: Time = self.parts.clock.now();
        if self.parts.agent.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.apply(AgentEvent::DeadlinePassed);
        }
    }
}
