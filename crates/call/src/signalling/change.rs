//! Changes of a session by the far end: a re-INVITE or an UPDATE for hold, resume, another address, or a refresh.

use sip::method::Method;
use sip::name::Name;

use crate::sdp::Agreed;
use crate::session_timer::SessionTimer;

use super::agent::UserAgent;
use super::answer::description;
use super::call::{Call, Invite, Received, Refresh};
use super::headers;
use super::outside::read_body;
use super::response::Response;

impl UserAgent {
    /// A re-INVITE or UPDATE of the far end. What is refused changes nothing.
    pub(super) fn change(&mut self, call: &mut Call, received: &Received) {
        let (agreed, timer) = match self.review(call, received) {
            Ok(reviewed) => reviewed,
            Err(response) => {
                self.send_within(call, received, &response);
                return;
            }
        };
        call.timer = timer;
        call.refresh = Refresh::ByTimer;
        call.flow = received.arrival.flow;
        let offers = agreed.is_none();
        self.adopt(call, agreed);
        let is_invite = received.request.method() == Method::Invite;
        let response = self.agreement(call);
        let response =
            if is_invite || !offers { response.with_description(description(call)) } else { response };
        if is_invite {
            call.invite = Some(Invite { received: received.clone(), offers });
        }
        self.send_within(call, received, &response);
    }

    fn review(&self, call: &Call, received: &Received) -> Result<(Option<Agreed>, SessionTimer), Response> {
        if call.refresh == Refresh::InProgress {
            return Err(Response::new(491, Vec::new()));
        }
        if let Some(lacking) = headers::lacking(&received.request) {
            return Err(Response::new(420, vec![(Name::Unsupported, lacking)]));
        }
        let agreed = read_body(&received.request)?;
        Ok((agreed, self.agree_timer(&received.request)?))
    }

    /// Takes over what was agreed anew; without an agreement everything stays as it is.
    pub(super) fn adopt(&mut self, call: &mut Call, agreed: Option<Agreed>) {
        if agreed.is_some() {
            call.local.version += 1;
            call.agreed = agreed;
            self.tell_media(call);
        }
    }
}
