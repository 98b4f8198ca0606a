//! What rsipstack makes of a message, as far as it does it right. It checks nearly nothing, so that only what it
//! accepts is compared, and of a header only what it can parse. Left out: Request-URIs and those of addresses, which
//! it splits at a semicolon in the user part and encodes anew, reasons, which it replaces by its own, and lists.

use rsipstack::sip::message::{HasHeaders, HeadersExt, SipMessage};
use rsipstack::sip::parser::parse_message;
use rsipstack::sip::typed::{CSeq, From, To, Via};

use crate::reading::{Aspect, Hop, Reading, Rport, header, optional, shown};

/// The reading of a message that is accepted.
pub(crate) fn reading(bytes: &[u8]) -> Option<Reading> {
    let message = parse_message(bytes).ok()?;
    let mut reading = Reading::new();
    match &message {
        SipMessage::Request(request) => reading.insert(Aspect::Method, request.method.to_string()),
        SipMessage::Response(response) => {
            reading.insert(Aspect::Status, response.status_code.code().to_string())
        }
    };
    reading.insert(Aspect::Headers, all(&message));
    if let Ok(call_id) = message.call_id_header() {
        reading.insert(Aspect::CallId, shown(call_id.value().as_bytes()));
    }
    if let Some(cseq) = message.cseq_header().ok().and_then(|cseq| CSeq::parse(cseq.value()).ok()) {
        reading.insert(Aspect::CSeq, format!("{} {}", cseq.seq, cseq.method));
    }
    if let Some(tags) = tags(&message) {
        reading.insert(Aspect::Tags, tags);
    }
    if let Some(hop) = message.top_via_header().ok().and_then(|via| hop(via.value())) {
        reading.insert(Aspect::TopVia, hop);
    }
    if let Some(body) = body(&message) {
        reading.insert(Aspect::Body, shown(body));
    }
    Some(reading)
}

fn all(message: &SipMessage) -> String {
    let headers = message.headers().iter();
    headers.map(|found| header(found.name().as_bytes(), found.value().as_bytes())).collect()
}

fn tags(message: &SipMessage) -> Option<String> {
    let from = From::parse(message.from_header().ok()?.value()).ok()?;
    let to = To::parse(message.to_header().ok()?.value()).ok()?;
    let tags = [from.tag(), to.tag()].map(|tag| optional(tag.map(|tag| tag.value().as_bytes())));
    Some(tags.join(" "))
}

fn hop(value: &str) -> Option<String> {
    let via = Via::parse(value).ok()?;
    let rport = match via.rport() {
        None => Rport::Absent,
        Some(None) => Rport::Asked,
        Some(Some(port)) => Rport::Given(port),
    };
    let sent_by = via.sent_by();
    let hop = Hop {
        transport: via.transport.to_string().as_bytes(),
        host: sent_by.host.to_string(),
        port: sent_by.port.map(|port| port.0),
        branch: via.branch().map(|branch| branch.value().as_bytes()),
        received: via.received().and_then(Result::ok),
        rport,
    }
    .shown();
    Some(hop)
}

/// The body, which is empty when there is no Content-Length.
fn body(message: &SipMessage) -> Option<&[u8]> {
    message.header_value("Content-Length")?;
    Some(match message {
        SipMessage::Request(request) => &request.body,
        SipMessage::Response(response) => &response.body,
    })
}
