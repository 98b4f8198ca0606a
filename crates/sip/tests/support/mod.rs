//! Messages of test files, and what several tests do with messages.

pub(crate) mod legal;
pub(crate) mod messages;
pub(crate) mod random;

use sip::fields::{Contacts, Fields};
use sip::framer::{Frame, Framer};
use sip::message::{self, Message, Request, Response};
use sip::name::Name;
use sip::refused::Refused;

/// A datagram that is a request.
pub(crate) fn request(bytes: &[u8]) -> Request {
    match message::datagram(bytes) {
        Ok(Message::Request(request)) => request,
        other => panic!("no request: {other:?} in {}", bytes.escape_ascii()),
    }
}

/// A datagram that is a response.
pub(crate) fn response(bytes: &[u8]) -> Response {
    match message::datagram(bytes) {
        Ok(Message::Response(response)) => response,
        other => panic!("no response: {other:?} in {}", bytes.escape_ascii()),
    }
}

/// A datagram that is refused.
pub(crate) fn refused(bytes: &[u8]) -> Box<Refused> {
    match message::datagram(bytes) {
        Err(refused) => refused,
        Ok(message) => panic!("it was not refused: {message:?}"),
    }
}

/// All frames of a stream that comes in portions of a length.
pub(crate) fn frames(stream: &[u8], portion: usize) -> Vec<Frame> {
    let mut framer = Framer::new();
    let mut found = Vec::new();
    for portion in stream.chunks(portion) {
        framer.push(portion);
        found.extend(std::iter::from_fn(|| framer.next_frame()));
    }
    found
}

/// A frame in a few words, to be compared.
pub(crate) fn described(frame: &Frame) -> String {
    match frame {
        Frame::Message(message) => format!("message {}", message.bytes().escape_ascii()),
        Frame::Refused(refused) => format!("refused: {}", refused.fault()),
        Frame::Lost(refused) => format!("lost: {}", refused.fault()),
        Frame::Ping => "ping".to_owned(),
        Frame::Pong => "pong".to_owned(),
    }
}

/// Parses every header that has an accessor, and returns how many are malformed.
pub(crate) fn malformed(fields: &Fields) -> usize {
    let mut wrong = 0;
    let mut look = |is_wrong: bool| wrong += usize::from(is_wrong);
    for list in [fields.routes(), fields.record_routes()] {
        look(list.all().is_err());
    }
    if let Contacts::Listed(list) = fields.contacts() {
        look(list.clone().all().is_err());
        for address in list.flatten() {
            let _ = (address.display_name(), address.tag(), address.expires(), address.preference());
            let user = address.uri.sip().and_then(|uri| uri.decoded_number());
            let _ = (user, address.uri.matches(address.uri));
        }
    }
    look(fields.vias().all().is_err());
    for via in fields.vias().flatten() {
        let _ = (via.transaction(), via.received(), via.rport(), via.maddr());
    }
    for list in [fields.require(), fields.proxy_require(), fields.supported(), fields.unsupported()] {
        look(list.all().is_err());
    }
    look(fields.allow().all().is_err());
    look(fields.accept().all().is_err());
    look(fields.refer_to().is_err());
    look(fields.referred_by().is_err());
    look(fields.replaces().is_err());
    look(fields.max_forwards().is_err());
    look(fields.content_length().is_err());
    look(fields.content_type().is_err());
    look(fields.expires().is_err());
    look(fields.min_expires().is_err());
    look(fields.min_se().is_err());
    look(fields.session_expires().is_err());
    look(fields.retry_after().is_err());
    look(fields.event().is_err());
    look(fields.subscription_state().is_err());
    look(fields.content_disposition().is_err());
    look(fields.reasons().all().is_err());
    look(fields.rseq().is_err());
    look(fields.rack().is_err());
    look(fields.authorizations().any(|auth| auth.is_err()));
    look(fields.proxy_authorizations().any(|auth| auth.is_err()));
    look(fields.www_authenticates().any(|auth| auth.is_err()));
    look(fields.proxy_authenticates().any(|auth| auth.is_err()));
    look(fields.has_token(Name::Supported, "timer").is_err());
    wrong
}
