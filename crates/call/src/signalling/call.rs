//! One call as data.

use sip::dialog::id::DialogId;
use sip::message::Request;
use sip::transaction::TransactionId;
use sip::transport::arrival::Arrival;
use sip::transport::flow::Flow;

use crate::audio::Participant;
use crate::media::leg::Outgoing;
use crate::rooms::RoomName;
use crate::sdp::{Negotiation, Offer};
use crate::session_timer::SessionTimer;
use crate::srtp;
use crate::time::Time;

use super::authentication::Authorizations;
use super::dialling::Dialling;
use super::member::Member;

/// A request of the far end that waits for its response.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) transaction: TransactionId,
    pub(super) arrival: Arrival,
    pub(super) request: Request,
}

/// Whose call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A caller's, or one that this node has dialled; it is counted.
    Caller,
    /// The engine's own, to itself; it is not counted.
    Probe,
}

/// How far the signalling of a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its media port is being opened, for so many times before; `retry` is when it is tried again.
    Opening { tries: u32, retry: Option<Time> },
    /// It rings until then.
    Ringing { until: Time },
    /// This node has dialled it, and waits for an answer until then; the turn of the present target ends at `turn`.
    Calling { until: Time, turn: Time },
    /// This node has given it up, and its INVITE has no final response yet.
    GivenUp,
    /// Our 200 is sent, and was never confirmed; or that of the far end has just come.
    Answered,
    /// The far end has our 200.
    Confirmed,
    /// It was exported to another process, and goes on here. Nothing is said of it by then: that process is lost.
    Exported { until: Time },
    /// Another process has taken it over; messages for it may still arrive until then.
    Moved { until: Time },
    /// It is being taken over from another process.
    Importing(Import),
    /// Our BYE is sent; it waits for the answer until then.
    Ending { until: Time },
    /// Nothing of it is left.
    Over,
}

/// How far a call has come that is being taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Import {
    /// Its media port is being opened.
    Opening,
    /// The far end is asked whether it answers here.
    Probing { until: Time },
    /// It does; the other calls of the conference are waited for.
    Ready { until: Time },
    /// Our re-INVITE is in progress.
    TakingOver,
}

/// The media of a call as the shell has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// No port, or it was released.
    None,
    /// A port is asked for or open, and no leg.
    Port,
    /// The leg is in its conference.
    Leg,
    /// It is being released.
    Releasing,
}

/// An INVITE of the far end for which no ACK has come, or no final response was sent.
#[derive(Clone, Debug)]
pub(super) struct Invite {
    pub(super) received: Received,
    /// The 200 carries an offer, so the ACK carries the answer.
    pub(super) offers: bool,
}

/// Our refreshes of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refresh {
    /// The session timer says when the next one is due.
    ByTimer,
    /// One was refused for now and is due again then.
    RetryAt(Time),
    /// One was refused because of a request of the far end, and the dialog says when it is due again.
    Delayed,
    /// One is in progress.
    InProgress,
}

/// A call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) id: Participant,
    pub(super) purpose: Purpose,
    pub(super) began: Time,
    pub(super) room: RoomName,
    pub(super) member: Member,
    /// Our tag in its dialog.
    pub(super) tag: String,
    pub(super) progress: Progress,
    pub(super) media: Media,
    pub(super) invite: Option<Invite>,
    /// A change that has overtaken the ACK before it, and waits for that ACK.
    pub(super) deferred: Option<Received>,
    /// Its dialog, from the first response with a tag on.
    pub(super) dialog: Option<DialogId>,
    /// Whether our Contact is a SIPS URI.
    pub(super) secure: bool,
    /// What the last request came over that named the far end's target, or its last response to the INVITE by which
    /// this node dials; before one comes, what that INVITE goes over.
    pub(super) flow: Flow,
    /// Whether the far end is behind address translation, by what that request says of its sender.
    pub(super) is_translated: bool,
    /// The identifier of our session descriptions.
    pub(super) session: u64,
    /// What the INVITE offers, until there is a media port to answer with.
    pub(super) offer: Option<Offer>,
    /// All offers and answers of the call, from its media port on.
    pub(super) negotiation: Option<Negotiation>,
    pub(super) stream: Outgoing,
    /// What another process has received of the far end, whose sound is encrypted, until there is a leg.
    pub(super) received: Option<Box<srtp::Received>>,
    pub(super) timer: SessionTimer,
    pub(super) refresh: Refresh,
    /// What is left to be tried until the answer of a call that this node dials.
    pub(super) dialling: Option<Box<Dialling>>,
    /// The challenges that our requests answer.
    pub(super) authorizations: Authorizations,
}

impl Call {
    /// Whether nothing is left to wait for.
    pub(super) fn is_over(&self) -> bool {
        self.progress == Progress::Over && self.media == Media::None
    }

    /// Whether it is a callers' call of this node: one that another process has taken over is not any more when its leg
    /// has left.
    pub(super) fn is_counted(&self) -> bool {
        let has_left = matches!(self.progress, Progress::Moved { .. } | Progress::Over);
        self.purpose == Purpose::Caller && !(has_left && self.media == Media::None)
    }

    /// Whether nothing is left of it in its conference that could move: it was given up, is ending, or has moved.
    pub(super) fn has_left(&self) -> bool {
        match self.progress {
            Progress::GivenUp | Progress::Ending { .. } | Progress::Moved { .. } | Progress::Over => true,
            Progress::Opening { .. }
            | Progress::Ringing { .. }
            | Progress::Calling { .. }
            | Progress::Answered
            | Progress::Confirmed
            | Progress::Exported { .. }
            | Progress::Importing(_) => false,
        }
    }

    /// Whether an offer of ours waits for its answer: in a refresh, or in a 200 whose ACK is missing.
    pub(super) fn awaits_answer(&self) -> bool {
        self.refresh == Refresh::InProgress || self.invite.as_ref().is_some_and(|invite| invite.offers)
    }

    /// When the session is to be refreshed by us; `None` while it is being refreshed, an ACK is missing, or the far
    /// end does it.
    pub(super) fn refresh_at(&self) -> Option<Time> {
        match self.refresh {
            _ if self.invite.is_some() => None,
            Refresh::Delayed | Refresh::InProgress => None,
            Refresh::RetryAt(at) => Some(at),
            Refresh::ByTimer => self.timer.refresh_at(),
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.progress {
            Progress::Opening { retry, .. } => retry,
            Progress::Ringing { until }
            | Progress::Calling { turn: until, .. }
            | Progress::Ending { until }
            | Progress::Exported { until }
            | Progress::Moved { until }
            | Progress::Importing(Import::Probing { until } | Import::Ready { until }) => Some(until),
            Progress::Importing(Import::Opening | Import::TakingOver) | Progress::GivenUp => None,
            Progress::Answered | Progress::Confirmed => {
                let lapse = self.timer.lapses_at();
                Some(self.refresh_at().map_or(lapse, |refresh| refresh.min(lapse)))
            }
            Progress::Over => None,
        }
    }
}
