//! The INVITE server transaction (RFC 3261 section 17.2.1, figure 7, as changed by RFC 6026 section 7.1).

use crate::status::Status;
use crate::time::{Millis, Time};
use crate::transaction::machine::{Act, Conditions, Resend, Step};

/// The states. "Terminated" is the absence of any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InviteServer {
    /// No final response has been given.
    Proceeding {
        /// When 100 is sent, unless it has been or another response was given.
        trying: Option<Time>,
    },
    /// A final response other than 2xx has been given.
    Completed {
        /// Timer G.
        resend: Option<Resend>,
        /// Timer H.
        give_up: Time,
    },
    /// The ACK for it has come.
    Confirmed {
        /// Timer I.
        until: Time,
    },
    /// A 2xx has been given. The user repeats it until it has the ACK; that of the INVITE is absorbed.
    Accepted {
        /// Timer L.
        until: Time,
    },
}

impl InviteServer {
    /// An INVITE has come, and 100 is sent after a time.
    pub(crate) fn start(now: Time, trying_after: Millis) -> Self {
        Self::Proceeding { trying: Some(now + trying_after) }
    }

    pub(crate) fn deadline(self) -> Option<Time> {
        match self {
            // How long the user takes is up to the user.
            Self::Proceeding { trying } => trying,
            Self::Completed { resend, give_up } => {
                Some(resend.map_or(give_up, |resend| resend.at.min(give_up)))
            }
            Self::Confirmed { until } | Self::Accepted { until } => Some(until),
        }
    }

    pub(crate) fn pass_time(self, now: Time, conditions: &Conditions) -> Step<Self> {
        match self {
            Self::Proceeding { trying: Some(at) } if at <= now => {
                (Some(Self::Proceeding { trying: None }), &[Act::Send])
            }
            Self::Completed { give_up, .. } if give_up <= now => (None, &[Act::Timeout]),
            Self::Completed { resend: Some(resend), give_up } if resend.at <= now => {
                let resend = Some(resend.doubled(now, conditions.timers.t2));
                (Some(Self::Completed { resend, give_up }), &[Act::Send])
            }
            Self::Confirmed { until } | Self::Accepted { until } if until <= now => (None, &[]),
            Self::Proceeding { .. }
            | Self::Completed { .. }
            | Self::Confirmed { .. }
            | Self::Accepted { .. } => (Some(self), &[]),
        }
    }

    pub(crate) fn respond(self, now: Time, status: Status, conditions: &Conditions) -> Option<Step<Self>> {
        let limit = now + conditions.timers.limit();
        let next = match self {
            Self::Proceeding { .. } if status.is_provisional() => Self::Proceeding { trying: None },
            Self::Proceeding { .. } if status.is_success() => Self::Accepted { until: limit },
            Self::Proceeding { .. } => Self::Completed { resend: conditions.resend(now), give_up: limit },
            Self::Accepted { .. } if status.is_success() => self,
            Self::Completed { .. } | Self::Confirmed { .. } | Self::Accepted { .. } => return None,
        };
        Some((Some(next), &[Act::Send]))
    }

    pub(crate) fn repeated(self) -> Step<Self> {
        match self {
            Self::Proceeding { .. } => (Some(Self::Proceeding { trying: None }), &[Act::Send]),
            Self::Completed { .. } => (Some(self), &[Act::Send]),
            Self::Confirmed { .. } | Self::Accepted { .. } => (Some(self), &[]),
        }
    }

    pub(crate) fn acknowledged(self, now: Time, conditions: &Conditions) -> Step<Self> {
        match self {
            Self::Completed { .. } => {
                let until = conditions.linger(now, conditions.timers.t4);
                (until.map(|until| Self::Confirmed { until }), &[])
            }
            Self::Accepted { .. } => (Some(self), &[Act::Deliver]),
            Self::Proceeding { .. } | Self::Confirmed { .. } => (Some(self), &[]),
        }
    }
}
