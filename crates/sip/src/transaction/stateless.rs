//! Answers without a transaction: what is refused costs its answer, and nothing is kept of it (RFC 3261 section
//! 8.2.7).

use alloc::format;
use alloc::string::String;

use crate::draft::Draft;
use crate::fields::Fields;
use crate::message::Request;
use crate::name::Name;
use crate::refused::Refused;
use crate::reply::Reply;
use crate::status::Status;
use crate::transaction::effect::Effect;
use crate::transaction::layer::Layer;
use crate::transport::arrival::Arrival;
use crate::transport::flow::{Destination, Flow};
use crate::value::Token;

const fn listed(code: u16) -> Status {
    Status::new(code).expect("it is listed in RFC 3261")
}

/// 481 Call/Transaction Does Not Exist.
pub(super) const NO_TRANSACTION: Status = listed(481);
/// 482 Loop Detected.
pub(super) const LOOP_DETECTED: Status = listed(482);

impl Layer {
    /// A message cannot be used: 400 and its like if an answer is owed.
    pub(super) fn refused(&mut self, flow: Flow, refused: &Refused) {
        let (Some(reply), Some(status)) = (Reply::refusing(refused), refused.status()) else { return };
        let via = refused.fields().vias().next().and_then(Result::ok);
        let arrival = Arrival::new(flow, via.as_ref());
        let draft = self.draft(&arrival, reply, refused.fields());
        self.answer(&arrival, status, draft);
    }

    /// Answers a request.
    pub(super) fn answer_at_once(&mut self, arrival: &Arrival, request: &Request, status: Status) {
        let draft = self.draft(arrival, Reply::to(request, status), request.headers());
        self.answer(arrival, status, draft);
    }

    /// Answers a request for which there is no room.
    pub(super) fn answer_busy(&mut self, arrival: &Arrival, request: &Request) {
        let reply = Reply::to(request, Status::SERVICE_UNAVAILABLE);
        let draft = self.draft(arrival, reply, request.headers());
        let draft = draft.field(Name::RetryAfter, self.settings.retry_after);
        let draft = draft.expect("a number has no control character");
        self.answer(arrival, Status::SERVICE_UNAVAILABLE, draft);
    }

    /// Whether this ACK is for an answer that was given without a transaction: such an ACK means nothing.
    pub(super) fn answered_at_once(&self, ack: &Request) -> bool {
        ack.headers().to_tag() == Some(&self.stateless_tag(ack.headers()))
    }

    fn draft(&self, arrival: &Arrival, reply: Reply<'_>, fields: &Fields) -> Draft {
        let tag = self.stateless_tag(fields);
        let tag = Token::new(&tag).expect("hexadecimal digits are a token");
        reply.seen_from(arrival.source).tagged(tag).draft()
    }

    /// Over a connection, the answer goes back over that one or nowhere: nothing waits.
    fn answer(&mut self, arrival: &Arrival, status: Status, draft: Draft) {
        let flow = match arrival.destination {
            Destination::Datagrams { local, remote } => Flow::datagrams(local, remote),
            Destination::Stream { .. } => arrival.flow,
        };
        let source = arrival.flow.remote.ip().to_canonical();
        self.effects.push(Effect::Refuse { flow, source, status, bytes: draft.finish().into() });
    }

    /// A tag for To of an answer without a transaction, that is the same when the request comes again, and in its ACK. It is no secret: who guesses it
    /// gets an ACK ignored.
    pub fn stateless_tag(&self, fields: &Fields) -> String {
        // FNV-1a, from the seed on.
        let mut hash = self.seed ^ 0xcbf2_9ce4_8422_2325;
        for name in [Name::CallId, Name::From] {
            for byte in fields.value(name).unwrap_or_default() {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        format!("{hash:016x}")
    }
}
