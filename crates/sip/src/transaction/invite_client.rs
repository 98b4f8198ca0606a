//! The INVITE client transaction (RFC 3261 section 17.1.1, figure 5, as changed by RFC 6026 section 7.2).

use crate::status::Status;
use crate::time::{Millis, Time};
use crate::transaction::machine::{Act, Conditions, Failure, Resend, Step};

/// The states. "Terminated" is the absence of any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InviteClient {
    /// Nothing has come.
    Calling {
        /// Timer A.
        resend: Option<Resend>,
        /// Timer B.
        give_up: Time,
    },
    /// A provisional response has come.
    Proceeding {
        /// [`crate::transaction::settings::Settings::answer_limit`] after the last one.
        give_up: Time,
    },
    /// As "Proceeding", and the user has sent a CANCEL.
    Cancelled {
        /// The end of the transaction if nothing final comes (section 9.1).
        give_up: Time,
    },
    /// A final response other than 2xx has come.
    Completed {
        /// Timer D.
        until: Time,
    },
    /// A 2xx has come; others may come from elsewhere.
    Accepted {
        /// Timer M.
        until: Time,
    },
}

impl InviteClient {
    /// The INVITE is sent now.
    pub(crate) fn start(now: Time, conditions: &Conditions) -> Self {
        let give_up = now + conditions.timers.limit();
        Self::Calling { resend: conditions.resend(now), give_up }
    }

    pub(crate) fn deadline(self) -> Time {
        match self {
            Self::Calling { resend: Some(resend), give_up } => resend.at.min(give_up),
            Self::Calling { resend: None, give_up: at }
            | Self::Proceeding { give_up: at }
            | Self::Cancelled { give_up: at }
            | Self::Completed { until: at }
            | Self::Accepted { until: at } => at,
        }
    }

    pub(crate) fn pass_time(self, now: Time) -> Step<Self> {
        match self {
            Self::Calling { give_up, .. } | Self::Proceeding { give_up } | Self::Cancelled { give_up }
                if give_up <= now =>
            {
                (None, &[Act::Timeout])
            }
            Self::Completed { until } | Self::Accepted { until } if until <= now => (None, &[]),
            Self::Calling { resend: Some(resend), give_up } if resend.at <= now => {
                // Timer A has no limit but timer B.
                let resend = Some(resend.doubled(now, Millis(u64::MAX)));
                (Some(Self::Calling { resend, give_up }), &[Act::Send])
            }
            Self::Calling { .. }
            | Self::Proceeding { .. }
            | Self::Cancelled { .. }
            | Self::Completed { .. }
            | Self::Accepted { .. } => (Some(self), &[]),
        }
    }

    pub(crate) fn response(self, now: Time, status: Status, conditions: &Conditions) -> Step<Self> {
        let limit = conditions.timers.limit();
        match self {
            Self::Calling { .. } | Self::Proceeding { .. } if status.is_provisional() => {
                (Some(Self::Proceeding { give_up: now + conditions.answer_limit }), &[Act::Deliver])
            }
            Self::Cancelled { .. } if status.is_provisional() => (Some(self), &[Act::Deliver]),
            Self::Calling { .. } | Self::Proceeding { .. } | Self::Cancelled { .. }
                if status.is_success() =>
            {
                (Some(Self::Accepted { until: now + limit }), &[Act::Deliver])
            }
            Self::Calling { .. } | Self::Proceeding { .. } | Self::Cancelled { .. } => {
                // At least 32 s (section 17.1.1.2), which is the limit with the usual T1.
                let until = conditions.linger(now, limit.max(Millis(32_000)));
                (until.map(|until| Self::Completed { until }), &[Act::Acknowledge, Act::Deliver])
            }
            Self::Completed { .. } if !status.is_provisional() && !status.is_success() => {
                (Some(self), &[Act::Send])
            }
            Self::Accepted { .. } if status.is_success() => (Some(self), &[Act::Deliver]),
            Self::Completed { .. } | Self::Accepted { .. } => (Some(self), &[]),
        }
    }

    /// The user sends a CANCEL. `None` when that cannot be (section 9.1): nothing has come yet, or it is over.
    pub(crate) fn cancel(self, now: Time, conditions: &Conditions) -> Option<Self> {
        match self {
            Self::Proceeding { .. } => Some(Self::Cancelled { give_up: now + conditions.timers.limit() }),
            Self::Calling { .. }
            | Self::Cancelled { .. }
            | Self::Completed { .. }
            | Self::Accepted { .. } => None,
        }
    }

    /// Only what is being sent can fail. An answer to an INVITE that has arrived comes over another connection
    /// (section 18.2.2), so that one which is closed ends a transaction only before anything has come.
    pub(crate) fn failed(self, failure: Failure) -> Step<Self> {
        match (self, failure) {
            (Self::Calling { .. }, _) | (Self::Completed { .. }, Failure::Unsent) => (None, &[Act::Fail]),
            (Self::Completed { .. }, Failure::Closed)
            | (Self::Proceeding { .. } | Self::Cancelled { .. } | Self::Accepted { .. }, _) => {
                (Some(self), &[])
            }
        }
    }
}
