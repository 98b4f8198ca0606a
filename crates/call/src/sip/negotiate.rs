//! What a call agrees on: its session description and its session timer, at the start and by the far
//! end's re-INVITE or UPDATE.

use rsipstack::sip::{Header, Method, Request};
use rsipstack::transaction::Transaction;

use crate::sdp::{Offer, Unacceptable, body};
use crate::session_timer::{Refresher, SessionTimer, TooShort};

use super::answer::policy;
use super::call::{Call, Event, Unacked};
use super::exchange::ServerInvite;
use super::message::{self, ALLOW, SDP};
use super::reply::Reply;
use super::uas::Uas;

/// A refusal of a request: its status and headers.
pub(super) type Refusal = (u16, Vec<Header>);

/// Reads the offer of a request; `None` when it makes none and wants ours.
pub(super) fn read_body(request: &Request) -> Result<Option<Offer>, Refusal> {
    let description = message::description(request, &request.body).map_err(|fault| refusal(&fault))?;
    description.map(Offer::read).transpose().map_err(|fault| refusal(&fault))
}

fn refusal(fault: &Unacceptable) -> Refusal {
    let accept = (fault.status() == 415).then(|| message::header("Accept", body::ACCEPTED));
    (fault.status(), std::iter::once(message::warning(fault)).chain(accept).collect())
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

    /// A re-INVITE or UPDATE of the far end: hold, resume, another address, or a refresh of the session.
    pub(super) fn on_change(&mut self, tx: Transaction) {
        match self.review_change(&tx.original) {
            Err((status, headers)) => self.uas.reply(tx, status, headers),
            Ok((offer, timer)) => {
                self.timer = timer;
                self.retry_refresh_at = None;
                self.dialog.refresh_target(&tx);
                self.hold = self.uas.connections.hold(self.dialog.flow().connection());
                let offers = offer.is_none();
                if let Some(offer) = offer {
                    self.negotiation.answer_to(&offer);
                    self.change_media();
                }
                if tx.original.method == Method::Invite {
                    self.answer_invite(tx, offers);
                } else {
                    let mut headers = self.session_headers();
                    let body = (!offers).then(|| self.negotiation.description().into_bytes());
                    headers.extend(body.is_some().then(|| message::header("Content-Type", SDP)));
                    let events = self.sender.clone();
                    let lost = move || drop(events.try_send(Event::Unreachable));
                    self.uas.reply_or_else(tx, Reply { status: 200, headers, body }, lost);
                }
            }
        }
    }

    /// Decides about a change; nothing has changed when it is refused.
    fn review_change(&self, request: &Request) -> Result<(Option<Offer>, SessionTimer), Refusal> {
        if self.refreshing {
            return Err((491, Vec::new()));
        }
        if let Some(lacking) = message::lacking(request) {
            return Err((420, vec![message::header("Unsupported", lacking)]));
        }
        let offer = read_body(request)?;
        Ok((offer, agree_timer(&self.uas, request)?))
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
        let body = Some(if offers { self.negotiation.offer() } else { self.negotiation.description() });
        let response = self.dialog.response(&self.uas.endpoint, &invite.request, 200, headers, body);
        let until = self.uas.clock.now() + self.uas.settings.ack_timeout();
        let sequence = message::sequence(&invite.request).unwrap_or_default();
        self.unacked = Some(Unacked { sequence, until, offers });
        invite.respond(response);
    }
}
