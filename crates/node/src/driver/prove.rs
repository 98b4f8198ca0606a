//! The confirmation of a new release, and boot's patience with it; afterwards, the watch over its call
//! engine.

use std::sync::Arc;
use std::time::Duration;

use fleet::agent::AgentEvent;
use fleet::time::Span;
use tracing::{error, info, warn};

use super::Driver;
use super::keep::Kept;
use crate::files::chain;
use crate::heartbeat::Beat;
use crate::probation::Step;

impl Driver {
    /// Does what is to be done for the confirmation, or to know that a confirmed release still answers.
    pub(super) fn prove(&mut self) {
        let now = self.parts.clock.now();
        let Some(probation) = &mut self.parts.probation else {
            if self.heartbeat.step(now) == Beat::Ask {
                self.ask_engine();
            }
            return;
        };
        match probation.step(now) {
            Step::Wait => {}
            Step::Extend(left) => self.extend(left),
            Step::AskEngine => self.ask_engine(),
            Step::Confirm => self.confirm(),
        }
    }

    pub(super) fn engine_answered(&mut self, answers: bool) {
        if !answers {
            warn!("the call engine does not answer its own OPTIONS; asking again");
        }
        let now = self.parts.clock.now();
        match &mut self.parts.probation {
            Some(probation) => probation.engine_answered(now, answers),
            None => self.heartbeat.answered(now, answers),
        }
    }

    fn extend(&self, left: Span) {
        if let Err(error) = self.parts.boot.extend(Duration::from_millis(left.0)) {
            warn!("pitlane-boot could not be asked to wait: {error}");
        }
    }

    /// Asks beside the loop, since the answer may take seconds.
    fn ask_engine(&mut self) {
        let engine = Arc::clone(&self.parts.engine);
        self.probe = Some(tokio::spawn(async move { engine.answers_options().await }));
    }

    /// The record first: once it says so, boot will not go back. Then what the node remembers, then the word.
    fn confirm(&mut self) {
        if let Err(error) = self.parts.machine.confirm(self.parts.boot.slot()) {
            error!("the release could not be confirmed: {}", chain(&error));
            return self.prove_again();
        }
        if self.apply(AgentEvent::Confirmed) == Kept::No {
            return self.prove_again();
        }
        self.parts.probation = None;
        self.heartbeat.answered(self.parts.clock.now(), true);
        self.say_ready();
    }

    /// Goes the last step again a little later; boot's clock runs meanwhile.
    fn prove_again(&mut self) {
        let now = self.parts.clock.now();
        if let Some(probation) = &mut self.parts.probation {
            probation.engine_answered(now, false);
        }
    }

    /// Tells boot that the record holds this release's confirmation.
    pub(super) fn say_ready(&self) {
        match self.parts.boot.ready() {
            Ok(()) => info!("ready"),
            Err(error) => warn!("pitlane-boot could not be told that the release is ready: {error}"),
        }
    }
}
