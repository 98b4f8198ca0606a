//! How a call ends: why, what is sent, and what is released.

use std::time::Duration;

use sip::method::Method;
use sip::transaction::TransactionId;

use crate::calls::Stats;
use crate::dial::DialError;
use crate::participants::Departure;

use super::agent::UserAgent;
use super::call::{Call, Media, Progress, Purpose, Received};
use super::headers::reason;
use super::input::Output;
use super::response::{Refused, Response, finish};

/// How long the far end may take to answer our BYE before the call is counted as gone. The session is
/// over when the BYE leaves (RFC 3261 section 15.1.1); this only lets a restart not cut it off.
const BYE_WAIT: Duration = Duration::from_secs(4);

/// What a far end reads when the operator disconnects it: the words of the compatible clients.
const DISCONNECTED: &str = "Disconnected by an administrator";

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    HungUp,
    Cancelled,
    NoAck,
    NoPrack,
    NoCodec,
    MediaTimeout,
    NoKeys,
    SessionLapsed,
    Refused,
    /// Whoever has dialled it hangs up.
    Disconnected,
    /// The operator disconnects it.
    ByOperator,
    /// The operator ends its conference.
    WithConference,
    ShutDown,
}

impl UserAgent {
    /// Ends a call. One that is ending already goes on as it was.
    pub(super) fn end(&mut self, call: &mut Call, end: End) {
        match call.progress {
            Progress::Opening { .. } | Progress::Calling { .. } if call.dialling.is_some() => {
                call.member.depart(end.departure());
                self.give_up(call, end.of_dialled());
            }
            Progress::Opening { .. } | Progress::Ringing { .. } => self.end_unanswered(call, end),
            Progress::Answered | Progress::Confirmed => self.end_answered(call, end),
            // The process that has the call goes on with it.
            Progress::Exported { .. } | Progress::Moved { .. } | Progress::Importing(_)
                if end == End::ShutDown =>
            {
                self.leave(call);
            }
            // It is silent here because it may be heard there already.
            Progress::Exported { .. } | Progress::Moved { .. } | Progress::Importing(_) => {}
            Progress::Calling { .. } | Progress::GivenUp | Progress::Ending { .. } | Progress::Over => {}
        }
    }

    fn end_unanswered(&mut self, call: &mut Call, end: End) {
        call.member.depart(end.departure());
        self.refuse(call, Refused { response: end.refusal(), count: end.counter() });
    }

    fn end_answered(&mut self, call: &mut Call, end: End) {
        call.member.depart(end.departure());
        self.count(call.purpose, end.counter());
        self.release(call);
        if let Some(received) = call.deferred.take() {
            self.by_invite.remove(&received.transaction);
            self.send_within(call, &received, &Response::new(487, Vec::new()));
        }
        call.invite = None;
        let Some((cause, text)) = end.bye() else { return self.forget(call) };
        self.end_by_bye(call, cause, text);
        // A half-open call has no far end to wait for (it may be forged): it is gone at once.
        if end == End::NoAck {
            self.forget(call);
        }
    }

    /// Sends our BYE, and keeps the call until it is answered.
    pub(super) fn end_by_bye(&mut self, call: &mut Call, cause: u16, text: &str) {
        if self.send_bye(call, cause, text) {
            let until = self.time() + BYE_WAIT.min(self.settings.ack_timeout());
            call.progress = Progress::Ending { until };
        } else {
            self.forget(call);
        }
    }

    fn send_bye(&mut self, call: &mut Call, cause: u16, text: &str) -> bool {
        let mut fields = vec![reason(cause, text)];
        fields.extend(self.credentials(call, Method::Bye));
        let Some(id) = &call.dialog else { return false };
        let drafted = self.dialogs.change(id, |dialog| {
            dialog.await_no_ack();
            dialog.request(Method::Bye)
        });
        let Some(Ok(draft)) = drafted else { return false };
        self.send_request(call, finish(draft, &fields, None))
    }

    /// Refuses a call that has no final response.
    pub(super) fn refuse(&mut self, call: &mut Call, refused: Refused) {
        call.member.depart(Departure::Failed);
        self.count(call.purpose, refused.count);
        self.release(call);
        if let Some(invite) = call.invite.take() {
            self.by_invite.remove(&invite.received.transaction);
            if call.purpose == Purpose::Caller {
                self.report_refusal(&invite.received, &refused.response);
            }
            let written = Self::written(&invite.received, &refused.response, &call.tag);
            self.send_response(&invite.received, &written);
        }
        self.forget(call);
    }

