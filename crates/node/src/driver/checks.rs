//! The checks before a start: when they are run, and what becomes of a desired state that waits for one.

use fleet::agent::AgentEvent;
use fleet::desired::{Assignment, Desired};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::Driver;
use super::keep::Kept;
use crate::link::Handled;
use crate::preflight::Verdict;

/// The check of a release that is under way.
pub(super) type ReleaseCheck = (Assignment, JoinHandle<Result<(), String>>);

/// A desired state that waits for the check of the release for which it takes the node out of service.
#[derive(Debug)]
pub(super) struct Waiting {
    desired: Desired,
    handled: oneshot::Sender<Handled>,
}

/// Waits for the end of the check of a release, or for ever.
pub(super) async fn checked(check: &mut Option<ReleaseCheck>) -> (Assignment, Result<(), String>) {
    match check {
        Some((software, task)) => {
            let outcome = task.await.unwrap_or_else(|broken| Err(format!("the check broke off: {broken}")));
            (*software, outcome)
        }
        None => std::future::pending().await,
    }
}

/// Waits for the end of the node's check of itself, or for ever.
pub(super) async fn checked_itself(check: &mut Option<JoinHandle<Option<String>>>) -> Option<String> {
    match check {
        Some(task) => task.await.unwrap_or_else(|broken| Some(format!("the check broke off: {broken}"))),
        None => std::future::pending().await,
    }
}

impl Driver {
    /// Begins the checks whose time has come.
    pub(super) fn check_when_due(&mut self) {
        let now = self.parts.clock.now();
        if self.own_checks.step(now) {
            let asker = self.parts.asker.clone();
            self.own_check = Some(tokio::spawn(async move { asker.own().await }));
        }
        if let Some(software) = self.parts.agent.staged_to_take()
            && self.release_checks.is_due(software, now)
        {
            self.begin_check(software);
        }
    }

    /// The node has checked itself.
    pub(super) fn own_check_ended(&mut self, fault: Option<String>) {
        self.own_check = None;
        let now = self.parts.clock.now();
        self.own_checks.ended(now);
        // It changes nothing durable, so it is in force at once.
        for fact in self.parts.agent.apply(now, AgentEvent::StartChecked { fault }) {
            warn!("{fact}");
        }
    }

    /// Whether the node may leave for this software now; a check begins when the last one is too old.
    pub(super) fn is_checked(&mut self, software: Assignment) -> bool {
        let now = self.parts.clock.now();
        let fresh = self.release_checks.is_fresh(software, now);
        if !fresh && self.release_checks.may_begin(software, now) {
            self.begin_check(software);
        }
        fresh
    }

    fn begin_check(&mut self, software: Assignment) {
        if self.release_check.is_none() {
            self.release_checks.begun(software);
            let asker = self.parts.asker.clone();
            self.release_check = Some((software, tokio::spawn(async move { asker.release().await })));
        }
    }

    /// Takes a desired state, unless it takes the node out of service for a release that is to be checked
    /// first: then it waits, and no call is refused meanwhile.
    pub(super) fn accept_checked(&mut self, desired: Desired, handled: oneshot::Sender<Handled>) {
        let software = self.parts.agent.would_leave_service_for(&desired);
        let staged = self.parts.agent.staged_to_take();
        let Some(software) = software.filter(|software| staged == Some(*software)) else {
            let outcome = self.accept(desired);
            return self.handled.push((handled, outcome));
        };
        if self.release_checks.may_begin(software, self.parts.clock.now()) {
            self.begin_check(software);
        }
        match self.release_check {
            Some(_) => self.waiting.push(Waiting { desired, handled }),
            // A fault was found just now; what was refused is asked for again, and so is the release.
            None => self.handled.push((handled, Handled::Refused)),
        }
    }

    /// A release was checked.
    pub(super) fn release_check_ended(&mut self, software: Assignment, outcome: Result<(), String>) {
        self.release_check = None;
        let now = self.parts.clock.now();
        if let Err(why) = &outcome {
            info!("the check of {} has found: {why}", software.release);
        }
        let kept = match self.release_checks.ended(software, now, outcome) {
            Verdict::Fine => Kept::Yes,
            Verdict::Again => Kept::No,
            Verdict::Reject(why) => self.reject(software, why),
        };
        for Waiting { desired, handled } in std::mem::take(&mut self.waiting) {
            // What was not found fine, could not be remembered or was not asked about is asked for again.
            let leaves_for = self.parts.agent.would_leave_service_for(&desired);
            let another = leaves_for.is_some_and(|leaves_for| leaves_for != software);
            let outcome = if kept == Kept::Yes && !another { self.accept(desired) } else { Handled::Refused };
            self.handled.push((handled, outcome));
        }
    }

    /// One that is not wanted any more is nothing to reject.
    fn reject(&mut self, software: Assignment, why: String) -> Kept {
        if self.parts.agent.staged_to_take() != Some(software) {
            return Kept::Yes;
        }
        self.apply(AgentEvent::Rejected { software, why })
    }
}
