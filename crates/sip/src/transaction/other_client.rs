//! The non-INVITE client transaction (RFC 3261 section 17.1.2, figure 6).

use crate::status::Status;
use crate::time::Time;
use crate::transaction::machine::{Act, Conditions, Failure, Resend, Step};

/// The states. "Terminated" is the absence of any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherClient {
    /// Nothing has come.
    Trying {
        /// Timer E.
        resend: Option<Resend>,
        /// Timer F.
        give_up: Time,
    },
    /// A provisional response has come.
    Proceeding {
        /// Timer E.
        resend: Option<Resend>,
        /// Timer F.
        give_up: Time,
    },
    /// A final response has come.
    Completed {
        /// Timer K.
        until: Time,
    },
}

impl OtherClient {
    /// The request is sent now.
    pub(crate) fn start(now: Time, conditions: &Conditions) -> Self {
        let give_up = now + conditions.timers.limit();
        Self::Trying { resend: conditions.resend(now), give_up }
    }

    pub(crate) fn deadline(self) -> Time {
        match self {
            Self::Trying { resend, give_up } | Self::Proceeding { resend, give_up } => {
                resend.map_or(give_up, |resend| resend.at.min(give_up))
            }
            Self::Completed { until } => until,
        }
    }

    pub(crate) fn pass_time(self, now: Time, conditions: &Conditions) -> Step<Self> {
        let most = conditions.timers.t2;
        match self {
            Self::Trying { give_up, .. } | Self::Proceeding { give_up, .. } if give_up <= now => {
                (None, &[Act::Timeout])
            }
            Self::Completed { until } if until <= now => (None, &[]),
            Self::Trying { resend: Some(resend), give_up } if resend.at <= now => {
                let resend = Some(resend.doubled(now, most));
                (Some(Self::Trying { resend, give_up }), &[Act::Send])
            }
            Self::Proceeding { resend: Some(resend), give_up } if resend.at <= now => {
                let resend = Some(Resend::in_(now, most));
                (Some(Self::Proceeding { resend, give_up }), &[Act::Send])
            }
            Self::Trying { .. } | Self::Proceeding { .. } | Self::Completed { .. } => (Some(self), &[]),
        }
    }

    pub(crate) fn response(self, now: Time, status: Status, conditions: &Conditions) -> Step<Self> {
        match self {
            Self::Trying { resend, give_up } | Self::Proceeding { resend, give_up }
                if status.is_provisional() =>
            {
                (Some(Self::Proceeding { resend, give_up }), &[Act::Deliver])
            }
            Self::Trying { .. } | Self::Proceeding { .. } => {
                let until = conditions.linger(now, conditions.timers.t4);
                (until.map(|until| Self::Completed { until }), &[Act::Deliver])
            }
            Self::Completed { .. } => (Some(self), &[]),
        }
    }

    /// As with an INVITE; here, something is sent in "Proceeding" as well.
    pub(crate) fn failed(self, failure: Failure) -> Step<Self> {
        match (self, failure) {
            (Self::Trying { .. }, _) | (Self::Proceeding { .. }, Failure::Unsent) => (None, &[Act::Fail]),
            (Self::Proceeding { .. }, Failure::Closed) | (Self::Completed { .. }, _) => (Some(self), &[]),
        }
    }
}
