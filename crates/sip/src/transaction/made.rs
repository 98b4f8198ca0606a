//! The requests that follow from an INVITE of ours alone: its CANCEL (RFC 3261 section 9.1), and the ACK for a final
//! response that is not 2xx (section 17.1.1.3).

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::draft::Draft;
use crate::message::{Request, Response};
use crate::method::Method;
use crate::name::Name;
use crate::sequence::CSeq;

/// The CANCEL of an INVITE.
pub(super) fn cancel(invite: &Request) -> Vec<u8> {
    made(invite, Method::Cancel, invite.headers().value(Name::To).unwrap_or_default())
}

/// The ACK, which has the tag of the response.
pub(super) fn ack(invite: &Request, response: &Response) -> Vec<u8> {
    made(invite, Method::Ack, response.headers().value(Name::To).unwrap_or_default())
}

/// The same Request-URI, topmost Via, Route, From, Call-ID and number.
fn made(invite: &Request, method: Method<'_>, to: &[u8]) -> Vec<u8> {
    let headers = invite.headers();
    let mut draft = Draft::request(method, invite.uri());
    draft.copied(Name::Via, &[headers.top_via().text()]);
    draft.copied(Name::MaxForwards, &[b"70"]);
    for route in headers.values(Name::Route) {
        draft.copied(Name::Route, &[route]);
    }
    draft.copied(Name::From, &[headers.value(Name::From).unwrap_or_default()]);
    draft.copied(Name::To, &[to]);
    draft.copied(Name::CallId, &[headers.call_id().as_bytes()]);
    let cseq = CSeq { number: headers.cseq().number, method };
    draft.copied(Name::CSeq, &[cseq.to_string().as_bytes()]);
    draft.finish()
}
