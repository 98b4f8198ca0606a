//! One turn of the Management Node: which effects follow from what is wanted of it and what is in flight, in which
//! order. It relies on its shell to perform each effect and to report the outcome. It has no clock and performs no I/O;
//! the manager's program and the simulations drive this one order.

use alloc::string::String;
use core::mem;

use super::{Event, Fleet, ManagerWants};
use crate::desired::Assignment;

/// What the shell does next. Those with an outcome end by [`ManagerReconciler::complete`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagerEffect {
    /// Begin to verify this release and to unpack it into the inactive slot. It has an outcome.
    BeginStaging(Assignment),
    /// Begin to let this staged release check whether it would start. It has an outcome.
    BeginCheck(Assignment),
    /// Refuse all requests from now on.
    CloseApi,
    /// Select the slot of this release, which is repeated until its outcome is reported.
    SelectSlot(Assignment),
    /// Take requests again.
    OpenApi,
    /// Commit this event, if it is still wanted then.
    Commit(ConditionalEvent),
}

/// The outcome of what is in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagerOutcome {
    /// It is done: staged, checked, or selected, so that the process ends.
    Done,
    /// It cannot be done, for this reason.
    Failed(String),
}

/// An event that counts only while the step that it ends is wanted: its run may end before the event is committed, or
/// while the commit waits for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionalEvent {
    step: ManagerWants,
    outcome: ManagerOutcome,
}

impl ConditionalEvent {
    /// The event, if its step is wanted in the state that it would be applied to.
    pub fn if_wanted(self, fleet: &Fleet) -> Option<Event> {
        let event = match self.outcome {
            ManagerOutcome::Done => Event::ManagerStaged,
            ManagerOutcome::Failed(why) => Event::ManagerRejected { why },
        };
        (fleet.manager_wants() == self.step).then_some(event)
    }

    fn rejected(step: ManagerWants, why: String) -> Self {
        Self { step, outcome: ManagerOutcome::Failed(why) }
    }
}

/// What is in flight, or follows next whatever is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Position {
    /// Nothing. What is wanted may begin.
    #[default]
    Ready,
    /// The release is being staged.
    Staging(Assignment),
    /// This process has staged the release. Its check is next, if that is still wanted.
    Staged(Assignment),
    /// The release is being checked, as a part of this step.
    Checking(Assignment, ManagerWants),
    /// The API is closed. The selection is next, or in flight.
    ApiClosed(Assignment),
    /// The slot could not be selected: the API opens before the event is committed.
    NotSelected(ConditionalEvent),
    /// The event is next.
    ToCommit(ConditionalEvent),
    /// The slot is selected: nothing more is done.
    Restarting(Assignment),
}

/// The Management Node's upgrade of itself in one process of it, with what is in flight for it. Nothing of it is
/// stored: the next process begins with a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagerReconciler {
    position: Position,
    /// The release whose check by this process has succeeded.
    checked: Option<Assignment>,
}

impl ManagerReconciler {
    /// The effect whose outcome is awaited, also for a run that is over.
    pub fn awaited(&self) -> Option<ManagerEffect> {
        self.in_flight().map(|(effect, _)| effect)
    }

    /// Whether the outcome that is awaited will count, if it comes now.
    pub fn is_wanted(&self, fleet: &Fleet) -> bool {
        self.in_flight().is_some_and(|(_, step)| step == fleet.manager_wants())
    }

    /// What is in flight, and the step that it belongs to.
    fn in_flight(&self) -> Option<(ManagerEffect, ManagerWants)> {
        match self.position {
            Position::Staging(of) => Some((ManagerEffect::BeginStaging(of), ManagerWants::Stage(of))),
            Position::Checking(of, step) => Some((ManagerEffect::BeginCheck(of), step)),
            Position::ApiClosed(of) => Some((ManagerEffect::SelectSlot(of), ManagerWants::Install(of))),
            Position::Ready
            | Position::Staged(_)
            | Position::NotSelected(_)
            | Position::ToCommit(_)
            | Position::Restarting(_) => None,
        }
    }

