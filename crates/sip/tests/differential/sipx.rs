//! What sipx-sip makes of a message. It parses a message whose headers are wrong; it accepts one when its own checks
//! behind the parser find nothing.

use core::net::IpAddr;

use bytes::Bytes;
use sipx_sip::headers::{
    Address, CSeq, CallId, ContactValue, ContentLength, From, MaxForwards, RecordRoute, Route, To, Via,
};
use sipx_sip::message::{Headers, Message, TypedHeader};
use sipx_sip::parser::{Limits, parse_datagram};
use sipx_sip::validate::{Finding, validate};

use crate::reading::{Aspect, Hop, Reading, Rport, header, list, optional, shown};

/// The reading, or why the message is refused.
pub(crate) fn reading(bytes: &[u8]) -> Result<Reading, String> {
    // Its other limits are ours or wider.
    let limits = Limits { max_folding_lines: 4096, ..Limits::datagram() };
    let message =
        parse_datagram(Bytes::copy_from_slice(bytes), &limits).map_err(|error| error.to_string())?;
    // A request of RFC 2543 has no Max-Forwards (RFC 4475 section 3.4.1).
    let is_allowed = |finding: &Finding| *finding == Finding::MissingRequiredHeader("Max-Forwards");
    if let Some(finding) = validate(&message).into_iter().find(|finding| !is_allowed(finding)) {
        return Err(format!("{finding:?}"));
    }
    let headers = message.headers();
    let vias: Result<Vec<Via>, _> = headers.typed_all::<Via>().collect();
    let vias = vias.map_err(|error| error.to_string())?;
    let hops = headers.typed::<MaxForwards>().transpose().map_err(|error| error.to_string())?;
    let required = "it was checked that it is there";
    let cseq = headers.typed::<CSeq>().expect(required).expect(required);
    let from = headers.typed::<From>().expect(required).expect(required);
    let to = headers.typed::<To>().expect(required).expect(required);
    let length = headers.typed::<ContentLength>().transpose().map_err(|error| error.to_string())?;
    let mut reading = start_line(&message);
    reading.extend([
        (Aspect::Headers, all(headers)),
        (Aspect::CallId, shown(&headers.typed::<CallId>().expect(required).expect(required).0)),
        (Aspect::CSeq, format!("{} {}", cseq.sequence, shown(cseq.method.as_bytes()))),
        (Aspect::Tags, [from.tag(), to.tag()].map(optional).join(" ")),
        (Aspect::TopVia, hop(&vias[0])),
        (Aspect::Vias, list(vias.iter().map(|via| Ok::<_, ()>(hop(via))))),
        (Aspect::Contacts, list(headers.typed_all::<ContactValue>().map(|value| value.map(contact)))),
        (Aspect::Routes, uris::<Route>(headers, |route| route.0)),
        (Aspect::RecordRoutes, uris::<RecordRoute>(headers, |route| route.0)),
        (Aspect::MaxForwards, format!("{:?}", Ok::<_, ()>(hops.map(|hops| hops.0)))),
        (Aspect::ContentLength, format!("{:?}", Ok::<_, ()>(length.map(|length| length.0)))),
        (Aspect::Body, shown(message.body())),
    ]);
    Ok(reading)
}

fn start_line(message: &Message) -> Reading {
    match message {
        Message::Request(request) => Reading::from([
            (Aspect::Method, shown(request.method.as_bytes())),
            (Aspect::RequestUri, shown(&request.uri.to_bytes())),
        ]),
        Message::Response(response) => Reading::from([
            (Aspect::Status, response.status.code().to_string()),
            (Aspect::Reason, shown(&response.reason)),
        ]),
    }
}

fn all(headers: &Headers) -> String {
    headers.iter().map(|found| header(found.name().canonical(), &found.value())).collect()
}

fn hop(via: &Via) -> String {
    let received = via.received().and_then(|text| core::str::from_utf8(text).ok());
    let bare = |text: &str| text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).map(str::to_owned);
    let received =
        received.and_then(|text| bare(text).unwrap_or_else(|| text.to_owned()).parse::<IpAddr>().ok());
    let rport = match via.rport() {
        None => Rport::Absent,
        Some(port) => port.and_then(number).map_or(Rport::Asked, Rport::Given),
    };
    let (host, port) = (via.host.to_string(), via.port);
    Hop { transport: &via.transport, host, port, branch: via.branch(), received, rport }.shown()
}

/// A port of digits only.
fn number(text: &[u8]) -> Option<u16> {
    let digits = text.iter().all(u8::is_ascii_digit);
    core::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

fn contact(value: ContactValue) -> String {
    match value {
        ContactValue::Wildcard => "*".to_owned(),
        ContactValue::Address(address) => shown(&address.uri.to_bytes()),
    }
}

fn uris<T: TypedHeader>(headers: &Headers, address: impl Fn(T) -> Address) -> String {
    list(headers.typed_all::<T>().map(|value| value.map(|value| shown(&address(value).uri.to_bytes()))))
}
