//! Confirms a new release, and lets boot wait as long as that takes; afterwards probes the call engine of the
//! confirmed release. It relies on [`crate::confirmation`] and [`crate::engine_probe`] for when, and never confirms
//! before the slot record says so.

use std::sync::Arc;
use std::time::Duration;

use call::Probed;
use fleet::agent::{AgentEvent, Durability};
use fleet::time::Span;
use tracing::{error, info, warn};

use super::Driver;
use crate::confirmation::Step;
use crate::engine_probe::{Due, no_call};
use crate::files::chain;

impl Driver {
    /// Does what is due for the confirmation, or to know that a confirmed release still carries calls.
    pub(super) fn confirm_or_probe(&mut self) {
        let now = self.parts.clock.now();
        let Some(confirmation) = &mut self.parts.confirmation else {
            let refused = self.parts.engine.stats().refused_resource;
            if std::mem::replace(&mut self.refused, refused) != refused {
                self.engine_probe.refused_a_call(now);
            }
            if self.engine_probe.step(now) == Due::Probe {
                self.probe();
            }
            return;
        };
        match confirmation.step(now) {
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
            if self.parts.confirmation.is_some() {
                self.parts.unconfirmed.note(&self.parts.manifest, &no_call(&why));
            }
        }
        let now = self.parts.clock.now();
        match &mut self.parts.confirmation {
            Some(confirmation) => confirmation.probed(now, probed),
            None => self.engine_probe.probed(now, probed),
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

    /// The slot record first: once it says so, boot does not fall back. Then the persistent state, then the message to boot.
    fn confirm(&mut self) {
        if let Err(error) = self.parts.machine.confirm(self.parts.boot.slot()) {
            error!("the release could not be confirmed: {}", chain(&error));
            return self.confirm_later();
        }
        if self.apply(AgentEvent::Confirmed) == Durability::NotDurable {
            return self.confirm_later();
        }
        self.parts.confirmation = None;
        self.engine_probe.probed(self.parts.clock.now(), Ok(()));
        self.parts.unconfirmed.forget();
        self.report_ready();
    }

    /// Repeats the last step a little later; the time that boot gives runs meanwhile.
    fn confirm_later(&mut self) {
        let now = self.parts.clock.now();
        if let Some(confirmation) = &mut self.parts.confirmation {
            confirmation.again(now);
        }
    }

    /// Reports to boot that the record holds this release's confirmation.
    pub(super) fn report_ready(&self) {
        match self.parts.boot.ready() {
            Ok(()) => info!("ready"),
            Err(error) => warn!("pitlane-boot could not be notified that the release is ready: {error}"),
        }
    }
}
