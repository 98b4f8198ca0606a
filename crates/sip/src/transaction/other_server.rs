//! The non-INVITE server transaction (RFC 3261 section 17.2.2, figure 8).

use crate::status::Status;
use crate::time::Time;
use crate::transaction::machine::{Act, Conditions, Step};

/// The states. "Terminated" is the absence of any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherServer {
    /// The user has not responded.
    Trying {
        /// When the client has given up by its timer F, so that no response helps any more (RFC 4320 section 1).
        give_up: Time,
    },
    /// A provisional response has been given.
    Proceeding {
        /// As in "Trying".
        give_up: Time,
    },
    /// A final response has been given.
    Completed {
        /// Timer J.
        until: Time,
    },
}

impl OtherServer {
    /// A request has come.
    pub(crate) fn start(now: Time, conditions: &Conditions) -> Self {
        Self::Trying { give_up: now + conditions.timers.limit() }
    }

    pub(crate) const fn deadline(self) -> Time {
        match self {
            Self::Trying { give_up: at }
            | Self::Proceeding { give_up: at }
            | Self::Completed { until: at } => at,
        }
    }

    pub(crate) fn pass_time(self, now: Time) -> Step<Self> {
        match self {
            Self::Trying { give_up } | Self::Proceeding { give_up } if give_up <= now => {
                (None, &[Act::Timeout])
            }
            Self::Completed { until } if until <= now => (None, &[]),
            Self::Trying { .. } | Self::Proceeding { .. } | Self::Completed { .. } => (Some(self), &[]),
        }
    }

    pub(crate) fn respond(self, now: Time, status: Status, conditions: &Conditions) -> Option<Step<Self>> {
        let next = match self {
            Self::Trying { give_up } | Self::Proceeding { give_up } if status.is_provisional() => {
                Some(Self::Proceeding { give_up })
            }
            Self::Trying { .. } | Self::Proceeding { .. } => {
                let until = conditions.linger(now, conditions.timers.limit());
                until.map(|until| Self::Completed { until })
            }
            Self::Completed { .. } => return None,
        };
        Some((next, &[Act::Send]))
    }

    pub(crate) fn repeated(self) -> Step<Self> {
        match self {
            Self::Trying { .. } => (Some(self), &[]),
            Self::Proceeding { .. } | Self::Completed { .. } => (Some(self), &[Act::Send]),
        }
    }
}
