//! Runs the checks before a start, and holds back a desired state that waits for one. It relies on
//! [`crate::preflight`] for when they are due and what follows from them.

use fleet::agent::{AgentEvent, Durability, ReleaseCheck};
use fleet::desired::{Assignment, Desired};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::Driver;
use crate::link::Handled;
use crate::preflight::Verdict;

/// The check of a release in flight.
pub(super) type CheckInFlight = (Assignment, JoinHandle<Result<(), String>>);

/// A desired state that waits for the check of the release for which it takes the node out of service.
#[derive(Debug)]
pub(super) struct Waiting {
    desired: Desired,
    handled: oneshot::Sender<Handled>,
}

/// Waits for the end of the check of a release, for ever if there is none.
pub(super) async fn checked(check: &mut Option<CheckInFlight>) -> (Assignment, Result<(), String>) {
    match check {
        Some((software, task)) => {
            let outcome = task.await.unwrap_or_else(|broken| Err(format!("the check broke off: {broken}")));
            (*software, outcome)
        }
        None => std::future::pending().await,
    }
}

/// Waits for the end of the node's check of itself, for ever if there is none.
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
        if let Some(software) = self.parts.node.agent().staged_to_take()
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
        for fact in self.parts.node.apply(now, AgentEvent::StartChecked { fault }) {
            warn!("{fact}");
        }
    }

    /// Whether this software would start, by a check of just now; one begins when the last one is too old. When it
    /// ends, the loop goes round again.
    pub(super) fn check_before_leaving(&mut self, software: Assignment) -> ReleaseCheck {
        let now = self.parts.clock.now();
        if self.release_checks.is_fresh(software, now) {
            return ReleaseCheck::Passed;
        }
        if self.release_checks.may_begin(software, now) {
            self.begin_check(software);
        }
        ReleaseCheck::Pending
    }

    fn begin_check(&mut self, software: Assignment) {
        if self.release_check.is_none() {
            self.release_checks.begun(software);
            let asker = self.parts.asker.clone();
            self.release_check = Some((software, tokio::spawn(async move { asker.release().await })));
        }
    }

    /// Accepts a desired state, unless it takes the node out of service for a release that is to be checked
    /// first: then it waits, and no call is refused meanwhile.
    pub(super) fn accept_checked(&mut self, desired: Desired, handled: oneshot::Sender<Handled>) {
        let software = self.parts.node.agent().would_leave_service_for(&desired);
        let staged = self.parts.node.agent().staged_to_take();
        let Some(software) = software.filter(|software| staged == Some(*software)) else {
            let outcome = self.accept(desired);
            return self.handled.push((handled, outcome));
        };
        if self.release_checks.may_begin(software, self.parts.clock.now()) {
            self.begin_check(software);
        }
        match self.release_check {
            Some(_) => self.waiting.push(Waiting { desired, handled }),
            // A fault was found just now: a refused state is sent again, and then the release is checked again.
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
        let durability = match self.release_checks.ended(software, now, outcome) {
            Verdict::Fine => Durability::Durable,
            Verdict::Again => Durability::NotDurable,
            Verdict::Reject(why) => self.reject(software, why),
        };
        for Waiting { desired, handled } in std::mem::take(&mut self.waiting) {
            // What was not found fine, could not be made durable or was not asked about is asked for again.
            let leaves_for = self.parts.node.agent().would_leave_service_for(&desired);
            let another = leaves_for.is_some_and(|leaves_for| leaves_for != software);
            let accepts = durability == Durability::Durable && !another;
            let outcome = if accepts { self.accept(desired) } else { Handled::Refused };
            self.handled.push((handled, outcome));
        }
    }

    /// One that is not wanted any more is nothing to reject.
    fn reject(&mut self, software: Assignment, why: String) -> Durability {
        if self.parts.node.agent().staged_to_take() != Some(software) {
            return Durability::Durable;
        }
        self.apply(AgentEvent::Rejected { software, why })
    }
}