    /// The release whose slot is selected: the process ends.
    pub fn selected(&self) -> Option<Assignment> {
        match self.position {
            Position::Restarting(into) => Some(into),
            Position::Ready
            | Position::Staging(_)
            | Position::Staged(_)
            | Position::Checking(..)
            | Position::ApiClosed(_)
            | Position::NotSelected(_)
            | Position::ToCommit(_) => None,
        }
    }

    /// The next effect, or none until something else has happened.
    pub fn next(&mut self, fleet: &Fleet) -> Option<ManagerEffect> {
        let wants = fleet.manager_wants();
        let (position, effect) = match mem::take(&mut self.position) {
            Position::Ready => self.begin(None, wants),
            Position::Staged(of) => self.begin(Some(of), wants),
            Position::ApiClosed(of) if wants == ManagerWants::Install(of) => {
                (Position::ApiClosed(of), Some(ManagerEffect::SelectSlot(of)))
            }
            Position::ApiClosed(_) => (Position::Ready, Some(ManagerEffect::OpenApi)),
            Position::NotSelected(event) => (Position::ToCommit(event), Some(ManagerEffect::OpenApi)),
            Position::ToCommit(event) => (Position::Ready, Some(ManagerEffect::Commit(event))),
            // Two stagings would write the same slot, so one of another run ends first.
            waits @ (Position::Staging(_) | Position::Checking(..) | Position::Restarting(_)) => {
                (waits, None)
            }
        };
        self.position = position;
        effect
    }

    /// Begins what is wanted. A release that an earlier process has staged is checked once more before it is
    /// selected: the machine may have changed since.
    fn begin(&self, staged: Option<Assignment>, wants: ManagerWants) -> (Position, Option<ManagerEffect>) {
        match wants {
            ManagerWants::Nothing => (Position::Ready, None),
            ManagerWants::Stage(of) if staged != Some(of) => {
                (Position::Staging(of), Some(ManagerEffect::BeginStaging(of)))
            }
            ManagerWants::Install(of) if self.checked == Some(of) => {
                (Position::ApiClosed(of), Some(ManagerEffect::CloseApi))
            }
            ManagerWants::Stage(of) | ManagerWants::Install(of) => {
                (Position::Checking(of, wants), Some(ManagerEffect::BeginCheck(of)))
            }
        }
    }

    /// Reports the outcome of what is in flight. It changes nothing if nothing is.
    pub fn complete(&mut self, outcome: ManagerOutcome) {
        self.position = match (mem::take(&mut self.position), outcome) {
            (Position::Staging(of), ManagerOutcome::Done) => Position::Staged(of),
            (Position::Staging(of), ManagerOutcome::Failed(why)) => {
                Position::ToCommit(ConditionalEvent::rejected(ManagerWants::Stage(of), why))
            }
            (Position::Checking(of, step), ManagerOutcome::Done) => self.passed(of, step),
            (Position::Checking(_, step), ManagerOutcome::Failed(why)) => {
                Position::ToCommit(ConditionalEvent::rejected(step, why))
            }
            (Position::ApiClosed(of), ManagerOutcome::Done) => Position::Restarting(of),
            (Position::ApiClosed(of), ManagerOutcome::Failed(why)) => {
                Position::NotSelected(ConditionalEvent::rejected(ManagerWants::Install(of), why))
            }
            (
                other @ (Position::Ready
                | Position::Staged(_)
                | Position::NotSelected(_)
                | Position::ToCommit(_)
                | Position::Restarting(_)),
                ManagerOutcome::Done | ManagerOutcome::Failed(_),
            ) => other,
        };
    }

    fn passed(&mut self, of: Assignment, step: ManagerWants) -> Position {
        self.checked = Some(of);
        match step {
            ManagerWants::Stage(_) => {
                Position::ToCommit(ConditionalEvent { step, outcome: ManagerOutcome::Done })
            }
            ManagerWants::Install(_) | ManagerWants::Nothing => Position::Ready,
        }
    }
}
