//! Messages of two sides, and dialogs made of them. Our tag is `ours`, that of the peer `theirs`.

use sip::dialog::responses::Outcome;
use sip::dialog::state::Dialog;
use sip::draft::Draft;
use sip::message::{Request, Response};
use sip::time::Time;
use sip::transaction::settings::Timers;
use sip::transport::flow::Protocol;

use crate::support;

pub(crate) const TIMERS: Timers =
    Timers { t1: sip::time::Millis(500), t2: sip::time::Millis(4_000), t4: sip::time::Millis(5_000) };

/// A request of the peer within the dialog, or one that begins it if To is given without tag.
pub(crate) fn their_request(method: &str, sequence: u32, to: &str, more: &str) -> Request {
    support::request(
        format!(
            "{method} sip:meet@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{sequence}\r\n\
             From: \"Ida\" <sip:ida@example.org>;tag=theirs\r\nTo: <sip:meet@example.com>{to}\r\nCall-ID: c1\r\n\
             CSeq: {sequence} {method}\r\n{more}Content-Length: 0\r\n\r\n"
        )
        .as_bytes(),
    )
}

/// A request of the peer within the dialog.
pub(crate) fn theirs(method: &str, sequence: u32) -> Request {
    their_request(method, sequence, ";tag=ours", "Contact: <sip:ida@192.0.2.9:5070>\r\n")
}

/// An INVITE of the peer that begins a dialog, with headers.
pub(crate) fn their_invite(more: &str) -> Request {
    their_request("INVITE", 10, "", &format!("Contact: <sip:ida@192.0.2.1>\r\n{more}"))
}

/// An INVITE of ours that begins a dialog.
pub(crate) fn our_invite(uri: &str) -> Request {
    support::request(
        format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa\r\n\
             From: <sip:meet@example.com>;tag=ours\r\nTo: \"Ida\" <sip:ida@example.org>\r\nCall-ID: c1\r\n\
             CSeq: 20 INVITE\r\nContact: <sip:meet@192.0.2.2>\r\nContent-Length: 0\r\n\r\n"
        )
        .as_bytes(),
    )
}

/// A response to a request: its own headers with a tag in To, and more.
pub(crate) fn response_with(request: &Request, status: u16, tag: &str, more: &str) -> Response {
    let headers = request.headers();
    let value = |name| String::from_utf8_lossy(headers.value(name).unwrap_or_default()).into_owned();
    let to = value(sip::name::Name::To);
    let to = if headers.to().tag().is_some() || tag.is_empty() { to } else { format!("{to};tag={tag}") };
    let from = value(sip::name::Name::From);
    support::response(
        format!(
            "SIP/2.0 {status} x\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: {from}\r\nTo: {to}\r\n\
             Call-ID: {}\r\nCSeq: {}\r\n{more}Content-Length: 0\r\n\r\n",
            headers.call_id(),
            headers.cseq()
        )
        .as_bytes(),
    )
}

/// A response of ours.
pub(crate) fn our_response(request: &Request, status: u16) -> Response {
    response_with(request, status, "ours", "")
}

/// A response of the peer, with a Contact.
pub(crate) fn their_response(request: &Request, status: u16) -> Response {
    response_with(request, status, "theirs", "Contact: <sip:ida@192.0.2.1>\r\n")
}

/// A dialog that the peer began and that we have answered so, at time 0.
pub(crate) fn as_uas(status: u16) -> Dialog {
    let invite = their_invite("");
    let response = our_response(&invite, status);
    let mut dialog = Dialog::as_uas(&invite, &response, Protocol::Udp).expect("it begins a dialog");
    let _ = dialog.response_sent(Time(0), &TIMERS, &invite, &response);
    dialog
}

/// A dialog that the peer began, answered and acknowledged.
pub(crate) fn confirmed_uas() -> Dialog {
    let mut dialog = as_uas(200);
    assert!(dialog.ack_received(&theirs("ACK", 10)));
    dialog
}

/// A dialog that we began and that was answered so, at time 0.
pub(crate) fn as_uac(status: u16) -> Dialog {
    let invite = our_invite("sip:ida@example.org");
    let response = their_response(&invite, status);
    let mut dialog = Dialog::as_uac(&invite, &response, Protocol::Udp).expect("it begins a dialog");
    receive(&mut dialog, &response);
    dialog
}

/// A response comes at time 0.
pub(crate) fn receive(dialog: &mut Dialog, response: &Response) -> Outcome {
    dialog.response_received(Time(0), &TIMERS, response, 0)
}

/// We send a request.
pub(crate) fn sent(dialog: &mut Dialog, method: &str) -> Request {
    let method = sip::method::Method::new(method).expect("a method");
    read(dialog.request(method).expect("it may be sent"))
}

/// A draft as the peer reads it.
pub(crate) fn read(draft: Draft) -> Request {
    let bytes = draft.finish();
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a start line") + 2;
    let via = b"Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKo\r\n";
    support::request(&[&bytes[..end], via, &bytes[end..]].concat())
}
