//! The confirmation of a new release, and boot's patience with it; afterwards, the watch over its call
//! engine.

use std::sync::Arc;
use std::time::Duration;

use call::Probed;
use fleet::agent::AgentEvent;
use fleet::time::Span;
use tracing::{error, info, warn};

use super::Driver;
use super::keep::Kept;
use crate::files::chain;
use crate::heartbeat::{Beat, no_call};
use crate::probation::Step;

impl Driver {
    /// Does what is to be done for the confirmation, or to know that a confirmed release still carries calls.
    pub(super) fn prove(&mut self) {
        let now = self.parts.clock.now();
        let Some(probation) = &mut self.parts.probation else {
            let refused = self.parts.engine.stats().refused_resource;
            if std::mem::replace(&mut self.refused, refused) != refused {
                self.heartbeat.refused_a_call(now);
            }
            if self.heartbeat.step(now) == Beat::Probe {
                self.probe();
            }
            return;
        };
        match probation.step(now) {
            Step::Wait => {}
            Step::Extend(left) => self.extend(left),
            Step::Probe => self.probe(),
            Step::Confirm => self.confirm(),
        }
    }

    /// The call engine has called itself.
    pub(super) fn probed(&mut self, probed: Result<(), String>) {
        let why = probed.as_ref().err().cloned();
        let is_new = self.no_call != why;
        self.no_call.clone_from(&why);
        if let Some(why) = why.filter(|_| is_new) {
            warn!("the node could not call itself, trying again: {why}");
            if self.parts.probation.is_some() {
                self.parts.unconfirmed.note(&self.parts.manifest, &no_call(&why));
            }
        }
        let now = self.parts.clock.now();
        match &mut self.parts.probation {
            Some(probation) => probation.probed(now, probed),
            None => self.heartbeat.probed(now, probed),
        }
    }

    fn extend(&self, left: Span) {
        if let Err(error) = self.parts.boot.extend(Duration::from_millis(left.0)) {
            warn!("pitlane-boot could not be asked to wait: {error}");
        }
    }

    /// Beside the loop, since it may take seconds.
    fn probe(&mut self) {
        let engine = Arc::clone(&self.parts.engine);
        self.probe = Some(tokio::spawn(async move {
            match engine.probe_call().await {
                Ok(Probed::Carried | Probed::Full) => Ok(()),
                Err(error) => Err(chain(&error)),
            }
        }));
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
        self.heartbeat.probed(self.parts.clock.now(), Ok(()));
        self.parts.unconfirmed.forget();
        self.say_ready();
    }

    /// Goes the last step again a little later; boot's clock runs meanwhile.
    fn prove_again(&mut self) {
        let now = self.parts.clock.now();
        if let Some(probation) = &mut self.parts.probation {
            probation.again(now);
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
