//! Where the attempt at a node is, as the facts have it, and when a run stops by itself.

use fleet::fact::NodeFact;
use fleet::node::Node;
use fleet::policy::Policy;
use fleet::progress::{AttemptResult, Failure, Progress};

pub(crate) const DOUBT: &str =
    "no node is taken while one has failed and none is known to run the release (G8)";

/// When a run stops by itself, as the operator has started it.
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

/// Where the attempt at a node is, as the facts have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It was not taken out of service, or nothing came of it.
    #[default]
    None,
    /// It was taken out of service.
    Taken,
    /// It did not take the release.
    Failed,
}

impl Attempt {
    /// What a manager whose memory has gone back remembers of it.
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
