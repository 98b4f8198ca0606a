//! The state of the attempt at a node, as the facts show it, and the failure threshold of a run. Data of the truth
//! only.

use fleet::fact::NodeFact;
use fleet::node::Node;
use fleet::policy::Policy;
use fleet::progress::{AttemptResult, Failure, Progress};

pub(crate) const DOUBT: &str =
    "no node is taken while one has failed and none is known to run the release (G8)";

/// The failure threshold of the run, as the operator has started it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stop {
    pub(crate) failures: u64,
    pub(crate) percent: u64,
}

impl Stop {
    pub(crate) fn of(policy: &Policy) -> Self {
        Self { failures: policy.stop_at_failures.into(), percent: policy.stop_at_failure_percent.into() }
    }
}

/// The state of the attempt at a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It was not taken out of service, or the attempt ended without failure.
    #[default]
    None,
    /// It was taken out of service.
    Taken,
    /// The attempt failed.
    Failed,
}

impl Attempt {
    /// The state that a restored manager knows.
    pub(crate) fn remembered(node: &Node, of_this_run: bool) -> Self {
        let taken = node.progress.holds_place() && !matches!(node.progress, Progress::Starting { .. });
        match node.result {
            Some(AttemptResult::Failed) => Self::Failed,
            Some(AttemptResult::Upgraded) => Self::None,
            None if taken && of_this_run => Self::Taken,
            None => Self::None,
        }
    }

    pub(crate) fn note(&mut self, what: &NodeFact) {
        let failed = |why: &Failure| matches!(why, Failure::Rejected(_) | Failure::Lost);
        match what {
            NodeFact::Preparing => *self = Self::Taken,
            NodeFact::Failed { why } | NodeFact::GivenUp { why } if *self == Self::Taken && failed(why) => {
                *self = Self::Failed;
            }
            NodeFact::Returned | NodeFact::Upgraded { .. } => *self = Self::None,
            NodeFact::Failed { .. }
            | NodeFact::GivenUp { .. }
            | NodeFact::Added
            | NodeFact::Removed
            | NodeFact::Renamed { .. }
            | NodeFact::DutyChanged(_)
            | NodeFact::OperatorMaintenanceOn { .. }
            | NodeFact::OperatorMaintenanceOff
            | NodeFact::Unfit { .. }
            | NodeFact::Fit
            | NodeFact::StartFault { .. }
            | NodeFact::StartFaultOver
            | NodeFact::ClockOff { .. }
            | NodeFact::ClockRight
            | NodeFact::OutOfDate { .. }
            | NodeFact::OutOfDateOver
            | NodeFact::Duplicated(_)
            | NodeFact::DuplicateOver
            | NodeFact::ContactMade { .. }
            | NodeFact::ContactLost
            | NodeFact::ContactRestored { .. }
            | NodeFact::Power(_)
            | NodeFact::Queued
            | NodeFact::Staged { .. }
            | NodeFact::Draining { .. }
            | NodeFact::DrainTimedOut { .. }
            | NodeFact::Installing
            | NodeFact::Rebooting => {}
        }
    }
}
