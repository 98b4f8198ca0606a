//! What our parser makes of a message.

use sip::fields::Contacts;
use sip::headers::Headers;
use sip::list::List;
use sip::message::Message;
use sip::via::{self, Via};

use crate::reading::{Aspect, Hop, Reading, Rport, header, list, optional, shown};

/// The reading of a message that was accepted.
pub(crate) fn reading(message: &Message) -> Reading {
    let headers = message.headers();
    let cseq = headers.cseq();
    let tags = [headers.from_tag(), headers.to_tag()].map(|tag| optional(tag.map(str::as_bytes)));
    let mut reading = start_line(message);
    reading.extend([
        (Aspect::Headers, all(headers)),
        (Aspect::CallId, shown(headers.call_id().as_bytes())),
        (Aspect::CSeq, format!("{} {}", cseq.number, shown(cseq.method.as_str().as_bytes()))),
        (Aspect::Tags, tags.join(" ")),
        (Aspect::TopVia, hop(headers.top_via())),
        (Aspect::Vias, list(headers.vias().map(|via| via.map(hop)))),
        (Aspect::Contacts, contacts(headers)),
        (Aspect::Routes, uris(headers.routes())),
        (Aspect::RecordRoutes, uris(headers.record_routes())),
        (Aspect::MaxForwards, format!("{:?}", headers.max_forwards().map(|hops| hops.map(|hops| hops.0)))),
        (
            Aspect::ContentLength,
            format!("{:?}", headers.content_length().map(|length| length.map(|is| is.0))),
        ),
        (Aspect::Body, shown(message.body())),
    ]);
    reading
}

fn start_line(message: &Message) -> Reading {
    match message {
        Message::Request(request) => Reading::from([
            (Aspect::Method, shown(request.method().as_str().as_bytes())),
            (Aspect::RequestUri, shown(request.uri().as_str().as_bytes())),
        ]),
        Message::Response(response) => Reading::from([
            (Aspect::Status, response.status().code().to_string()),
            (Aspect::Reason, shown(response.reason())),
        ]),
    }
}

fn all(headers: &Headers) -> String {
    let name =
        |field: &sip::fields::Field<'_>| field.known.map_or(field.name.to_owned(), |name| name.to_string());
    headers.iter().map(|field| header(name(&field).as_bytes(), field.value)).collect()
}

fn hop(via: Via<'_>) -> String {
    let rport = match via.rport() {
        via::Rport::Absent => Rport::Absent,
        via::Rport::Asked => Rport::Asked,
        via::Rport::Given(port) => Rport::Given(port),
    };
    let hop = Hop {
        transport: via.transport.as_str().as_bytes(),
        host: via.host.to_string(),
        port: via.port,
        branch: via.branch().map(str::as_bytes),
        received: via.received(),
        rport,
    };
    hop.shown()
}

fn contacts(headers: &Headers) -> String {
    match headers.contacts() {
        Contacts::All => "*".to_owned(),
        Contacts::Listed(contacts) => uris(contacts),
    }
}

fn uris(addresses: List<'_, sip::address::Address<'_>>) -> String {
    list(addresses.map(|address| address.map(|address| shown(address.uri.as_str().as_bytes()))))
}
