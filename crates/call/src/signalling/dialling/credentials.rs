//! Credentials of our requests within a call, whose far end or proxies may ask for them again.

use sip::dialog::state::Dialog;
use sip::message::Response as SentResponse;
use sip::method::Method;

use crate::signalling::agent::UserAgent;
use crate::signalling::call::{Call, Progress, Refresh};
use crate::signalling::headers::Field;
use crate::signalling::response::finish;

impl UserAgent {
    /// The credentials of our next request within a call.
    pub(in crate::signalling) fn credentials(&mut self, call: &mut Call, method: Method<'_>) -> Vec<Field> {
        let target = call.dialog.as_ref().and_then(|id| self.dialogs.get(id)).map(Dialog::target);
        let Some(target) = target.map(str::to_owned) else { return Vec::new() };
        call.authorizations.next(method, &target, self.random.number())
    }

    /// Whether a response to a request of ours within a call is a challenge that is answered: the request is sent again.
    pub(in crate::signalling) fn answers_challenge(
        &mut self,
        call: &mut Call,
        response: &SentResponse,
    ) -> bool {
        if !matches!(response.status().code(), 401 | 407)
            || call.authorizations.learn(response, &self.logins).is_err()
        {
            return false;
        }
        let is_ending = matches!(call.progress, Progress::Ending { .. });
        if response.headers().cseq().method == Method::Bye && is_ending {
            return self.send_bye_again(call);
        }
        let is_refresh = response.headers().cseq().method == Method::Invite;
        if is_refresh {
            call.refresh = Refresh::RetryAt(self.time());
        }
        is_refresh
    }

    fn send_bye_again(&mut self, call: &mut Call) -> bool {
        let fields = self.credentials(call, Method::Bye);
        let Some(id) = &call.dialog else { return false };
        let Some(Ok(draft)) = self.dialogs.change(id, |dialog| dialog.request(Method::Bye)) else {
            return false;
        };
        self.send_request(call, finish(draft, &fields, None))
    }
}
