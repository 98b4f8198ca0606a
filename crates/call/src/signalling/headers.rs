//! The headers of this node: what it can do, why it refuses, and what a request says about session timers.

use std::net::IpAddr;

use sip::draft::quoted;
use sip::fields::{Contacts, Fields};
use sip::media::MediaType;
use sip::message::Request;
use sip::name::Name;
use sip::session::Refresher as Side;
use sip::transport::flow::{Protocol, Stream};
use sip::transport::listeners::Listeners;
use sip::uri::{Scheme, Uri};

use crate::admission::{INSUFFICIENT_LICENCES, Refusal};
use crate::sdp::body;
use crate::session_timer::{Asked, Refresher, SessionTimer};

/// A header to be written.
pub(super) type Field = (Name, String);

/// What this node can be asked to do within a call.
const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO";
/// The type of our bodies.
pub(crate) const SDP: &str = "application/sdp";
/// Session timers (RFC 4028).
const TIMER: &str = "timer";
/// Reliable provisional responses (RFC 3262).
const RELIABLE: &str = "100rel";
/// The extensions that a request may require. Those of ours name session timers alone: this node sends no PRACK.
const SUPPORTED: &str = "timer, 100rel";

/// When a caller may try again after maintenance mode refused it, in seconds. A drain takes minutes to
/// an hour; callers that know another node go there at once.
const RETRY_AFTER_MAINTENANCE: u32 = 120;
/// When a caller may try again after a limit refused it, in seconds.
const RETRY_AFTER_LIMIT: u32 = 10;

/// `Allow` within a call: for OPTIONS, for what agrees on a session, and for a method that is refused.
pub(super) fn allow() -> Field {
    (Name::Allow, ALLOW.into())
}

/// `Allow` outside of calls, of a node at which devices register.
pub(super) fn allow_with_register() -> Field {
    (Name::Allow, format!("{ALLOW}, REGISTER"))
}

/// `Accept`, for OPTIONS, and for a body that is refused.
pub(super) fn accept() -> Field {
    (Name::Accept, body::ACCEPTED.into())
}

/// What this node can do, for OPTIONS.
pub(super) fn abilities(allow: Field) -> Vec<Field> {
    vec![allow, accept(), (Name::Supported, SUPPORTED.into())]
}

/// `Reason` as in RFC 3326, with a status of SIP as its cause.
pub(super) fn reason(cause: u16, text: &str) -> Field {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    (Name::Reason, format!("SIP;cause={cause};text={}", quoted(&text)))
}

/// `Warning` (RFC 3261 section 20.43).
pub(super) fn warning(code: u16, text: &str) -> Field {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    (Name::Warning, format!("{code} pitlane {}", quoted(&text)))
}

/// The headers of a 503 to a new call.
pub(super) fn refusal(refusal: &Refusal) -> Vec<Field> {
    let (text, seconds) = match refusal {
        Refusal::Closed(closed) => (closed.reason.as_str(), RETRY_AFTER_MAINTENANCE),
        Refusal::CallLimit => ("Out of resource", RETRY_AFTER_LIMIT),
        Refusal::Licences => (INSUFFICIENT_LICENCES, RETRY_AFTER_LIMIT),
        Refusal::SourceRate => ("Too many calls from this address", RETRY_AFTER_LIMIT),
    };
    vec![(Name::RetryAfter, seconds.to_string()), reason(503, text)]
}

/// Our Contact, as a far end reaches us at this address over this transport. Within a secure dialog it is a SIPS URI.
pub(super) fn contact(listeners: &Listeners, protocol: Protocol, local: IpAddr, secure: bool) -> Field {
    let protocol = if secure { Protocol::TLS } else { protocol };
    let address = listeners.sent_by(protocol, local);
    let uri = match protocol {
        _ if secure => format!("sips:{address}"),
        Protocol::Udp => format!("sip:{address};transport=udp"),
        Protocol::Stream(Stream::Tcp) => format!("sip:{address};transport=tcp"),
        Protocol::Stream(Stream::Tls) => format!("sip:{address};transport=tls"),
    };
    (Name::Contact, format!("<{uri}>"))
}