    /// The far end gives up an INVITE that has no final response: the one that began the call, or a change that waits.
    pub(super) fn on_cancel(&mut self, call: &mut Call, cancel: &Received, invite: TransactionId) {
        let written = Self::written(cancel, &Response::new(200, Vec::new()), &call.tag);
        self.send_response(cancel, &written);
        if let Some(received) = call.deferred.take_if(|received| received.transaction == invite) {
            self.by_invite.remove(&invite);
            self.send_within(call, &received, &Response::new(487, Vec::new()));
        } else if matches!(call.progress, Progress::Opening { .. } | Progress::Ringing { .. }) {
            self.end(call, End::Cancelled);
        }
    }

    /// Nothing is left of the signalling of a call.
    pub(super) fn forget(&mut self, call: &mut Call) {
        call.progress = Progress::Over;
        self.leave_dialog(call);
    }

    /// The dialog of a call is over.
    pub(super) fn leave_dialog(&mut self, call: &mut Call) {
        if let Some(id) = call.dialog.take() {
            self.dialogs.remove(&id);
            self.by_dialog.remove(&id);
        }
    }

    pub(super) fn release(&mut self, call: &mut Call) {
        if matches!(call.media, Media::Port | Media::Leg) {
            call.media = Media::Releasing;
            self.outputs.push(Output::Release(call.id));
        }
    }
}

impl End {
    /// Cause and text of the Reason in our BYE; `None` when no BYE is due.
    fn bye(self) -> Option<(u16, &'static str)> {
        match self {
            End::HungUp | End::Cancelled | End::NoPrack => None,
            End::NoAck => Some((408, "no ACK")),
            End::NoCodec => Some((488, "no usable codec")),
            End::MediaTimeout => Some((408, "media timeout")),
            End::NoKeys => Some((488, "no keys by DTLS")),
            End::SessionLapsed => Some((408, "session timer lapsed")),
            End::Refused => Some((481, "session refresh refused")),
            End::Disconnected => Some((200, "hung up")),
            End::ByOperator | End::WithConference => Some((200, DISCONNECTED)),
            End::ShutDown => Some((503, "shutting down")),
        }
    }

    /// The final response to an INVITE that has none.
    fn refusal(self) -> Response {
        match self {
            End::ShutDown => Response::new(503, Vec::new()),
            End::NoPrack => Response::new(504, vec![reason(504, "no PRACK")]),
            End::ByOperator | End::WithConference => Response::new(603, vec![reason(603, DISCONNECTED)]),
            End::HungUp
            | End::Cancelled
            | End::NoAck
            | End::NoCodec
            | End::MediaTimeout
            | End::NoKeys
            | End::SessionLapsed
            | End::Refused
            | End::Disconnected => Response::new(487, Vec::new()),
        }
    }

    /// Why a call that is dialled has no answer.
    fn of_dialled(self) -> DialError {
        match self {
            End::ShutDown => DialError::ShutDown,
            End::HungUp
            | End::Cancelled
            | End::NoAck
            | End::NoPrack
            | End::NoCodec
            | End::MediaTimeout
            | End::NoKeys
            | End::SessionLapsed
            | End::Refused
            | End::Disconnected
            | End::ByOperator
            | End::WithConference => DialError::HungUp,
        }
    }

    /// Why the participant has left.
    fn departure(self) -> Departure {
        match self {
            End::HungUp | End::Cancelled => Departure::HungUp,
            End::NoCodec | End::NoKeys | End::Refused => Departure::Failed,
            End::NoAck | End::NoPrack | End::MediaTimeout | End::SessionLapsed => Departure::TimedOut,
            End::Disconnected | End::ByOperator => Departure::Disconnected,
            End::WithConference => Departure::ConferenceEnded,
            End::ShutDown => Departure::ShutDown,
        }
    }

    fn counter(self) -> fn(&mut Stats) {
        match self {
            End::HungUp => |stats| stats.ended_by_far_end += 1,
            End::Cancelled => |stats| stats.cancelled += 1,
            End::NoAck | End::NoPrack => |stats| stats.ended_without_ack += 1,
            End::NoCodec => |stats| stats.not_acceptable += 1,
            End::MediaTimeout => |stats| stats.ended_by_media_timeout += 1,
            End::NoKeys => |stats| stats.ended_without_keys += 1,
            End::SessionLapsed => |stats| stats.ended_by_session_timer += 1,
            End::Refused => |stats| stats.ended_by_refusal += 1,
            End::Disconnected => |stats| stats.hung_up += 1,
            End::ByOperator | End::WithConference => |stats| stats.disconnected += 1,
            End::ShutDown => |stats| stats.ended_by_shutdown += 1,
        }
    }
}
