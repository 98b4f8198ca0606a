//! Messages of test files, and what several tests do with messages.

pub(crate) mod legal;
pub(crate) mod random;

use sip::fields::{Contacts, Fields};
use sip::framer::{Frame, Framer};
use sip::message::{self, Message, Request, Response};
use sip::name::Name;
use sip::refused::Refused;

/// The messages of a file by their names, in the notation that `messages/rfc4475.txt` explains.
pub(crate) fn messages(file: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for line in file.lines().filter(|line| !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix("== ") {
            let name = title.split(' ').next().unwrap_or_default();
            found.push((name.to_owned(), Vec::new()));
            continue;
        }
        let bytes = &mut found.last_mut().expect("a title stands first").1;
        bytes.extend(expanded(line));
        bytes.extend(b"\r\n");
    }
    found
}

/// A line with its notation replaced by what it stands for.
fn expanded(line: &str) -> Vec<u8> {
    for (open, close) in [("<hex>", "</hex>"), ("<repeat count=", "</repeat>"), ("<sdp>", "</sdp>")] {
        let Some((before, rest)) = line.split_once(open) else { continue };
        let (inside, after) = rest.split_once(close).expect("what opens closes");
        let meant = match open {
            "<hex>" => hex(inside),
            "<sdp>" => sdp(inside),
            _ => {
                let (count, text) = inside.split_once('>').expect("a count and a text");
                text.repeat(count.parse().expect("a count")).into_bytes()
            }
        };
        return [expanded(before), meant, expanded(after)].concat();
    }
    line.as_bytes().to_vec()
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).expect("hex digits")).collect()
}

/// A usual session description; the end of its last line is not part of it.
pub(crate) fn sdp(address: &str) -> Vec<u8> {
    format!(
        "v=0\r\no=frontdesk 5208 11 IN IP4 {address}\r\ns=Morning round\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio 30240 RTP/AVP 9 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n\
         m=video 30242 RTP/AVP 97\r\na=rtpmap:97 H264/90000"
    )
    .into_bytes()
}

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
