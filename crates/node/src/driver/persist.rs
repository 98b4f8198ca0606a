//! Writes the node's state to disk. It relies on [`fleet::agent::Reconciler`] to let a change count only once it is
//! durable, and reports whether it is. A configuration becomes valid here once it is durable.

use fleet::agent::{AgentEvent, Durability, Outcome, PersistentState};
use fleet::desired::Desired;
use fleet::time::{Span, Time};
use tracing::{error, info, warn};
use wire::{CertificateToShow, Configuration, ShownCertificate};

use super::Driver;
use super::effects::log;
use super::faults::{Change, StateFile};
use crate::calls;
use crate::confirmation::Confirmation;
use crate::files::chain;
use crate::link::{Handled, NewRooms};
use crate::operator_certificate;

/// How often the persistent state is written though it has not changed. It carries the time, which then continues
/// from there should the machine lose power and its wall clock, and it shows that the disk can be written.
const REWRITE_EVERY: Span = Span::seconds(60);

/// How soon a disk that could not be written is tried again.
const RETRY_AFTER: Span = Span::seconds(5);

/// When the persistent state is written for the first time. A node that opens at once shows before that its disk can
/// be written; one that still has to confirm itself shows it then, and nobody can call it until it has.
pub(super) fn first_due(confirmation: Option<&Confirmation>, now: Time) -> Time {
    confirmation.map_or(now, |_| now + REWRITE_EVERY)
}

impl Driver {
    /// Applies an event to the agent.
    pub(super) fn apply(&mut self, event: AgentEvent) -> Durability {
        log(&self.parts.node.apply(self.parts.clock.now(), event));
        self.persist_change()
    }

    /// Lets the agent accept a desired state.
    pub(super) fn accept(&mut self, desired: Desired) -> Handled {
        match self.parts.node.accept(self.parts.clock.now(), desired) {
            Ok(facts) => {
                self.refusal = None;
                log(&facts);
                match self.persist_change() {
                    Durability::Durable => Handled::Taken,
                    Durability::NotDurable => Handled::Refused,
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

    /// Persists what the last event has changed, if anything.
    pub(super) fn persist_change(&mut self) -> Durability {
        match self.parts.node.to_persist().cloned() {
            Some(state) => self.persist(&state),
            None => Durability::Durable,
        }
    }

    /// Writes the persistent state and reports whether it is durable.
    pub(super) fn persist(&mut self, state: &PersistentState) -> Durability {
        let durability = self.write(state);
        self.complete(Outcome::Persisted(durability));
        durability
    }

    /// Writes the persistent state again when that is due.
    pub(super) fn rewrite_when_due(&mut self) {
        if self.rewrite_at > self.parts.clock.now() {
            return;
        }
        let state = self.parts.node.agent().persistent_state().clone();
        match self.write(&state) {
            Durability::Durable => self.parts.node.rewritten(),
            Durability::NotDurable => {}
        }
    }

    fn write(&mut self, state: &PersistentState) -> Durability {
        let stored = self.parts.state_file.store(state, &self.parts.clock);
        let now = self.parts.clock.now();
        match stored {
            Ok(()) => {
                self.rewrite_at = now + REWRITE_EVERY;
                self.written(StateFile::PersistentState);
                Durability::Durable
            }
            Err(failure) => {
                self.rewrite_at = now + RETRY_AFTER;
                self.not_written(StateFile::PersistentState, chain(&failure));
                Durability::NotDurable
            }
        }
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

    /// Why the node is not fit to take calls, when it is not: its disk must take its state, its call engine must know
    /// its calls and carry one.
    pub(super) fn check_fitness(&self) -> Option<String> {
        let engine = matches!(*self.parts.engine.calls().borrow(), call::Calls::Unknown)
            .then(|| "a part of the call engine has failed; restart the node at a quiet time".to_string());
        let probed = match &self.parts.confirmation {
            Some(confirmation) => confirmation.unfit(),
            None => self.engine_probe.unfit(),
        };
        let unfit = self.faults.unfit().or(engine).or(probed);
        if unfit.is_none() && self.parts.node.agent().unfit().is_some() {
            info!("fit to take calls again");
        }
        unfit
    }

    /// Makes other Virtual Meeting Rooms valid, once they are durable.
    pub(super) fn configure(&mut self, new: NewRooms) -> Durability {
        let new = match new {
            NewRooms::All(all) => Some(all).filter(|all| all.revision != self.parts.rooms.revision),
            // The answer to a request of before the last change. The next report says which rooms the node has.
            NewRooms::Change(change) => self.parts.rooms.with(&change),
        };
        let Some(configuration) = new else { return Durability::Durable };
        if let Err(failure) = self.parts.configuration.store(&configuration) {
            self.not_written(StateFile::Configuration, chain(&failure));
            return Durability::NotDurable;
        }
        self.written(StateFile::Configuration);
        self.parts.engine.set_rooms(calls::rooms(&configuration, &self.parts.account_rooms));
        let Configuration { revision, rooms } = &configuration;
        info!("{} Virtual Meeting Rooms, revision {revision:016x}", rooms.len());
        self.parts.rooms = configuration;
        Durability::Durable
    }

    /// Shows another certificate to callers, once it is durable which one; none if the node shows what it is to show.
    pub(super) fn certify(&mut self, wanted: Option<&CertificateToShow>) -> Durability {
        let shown = wanted.map_or(self.parts.shown, |wanted| match wanted {
            CertificateToShow::Own => ShownCertificate::Own,
            CertificateToShow::Operators(certificate) => ShownCertificate::Operators(certificate.id),
        });
        let Some(wanted) = wanted.filter(|_| shown != self.parts.shown) else {
            // Whatever could not be written before is not wanted any more.
            self.written(StateFile::Certificate);
            return Durability::Durable;
        };
        if let Err(failure) = self.parts.certificate.store(wanted) {
            self.not_written(StateFile::Certificate, chain(&failure));
            return Durability::NotDurable;
        }
        self.written(StateFile::Certificate);
        operator_certificate::show(&self.parts.engine, wanted);
        self.parts.shown = shown;
        Durability::Durable
    }
}
