//! The Management Node's own upgrade (R1), its starts, and the epochs that each start begins. Until the Management
//! Node runs the new release, no node is assigned it. Staging and restarting are the shell's part.

use alloc::string::String;
use alloc::vec::Vec;

use super::report::EPOCHS;
use super::{Fleet, Installed};
use crate::desired::Assignment;
use crate::fact::Fact;
use crate::node::Contact;
use crate::progress::Progress;
use crate::run::{Lock, ManagerStep, Outcome, Run};
use crate::time::Time;
use crate::version::{Release, Sha256};

/// What is wanted of the Management Node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagerWants {
    /// Nothing.
    Nothing,
    /// Unpack the release into the inactive slot, then [`super::Event::ManagerStaged`].
    Stage(Assignment),
    /// Select the staged slot and restart.
    Install(Assignment),
}

/// The latest epoch that is taken from a clock: a million starts below the highest that a node may report.
const CLOCK_EPOCHS: u32 = EPOCHS - (1 << 20);

impl Fleet {
    /// What is wanted of the Management Node itself.
    pub fn manager_wants(&self) -> ManagerWants {
        let Some(run) = &self.platform.run else { return ManagerWants::Nothing };
        match run.manager {
            ManagerStep::Staging { .. } => ManagerWants::Stage(run.assignment()),
            ManagerStep::Installing { .. } => ManagerWants::Install(run.assignment()),
            ManagerStep::Confirmed { .. } => ManagerWants::Nothing,
        }
    }

    pub(super) fn manager_staged(&mut self, now: Time, facts: &mut Vec<Fact>) {
        if let Some(run) = &mut self.platform.run
            && let ManagerStep::Staging { .. } = run.manager
        {
            run.manager = ManagerStep::Installing { since: now };
            facts.push(Fact::ManagerInstalling { release: run.package.release });
        }
    }

    pub(super) fn manager_rejected(&mut self, now: Time, why: String, facts: &mut Vec<Fact>) {
        if self.platform.run.as_ref().is_some_and(|run| !run.manager_is_done()) {
            self.end(now, Outcome::ManagerRejected { why }, facts);
        }
    }

    /// Continues a run where it was: no restart ends it. A restart that is not part of the run lifts its lock (R10).
    pub(super) fn manager_started(
        &mut self,
        now: Time,
        release: Release,
        fell_back: Option<(Sha256, String)>,
        facts: &mut Vec<Fact>,
    ) {
        self.platform.release = release;
        self.platform.started_at = now;
        // It has started.
        self.manager_checked(None, facts);
        self.begin_epoch(now);
        self.await_reports(now);
        let Some(run) = &mut self.platform.run else { return };
        match (run.manager, fell_back) {
            (ManagerStep::Installing { .. }, _) if release == run.package.release => {
                self.manager_confirmed(now, facts);
            }
            (ManagerStep::Installing { .. }, Some((manifest, why))) if manifest == run.package.manifest => {
                self.end(now, Outcome::ManagerFellBack { why }, facts);
            }
            (ManagerStep::Installing { .. } | ManagerStep::Staging { .. }, _) => {}
            (ManagerStep::Confirmed { .. }, _) => {
                if run.lock == Lock::Held {
                    run.lock = Lock::Lifted;
                    facts.push(Fact::LockLifted { run: run.id });
                }
            }
        }
    }

    /// Assigns the release to every node in the queue, so that they stage it.
    pub(super) fn manager_confirmed(&mut self, now: Time, facts: &mut Vec<Fact>) {
        let Some(run) = &mut self.platform.run else { return };
        run.manager = ManagerStep::Confirmed { at: now };
        self.platform.installed = Some(Installed {
            manifest: run.package.manifest,
            source: run.source,
            release: Some(run.package.release),
        });
        facts.push(Fact::ManagerUpgraded { release: run.package.release });
        self.assign_pending();
    }

    pub(super) fn assign_pending(&mut self) {
        let Some((assignment, hold)) =
            self.platform.run.as_ref().map(|run: &Run| (run.assignment(), run.policy.hold()))
        else {
            return;
        };
        for id in self.nodes.ids() {
            self.nodes.edit(id, |node| {
                if let Progress::Pending { .. } = node.progress {
                    node.assigned = Some(assignment);
                    node.hold = hold;
                }
            });
        }
    }

    /// After a start of the manager every link is down until the node reports again.
    fn await_reports(&mut self, now: Time) {
        let lost_at = now + self.policy().silent_after;
        for id in self.nodes.ids() {
            self.nodes.edit(id, |node| {
                if let Contact::Heard | Contact::Silent { .. } = node.contact {
                    node.contact = Contact::Silent { since: now, lost_at };
                }
            });
        }
    }

    /// Every start begins an epoch of its own: a manager that fell back or was restored does not know which desired
    /// states it has issued since, and must never issue another one under the same generation. The wall clock makes
    /// the epochs of two such histories differ. A clock beyond the year 2105 is wrong and is not used: its epoch
    /// would be higher than a node may report.
    fn begin_epoch(&mut self, now: Time) {
        let clock = u32::try_from(self.shown(now).0 / 1_000).unwrap_or(u32::MAX).min(CLOCK_EPOCHS);
        self.raise_epoch(self.platform.epoch.saturating_add(1).max(clock));
    }

    /// Begins an epoch for a run, as long as there is a free one.
    pub(super) fn next_epoch(&mut self) {
        self.raise_epoch(self.platform.epoch.saturating_add(1).min(u32::MAX - 1));
    }

    /// Makes every desired state from now on newer than all those of earlier epochs.
    pub(super) fn raise_epoch(&mut self, epoch: u32) {
        self.platform.epoch = epoch;
        self.nodes.epoch = epoch;
    }
}
