//! What the four machines share: their inputs, their actions, and retransmission with growing pauses.
//!
//! A machine is the state of one transaction and nothing else. Each function takes the state and gives the next one,
//! `None` when the transaction is over, and what is to be done, in order. Messages stay with the layer.

use crate::status::Status;
use crate::time::{Millis, Time};
use crate::transaction::invite_client::InviteClient;
use crate::transaction::invite_server::InviteServer;
use crate::transaction::other_client::OtherClient;
use crate::transaction::other_server::OtherServer;
use crate::transaction::settings::Timers;
use crate::transport::flow::Reliability;

/// What the transitions of a machine depend on beside its state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) timers: Timers,
    pub(crate) answer_limit: Millis,
    pub(crate) reliability: Reliability,
}

impl Conditions {
    /// The first retransmission, on a transport that needs any.
    pub(crate) fn resend(&self, now: Time) -> Option<Resend> {
        match self.reliability {
            Reliability::Reliable => None,
            Reliability::Unreliable => Some(Resend::in_(now, self.timers.t1)),
        }
    }

    /// How long a transaction is kept for what is still under way, `None` on a transport where nothing is.
    pub(crate) fn linger(&self, now: Time, length: Millis) -> Option<Time> {
        match self.reliability {
            Reliability::Reliable => None,
            Reliability::Unreliable => Some(now + length),
        }
    }
}

/// The next retransmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resend {
    pub(crate) at: Time,
    pause: Millis,
}

impl Resend {
    /// After a pause.
    pub(crate) fn in_(now: Time, pause: Millis) -> Self {
        // No pause at all would never end.
        let pause = pause.max(Millis(1));
        Self { at: now + pause, pause }
    }

    /// After twice the last pause, or `most` if that is shorter.
    pub(crate) fn doubled(self, now: Time, most: Millis) -> Self {
        Self::in_(now, (self.pause * 2).min(most))
    }
}

/// An action of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Send what the transaction has sent last: its request, its ACK or its response.
    Send,
    /// Send the ACK for this response.
    Acknowledge,
    /// Pass the message on that has come.
    Deliver,
    /// Notify the user that what had to come has not come in time.
    Timeout,
    /// Notify the user that something could not be sent.
    Fail,
}

/// The next state, `None` when the transaction is over, and what is to be done.
pub(crate) type Step<S> = (Option<S>, &'static [Act]);

/// How a transport failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Something could not be sent.
    Unsent,
    /// The connection that the last message went over was closed. It may or may not have arrived.
    Closed,
}

/// The state of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    InviteClient(InviteClient),
    OtherClient(OtherClient),
    /// An ACK for a 2xx, which is sent once and belongs to no transaction (section 13.2.2.4).
    Ack,
    InviteServer(InviteServer),
    OtherServer(OtherServer),
}

/// Wraps the state of one machine.
fn step<S>((state, acts): Step<S>, wrap: impl FnOnce(S) -> Machine) -> Step<Machine> {
    (state.map(wrap), acts)
}

impl Machine {
    /// When something is due though nothing happens.
    pub(crate) fn deadline(self) -> Option<Time> {
        match self {
            Self::InviteClient(state) => Some(state.deadline()),
            Self::OtherClient(state) => Some(state.deadline()),
            Self::Ack => None,
            Self::InviteServer(state) => state.deadline(),
            Self::OtherServer(state) => Some(state.deadline()),
        }
    }

    /// Time has passed.
    pub(crate) fn pass_time(self, now: Time, conditions: &Conditions) -> Step<Self> {
        match self {
            Self::InviteClient(state) => step(state.pass_time(now), Self::InviteClient),
            Self::OtherClient(state) => step(state.pass_time(now, conditions), Self::OtherClient),
            Self::Ack => (Some(self), &[]),
            Self::InviteServer(state) => step(state.pass_time(now, conditions), Self::InviteServer),
            Self::OtherServer(state) => step(state.pass_time(now), Self::OtherServer),
        }
    }

    /// A response has come.
    pub(crate) fn response(self, now: Time, status: Status, conditions: &Conditions) -> Step<Self> {
        match self {
            Self::InviteClient(state) => step(state.response(now, status, conditions), Self::InviteClient),
            Self::OtherClient(state) => step(state.response(now, status, conditions), Self::OtherClient),
            Self::Ack | Self::InviteServer(_) | Self::OtherServer(_) => (Some(self), &[]),
        }
    }

    /// The request has come again.
    pub(crate) fn repeated(self) -> Step<Self> {
        match self {
            Self::InviteServer(state) => step(state.repeated(), Self::InviteServer),
            Self::OtherServer(state) => step(state.repeated(), Self::OtherServer),
            Self::InviteClient(_) | Self::OtherClient(_) | Self::Ack => (Some(self), &[]),
        }
    }

    /// An ACK has come.
    pub(crate) fn acknowledged(self, now: Time, conditions: &Conditions) -> Step<Self> {
        match self {
            Self::InviteServer(state) => step(state.acknowledged(now, conditions), Self::InviteServer),
            Self::InviteClient(_) | Self::OtherClient(_) | Self::Ack | Self::OtherServer(_) => {
                (Some(self), &[])
            }
        }
    }

    /// The user responds. `None` when that cannot be: a final response was given before.
    pub(crate) fn respond(self, now: Time, status: Status, conditions: &Conditions) -> Option<Step<Self>> {
        match self {
            Self::InviteServer(state) => {
                state.respond(now, status, conditions).map(|next| step(next, Self::InviteServer))
            }
            Self::OtherServer(state) => {
                state.respond(now, status, conditions).map(|next| step(next, Self::OtherServer))
            }
            Self::InviteClient(_) | Self::OtherClient(_) | Self::Ack => None,
        }
    }

    /// A transport has failed. What a server transaction could not send stays to be asked for again (RFC 6026
    /// section 7.1, RFC 3261 section 17.2.4 as changed by it).
    pub(crate) fn failed(self, failure: Failure) -> Step<Self> {
        match (self, failure) {
            (Self::InviteClient(state), _) => step(state.failed(failure), Self::InviteClient),
            (Self::OtherClient(state), _) => step(state.failed(failure), Self::OtherClient),
            (Self::Ack, Failure::Unsent) => (None, &[Act::Fail]),
            (Self::InviteServer(_) | Self::OtherServer(_), Failure::Unsent) => (Some(self), &[Act::Fail]),
            (Self::Ack | Self::InviteServer(_) | Self::OtherServer(_), Failure::Closed) => (Some(self), &[]),
        }
    }
}
