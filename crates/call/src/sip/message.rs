//! Headers and bodies: small readers and writers over the stack's messages.

use rsipstack::sip::prelude::{HasHeaders, HeadersExt};
use rsipstack::sip::{Header, Request};

use crate::sdp::{Unacceptable, body};
use crate::session_timer::Asked;

/// What this node can be asked to do.
pub(super) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO";
/// The type of our bodies.
pub(super) const SDP: &str = "application/sdp";
/// The only extension that is understood.
const TIMER: &str = "timer";

/// A header by name.
pub(super) fn header(name: &str, value: impl Into<String>) -> Header {
    Header::Other(name.to_owned(), value.into())
}

/// `Reason` as in RFC 3326, with a status of SIP as its cause.
pub(super) fn reason(cause: u16, text: &str) -> Header {
    let text: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect();
    header("Reason", format!("SIP;cause={cause};text=\"{text}\""))
}

/// What a message says about session timers (RFC 4028), compact names included.
pub(super) fn session_timer(message: &impl HeadersExt) -> Asked {
    let expires = message.header_value("Session-Expires").or_else(|| message.header_value("x"));
    let min_se = message.header_value("Min-SE");
    let supported = has_token(message, "Supported", TIMER) || has_token(message, "Require", TIMER);
    Asked::read(expires.as_deref(), min_se.as_deref(), supported)
}

fn has_token(message: &impl HeadersExt, name: &str, token: &str) -> bool {
    tokens(message, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn tokens<'m>(message: &'m impl HasHeaders, name: &str) -> impl Iterator<Item = &'m str> {
    let named = message.headers().iter().filter(move |header| header.name().eq_ignore_ascii_case(name));
    let values: Vec<&str> = named.map(Header::value).collect();
    values.into_iter().flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

/// The extensions a request requires and this node lacks, as the value of Unsupported.
pub(super) fn lacking(request: &Request) -> Option<String> {
    let lacking: Vec<_> =
        tokens(request, "Require").filter(|token| !token.eq_ignore_ascii_case(TIMER)).collect();
    (!lacking.is_empty()).then(|| lacking.join(", "))
}

/// The session description that a message carries; `None` when it carries none and the far end wants our offer.
///
/// # Errors
/// Its body is of a type that is not understood.
pub(super) fn description<'m>(
    message: &impl HeadersExt,
    body: &'m [u8],
) -> Result<Option<&'m [u8]>, Unacceptable> {
    let kind = message.header_value("Content-Type").or_else(|| message.header_value("c"));
    let disposition = message.header_value("Content-Disposition");
    let encoding = message.header_value("Content-Encoding").or_else(|| message.header_value("e"));
    let headers = body::Headers {
        kind: kind.as_deref(),
        disposition: disposition.as_deref(),
        encoding: encoding.as_deref(),
    };
    body::description(headers, body)
}

/// Why a description is not accepted, for whoever operates the phone.
pub(super) fn warning(fault: &Unacceptable) -> Header {
    header("Warning", format!("{} pitlane \"{}\"", fault.warning_code(), fault.text()))
}

/// The number in CSeq.
pub(super) fn sequence(request: &Request) -> Option<u32> {
    request.cseq_header().ok()?.seq().ok()
}

/// The tag in To: there only within a dialog.
pub(super) fn to_tag(request: &Request) -> Option<String> {
    Some(request.to_header().ok()?.tag().ok()??.value().to_owned())
}

/// The tag in From.
pub(super) fn from_tag(request: &Request) -> Option<String> {
    Some(request.from_header().ok()?.tag().ok()??.value().to_owned())
}

/// The Call-ID.
pub(super) fn call_id(request: &Request) -> Option<String> {
    Some(request.call_id_header().ok()?.value().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_cannot_break_out_of_its_quotes() {
        let header = reason(503, "a\"b\r\nX: y\\");
        assert_eq!(header.to_string(), "Reason: SIP;cause=503;text=\"abX: y\"");
    }

    #[test]
    fn required_extensions_we_lack_are_named() {
        let request = |require: &str| {
            let text = format!(
                "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nRequire: {require}\r\n\
                 CSeq: 1 INVITE\r\nCall-ID: c\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\n\r\n"
            );
            Request::try_from(text.as_str()).expect("request")
        };
        assert_eq!(lacking(&request("timer")), None);
        assert_eq!(lacking(&request("timer, 100rel,precondition")), Some("100rel, precondition".into()));
    }
}
