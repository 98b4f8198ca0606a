//! The ringing of a new call: its 180, which is sent reliably to a far end that requires it (RFC 3262), and the PRACK.

use sip::dialog::provisional::first_rseq;
use sip::message::Request;

use super::agent::UserAgent;
use super::call::{Call, Invite};
use super::headers;
use super::response::Response;

impl UserAgent {
    /// Says that a call rings.
    ///
    /// A far end that only supports reliable responses gets a plain one: its loss costs no more than a tone. To one that
    /// requires them and has made no offer, nothing is said: the first reliable response would have to carry our offer
    /// (section 5), and our 200 carries it.
    pub(super) fn ring(&mut self, call: &mut Call) {
        let Some(Invite { received, offers }) = call.invite.clone() else { return };
        let mut fields = vec![self.contact(call)];
        if headers::requires_reliability(&received.request) {
            if offers {
                return;
            }
            fields.extend(headers::reliable(first_rseq(self.random.number())));
        }
        self.send_within(call, &received, &Response::new(180, fields));
    }

    /// The response to a PRACK. Its session description, if it has one, is not read: an offer may stand there when the
    /// response before it had an answer (section 5), and our 180 has none.
    pub(super) fn prack(&mut self, call: &Call, prack: &Request) -> Response {
        let is_expected = call
            .dialog
            .as_ref()
            .and_then(|id| self.dialogs.change(id, |dialog| dialog.prack_received(prack)));
        Response::new(if is_expected == Some(true) { 200 } else { 481 }, Vec::new())
    }
}
