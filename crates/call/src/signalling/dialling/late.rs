//! Answers that nobody waits for any more: of a second fork, or to a call that has ended (RFC 3261 section 13.2.2.4).
//! Each gets its ACK and a BYE, and nothing is kept of it: if it comes again, so do they, a few times for each INVITE.

use sip::dialog::state::Dialog;
use sip::message::{Request, Response as SentResponse};
use sip::method::Method;
use sip::name::Name;
use sip::transaction::TransactionId;
use sip::transaction::outgoing::{Branch, Outgoing};
use sip::transport::flow::{Destination, Flow};

use crate::signalling::agent::UserAgent;
use crate::signalling::headers::{Field, reason};
use crate::signalling::response::finish;

/// Cause and text of the Reason in the BYE that ends such an answer.
pub(super) const TOO_LATE: (u16, &str) = (487, "answered too late");

/// The most such answers to one INVITE, repeated ones included, that are acknowledged and ended. A far end may send 2xx
/// of ever new tags for 64 × T1, and each costs a transaction.
const ANSWERS: u32 = 8;

impl UserAgent {
    /// Ends what a 2xx to an INVITE of ours has begun that no call waits for.
    pub(in crate::signalling) fn refuse_answer(
        &mut self,
        transaction: TransactionId,
        flow: Flow,
        response: &SentResponse,
    ) {
        let (now, timers) = (self.now(), self.timers());
        let is_new =
            |invite: &&Request| invite.method() == Method::Invite && invite.headers().to().tag().is_none();
        let Some(invite) = self.layer.request_of(transaction).filter(is_new) else { return };
        let answers = self.late_answers.entry(transaction).or_default();
        if *answers == ANSWERS {
            return;
        }
        *answers += 1;
        let sequence = invite.headers().cseq().number;
        let credentials = credentials_of(invite);
        let Ok(mut dialog) = Dialog::as_uac(invite, response, flow.protocol()) else { return };
        let _ = dialog.response_received(now, &timers, response, 0);
        let ack = dialog.ack(sequence).map(|ack| finish(ack, &credentials, None));
        let bye = dialog.request(Method::Bye).ok();
        let bye = bye.map(|bye| finish(bye, &[reason(TOO_LATE.0, TOO_LATE.1)], None));
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

/// The credentials of an INVITE, which the ACK for its 2xx has as well (RFC 3261 section 13.2.2.4).
fn credentials_of(invite: &Request) -> Vec<Field> {
    let of = |name: Name| {
        let values = invite.headers().values(name);
        values.map(move |value| (name, String::from_utf8_lossy(value).into_owned()))
    };
    [Name::Authorization, Name::ProxyAuthorization].into_iter().flat_map(of).collect()
}
