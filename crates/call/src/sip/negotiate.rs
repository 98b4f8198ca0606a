//! What a call agrees on: its session description and its session timer, at the start and by the far
//! end's re-INVITE or UPDATE.

use rsipstack::sip::{Header, Method, Request};
use rsipstack::transaction::Transaction;

use crate::sdp::{self, Agreed, SdpError};
use crate::session_timer::{Refresher, SessionTimer, TooShort};

use super::answer::policy;
use super::call::{Call, Event, Unacked};
use super::exchange::ServerInvite;
use super::message::{self, ALLOW, Body, SDP};
use super::reply::Reply;
use super::uas::Uas;

/// A refusal of a request: its status and headers.
pub(super) type Refusal = (u16, Vec<Header>);

/// Reads the offer of a request; `None` when it makes none and wants ours.
pub(super) fn read_body(request: &Request) -> Result<Option<Agreed>, Refusal> {
    match message::body(request) {
        Body::None => Ok(None),
        Body::Other => Err((415, vec![message::header("Accept", SDP)])),
        Body::Sdp(offer) => sdp::read_offer(offer).map(Some).map_err(|error| {
            let (status, code) = match error {
                SdpError::NoCodec => (488, 305),
                SdpError::TooLong | SdpError::Unreadable(_) => (488, 399),
            };
            let text: String = error.to_string().replace(['"', '\r', '\n'], " ");
            (status, vec![message::header("Warning", format!("{code} pitlane \"{text}\""))])
        }),
    }
}

/// Agrees on a session timer.
pub(super) fn agree_timer(uas: &Uas, request: &Request) -> Result<SessionTimer, Refusal> {
    let asked = message::session_timer(request);
    SessionTimer::agree(uas.clock.now(), asked, policy(uas))
        .map_err(|TooShort { min_se }| (422, vec![message::header("Min-SE", min_se.to_string())]))
}

impl Call {
    /// The headers of every 200 that agrees on a session.
    pub(super) fn session_headers(&self) -> Vec<Header> {
        let mut headers = vec![
            self.dialog.contact(),
            message::header("Allow", ALLOW),
            message::header("Supported", "timer"),
            message::header("Session-Expires", self.timer.response_header()),
        ];
        if self.timer.refresher == Refresher::FarEnd {
            headers.push(message::header("Require", "timer"));
        }
        headers
    }

    /// Our session description: of what was agreed, or an offer when nothing was.
    pub(super) fn description(&self) -> String {
        match &self.agreed {
            Some(agreed) => sdp::write_agreed(agreed, &self.local),
            None => sdp::write_offer(&self.local),
        }
    }

    /// A re-INVITE or UPDATE of the far end: hold, resume, another address, or a refresh of the session.
    pub(super) fn on_change(&mut self, tx: Transaction) {
        match self.review_change(&tx.original) {
            Err((status, headers)) => self.uas.reply(tx, status, headers),
            Ok((agreed, timer)) => {
                self.timer = timer;
                self.retry_refresh_at = None;
                self.dialog.refresh_target(&tx);
                self.hold = self.uas.connections.hold(self.dialog.flow().connection());
                let offers = agreed.is_none();
                self.adopt(agreed);
                if tx.original.method == Method::Invite {
                    self.answer_invite(tx, offers);
                } else {
                    let mut headers = self.session_headers();
                    let body = (!offers).then(|| self.description().into_bytes());
                    headers.extend(body.is_some().then(|| message::header("Content-Type", SDP)));
                    let events = self.sender.clone();
                    let lost = move || drop(events.try_send(Event::Unreachable));
                    self.uas.reply_or_else(tx, Reply { status: 200, headers, body }, lost);
                }
            }
        }
    }

    /// Decides about a change; nothing has changed when it is refused.
    fn review_change(&self, request: &Request) -> Result<(Option<Agreed>, SessionTimer), Refusal> {
        if self.refreshing {
            return Err((491, Vec::new()));
        }
        if let Some(lacking) = message::lacking(request) {
            return Err((420, vec![message::header("Unsupported", lacking)]));
        }
        let agreed = read_body(request)?;
        Ok((agreed, agree_timer(&self.uas, request)?))
    }

    fn answer_invite(&mut self, tx: Transaction, offers: bool) {
        let limit = self.uas.settings.ack_timeout() * 2;
        let invite = ServerInvite::drive(tx, self.sender.clone(), limit);
        self.send_answer(&invite, offers);
    }

    /// Sends the 200 to an INVITE and waits for its ACK from now on.
    pub(super) fn send_answer(&mut self, invite: &ServerInvite, offers: bool) {
        let mut headers = self.session_headers();
        headers.push(message::header("Content-Type", SDP));
        let body = Some(self.description());
        let response = self.dialog.response(&self.uas.endpoint, &invite.request, 200, headers, body);
        let until = self.uas.clock.now() + self.uas.settings.ack_timeout();
        let sequence = message::sequence(&invite.request).unwrap_or_default();
        self.unacked = Some(Unacked { sequence, until, offers });
        invite.respond(response);
    }

    /// Takes over what was agreed anew; without an agreement everything stays as it is.
    pub(super) fn adopt(&mut self, agreed: Option<Agreed>) {
        if let Some(agreed) = agreed {
            self.local.version += 1;
            self.change_media(&agreed);
            self.agreed = Some(agreed);
        }
    }
}
