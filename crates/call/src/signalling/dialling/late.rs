//! Answers that nobody waits for any more: of a second fork, or to a call that was given up or has ended (RFC 3261
//! section 13.2.2.4). Each gets its ACK and a BYE, and nothing is kept of it: if it comes again, so do they.

use sip::dialog::state::Dialog;
use sip::message::Response as SentResponse;
use sip::method::Method;
use sip::transaction::TransactionId;
use sip::transaction::outgoing::{Branch, Outgoing};
use sip::transport::flow::{Destination, Flow};

use crate::signalling::agent::UserAgent;
use crate::signalling::headers::reason;
use crate::signalling::response::finish;

impl UserAgent {
    /// Ends what a 2xx to an INVITE of ours has begun that no call waits for.
    pub(in crate::signalling) fn refuse_answer(
        &mut self,
        transaction: TransactionId,
        flow: Flow,
        response: &SentResponse,
    ) {
        let (now, timers) = (self.now(), self.timers());
        let is_new = |invite: &&sip::message::Request| {
            invite.method() == Method::Invite && invite.headers().to().tag().is_none()
        };
        let Some(invite) = self.layer.request_of(transaction).filter(is_new) else { return };
        let sequence = invite.headers().cseq().number;
        let Ok(mut dialog) = Dialog::as_uac(invite, response, flow.protocol()) else { return };
        let _ = dialog.response_received(now, &timers, response, 0);
        let ack = dialog.ack(sequence).map(|ack| ack.finish());
        let bye = dialog.request(Method::Bye).ok();
        let bye = bye.map(|bye| finish(bye, &[reason(487, "answered too late")], None));
        for bytes in ack.into_iter().chain(bye) {
            self.send_back(flow, bytes);
        }
    }

    /// Sends a request over what the response came over: whoever has passed that on knows where it belongs.
    fn send_back(&mut self, flow: Flow, bytes: Vec<u8>) {
        let branch = Branch::new(self.random.branch());
        let outgoing = Outgoing { bytes, destination: Destination::back_over(flow), branch };
        if let Ok((_, effects)) = self.layer.request(self.now(), outgoing) {
            self.effects.extend(effects);
        }
    }
}