/// Whether our Contact in the dialog of this INVITE is a SIPS URI (RFC 3261 section 12.1.1): what the caller names is
/// one. A node without a listener of TLS would name an address where nobody listens.
pub(super) fn is_secure(invite: &Request, listeners: &Listeners) -> bool {
    let is_sips = |uri: Uri<'_>| uri.sip().is_some_and(|uri| uri.scheme == Scheme::Sips);
    let headers = invite.headers();
    let named = match (headers.record_routes().next(), headers.contacts()) {
        (Some(route), _) => route.ok().map(|route| route.uri),
        (None, Contacts::Listed(mut contacts)) => {
            contacts.next().and_then(Result::ok).map(|contact| contact.uri)
        }
        (None, Contacts::All) => None,
    };
    let listens = listeners.0.iter().any(|listener| listener.protocol == Protocol::TLS);
    listens && (is_sips(invite.uri()) || named.is_some_and(is_sips))
}

/// The extensions that a request requires and this node lacks, as the value of Unsupported.
pub(super) fn lacking(request: &Request) -> Option<String> {
    let required = request.headers().require().filter_map(Result::ok);
    let lacking: Vec<_> = required.filter(|tag| !tag.is(TIMER) && !tag.is(RELIABLE)).collect();
    (!lacking.is_empty()).then(|| lacking.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(", "))
}

/// Whether the sender of an INVITE accepts a session description in our answer (RFC 3261 section 20.1). What is
/// malformed in its Accept counts as if it did.
pub(super) fn accepts_description(invite: &Fields) -> bool {
    let includes = |range: MediaType<'_>| {
        range.is("application", "sdp") || range.is("application", "*") || range.is("*", "*")
    };
    invite.value(Name::Accept).is_none() || invite.accept().any(|range| range.map_or(true, includes))
}

/// Whether provisional responses to an INVITE must be reliable (RFC 3262 section 3).
pub(super) fn requires_reliability(invite: &Request) -> bool {
    invite.headers().has_token(Name::Require, RELIABLE) == Ok(true)
}

/// The headers of a reliable provisional response with this RSeq.
pub(super) fn reliable(rseq: u32) -> [Field; 2] {
    [(Name::Require, RELIABLE.into()), (Name::RSeq, rseq.to_string())]
}

/// What a message says about session timers. A malformed value counts as absent.
pub(super) fn asked(headers: &Fields) -> Asked {
    let expires = headers.session_expires().ok().flatten();
    let has_timer = |name| headers.has_token(name, TIMER) == Ok(true);
    Asked {
        expires: expires.map(|expires| expires.seconds),
        refresher_is_sender: expires.and_then(|expires| expires.refresher).map(|side| side == Side::Uac),
        min_se: headers.min_se().ok().flatten().map(|min_se| min_se.seconds),
        supported: has_timer(Name::Supported) || has_timer(Name::Require),
    }
}

/// The headers of a 2xx that agrees on a session.
pub(super) fn of_answer(contact: Field, timer: &SessionTimer) -> Vec<Field> {
    let mut fields = vec![
        contact,
        allow(),
        (Name::Supported, SUPPORTED.into()),
        (Name::SessionExpires, timer.response_header()),
    ];
    fields.extend((timer.refresher == Refresher::FarEnd).then(|| (Name::Require, TIMER.into())));
    fields
}

/// The headers of a refresh of ours, or of an INVITE that begins a call.
pub(super) fn of_refresh(contact: Field, timer: &SessionTimer) -> Vec<Field> {
    vec![
        contact,
        allow(),
        (Name::Supported, TIMER.into()),
        (Name::SessionExpires, timer.request_header()),
        (Name::MinSe, timer.shortest.as_secs().to_string()),
    ]
}
