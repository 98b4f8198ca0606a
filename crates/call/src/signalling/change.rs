//! Changes of a session by the far end: a re-INVITE or an UPDATE for hold, resume, another address, or a refresh.

use sip::method::Method;

use crate::sdp::Offer;
use crate::session_timer::SessionTimer;

use super::agent::UserAgent;
use super::call::{Call, Invite, Received, Refresh};
use super::destination::is_translated;
use super::outside::{check_accept, read_offer};
use super::response::Response;

impl UserAgent {
    /// A re-INVITE or UPDATE of the far end. What is refused changes nothing.
    pub(super) fn change(&mut self, call: &mut Call, received: &Received) {
        let (offer, timer) = match self.review(call, received) {
            Ok(reviewed) => reviewed,
            Err(response) => {
                self.send_within(call, received, &response);
                return;
            }
        };
        call.timer = timer;
        if call.refresh != Refresh::InProgress {
            call.refresh = Refresh::ByTimer;
        }
        call.flow = received.arrival.flow;
        call.is_translated = is_translated(received);
        let is_invite = received.request.method() == Method::Invite;
        let offers = offer.is_none();
        if let (Some(offer), Some(negotiation)) = (offer, &mut call.negotiation) {
            negotiation.answer_to(&offer, self.random.generator());
            self.update_media(call);
        }
        if is_invite {
            call.invite = Some(Invite { received: received.clone(), offers });
        }
        let response = self.agreement(call);
        let response =
            if is_invite || !offers { response.with_description(self.description(call)) } else { response };
        self.send_within(call, received, &response);
    }

    fn review(&self, call: &Call, received: &Received) -> Result<(Option<Offer>, SessionTimer), Response> {
        let request = &received.request;
        if request.method() == Method::Invite {
            check_accept(request)?;
        }
        let offer = read_offer(request)?;
        // Our offer has no answer yet (RFC 3311 section 5.2); without one of theirs there is no conflict.
        if offer.is_some() && call.awaits_answer() {
            return Err(Response::new(491, Vec::new()));
        }
        self.check_family(call, offer.as_ref())?;
        Ok((offer, self.agree_timer(request)?))
    }
}
