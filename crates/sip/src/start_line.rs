//! Start lines: `Method SP Request-URI SP SIP-Version` and `SIP-Version SP Status-Code SP Reason-Phrase` (RFC 3261
//! section 7.1 and 7.2). One space each: a line with others can be answered, and is not used.

use crate::error::{Fault, Malformed};
use crate::fields::Span;
use crate::lex::{is_token, number};
use crate::refused::Kind;
use crate::status::Status;
use crate::uri::Uri;

/// A start line that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartLine {
    Request { method: Span, uri: Span },
    Response { status: Status, reason: Span },
}

/// A start line that cannot be used: what it would have been, and what is wrong.
pub(crate) type Wrong = (Kind, Fault);

impl StartLine {
    /// Reads a line without its end.
    pub(crate) fn read(line: &[u8]) -> Result<Self, Wrong> {
        if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
            response(line)
        } else if version(last_word(line.trim_ascii_end())).is_some() {
            request(line)
        } else {
            Err((Kind::NotSip, Fault::NotSip))
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Request { method, .. } => Kind::Request { method: Some(*method) },
            Self::Response { .. } => Kind::Response,
        }
    }
}

/// What stands behind the last space of `text`.
fn last_word(text: &[u8]) -> &[u8] {
    let before = text.iter().rposition(|byte| *byte == b' ').map_or(0, |space| space + 1);
    &text[before..]
}

/// A `SIP-Version`. It is compared as a text, not as numbers (section 7.1): 2.00 is another version than 2.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Ours,
    Other,
}

fn version(text: &[u8]) -> Option<Version> {
    let (protocol, numbers) = text.split_at_checked(4)?;
    let dot = numbers.iter().position(|byte| *byte == b'.')?;
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let is_version = protocol.eq_ignore_ascii_case(b"SIP/")
        && is_number(&numbers[..dot])
        && is_number(&numbers[dot + 1..]);
    let found = if numbers == b"2.0" { Version::Ours } else { Version::Other };
    is_version.then_some(found)
}

/// A line that ends in a version.
fn request(line: &[u8]) -> Result<StartLine, Wrong> {
    let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    let method = &line[..space];
    let is_method = !method.is_empty() && method.iter().all(|byte| is_token(*byte));
    let method = is_method.then(|| Span::new(0..space));
    let wrong = |fault| Err((Kind::Request { method }, fault));
    let version_at = line.len() - last_word(line).len();
    if version(last_word(line.trim_ascii_end())) != Some(Version::Ours) {
        return wrong(Fault::Version);
    }
    let Some(found) = method else {
        return wrong(Fault::StartLine(Malformed("the method is no token")));
    };
    if space + 1 >= version_at || version(&line[version_at..]).is_none() {
        return wrong(Fault::StartLine(Malformed("one space must stand between its parts, and none behind")));
    }
    let uri = space + 1..version_at - 1;
    match Uri::new(&line[uri.clone()]) {
        Ok(Uri::Sip(sip)) if !sip.headers.is_empty() => {
            wrong(Fault::StartLine(Malformed("a Request-URI must have no headers")))
        }
        Ok(_) => Ok(StartLine::Request { method: found, uri: Span::new(uri) }),
        Err(why) => wrong(Fault::StartLine(why)),
    }
}

/// A line that begins with `SIP/`.
fn response(line: &[u8]) -> Result<StartLine, Wrong> {
    let space = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    match version(&line[..space]) {
        Some(Version::Ours) => {}
        Some(Version::Other) => return Err((Kind::Response, Fault::Version)),
        None => return Err((Kind::NotSip, Fault::NotSip)),
    }
    let rest = line.get(space + 1..).unwrap_or_default();
    let (code, behind) = rest.split_at_checked(3).unwrap_or((rest, b""));
    let status = number(code).and_then(|code| u16::try_from(code).ok()).and_then(Status::new);
    match (status, behind) {
        // The grammar has a space even before an empty reason phrase. Some leave it out.
        (Some(status), [] | [b' ', ..]) => {
            let reason = Span::new((space + 5).min(line.len())..line.len());
            Ok(StartLine::Response { status, reason })
        }
        _ => Err((Kind::Response, Fault::StartLine(Malformed("the status is not one of 100 to 699")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_line_has_one_space_between_its_parts() {
        let uri = |line: &'static str| {
            let Ok(StartLine::Request { uri, .. }) = StartLine::read(line.as_bytes()) else { return None };
            Some(uri.of(line.as_bytes()))
        };
        assert_eq!(uri("INVITE sip:a@b SIP/2.0"), Some(&b"sip:a@b"[..]));
        assert_eq!(uri("INVITE sip:a@b sip/2.0"), Some(&b"sip:a@b"[..]));
        for wrong in [
            "INVITE  sip:a SIP/2.0",
            "INVITE sip:a  SIP/2.0",
            "INVITE sip:a SIP/2.0 ",
            "INVITE SIP/2.0",
            "INVITE sip:a; lr SIP/2.0",
            "IN\tVITE sip:a SIP/2.0",
            " sip:a SIP/2.0",
            "INVITE <sip:a> SIP/2.0",
        ] {
            let line = StartLine::read(wrong.as_bytes());
            assert!(matches!(line, Err((Kind::Request { .. }, Fault::StartLine(_)))), "{wrong}: {line:?}");
        }
    }

    #[test]
    fn other_version_is_known_before_anything_else_is_judged() {
        let others = ["OPTIONS sip:a SIP/4.0", "OPTIONS ? SIP/2.1", "SIP/3.0 200 OK"];
        let by_zeros =
            ["OPTIONS sip:a SIP/2.00", "OPTIONS sip:a SIP/02.0", "SIP/2.00 200 OK", "SIP/02.0 200 OK"];
        for line in others.into_iter().chain(by_zeros) {
            let wrong = StartLine::read(line.as_bytes());
            assert!(matches!(wrong, Err((_, Fault::Version))), "{line}: {wrong:?}");
        }
        for line in ["GET / HTTP/1.1", "", "SIP/x.0 200 OK", "INVITE sip:a", "\x16\x03\x01"] {
            let wrong = StartLine::read(line.as_bytes());
            assert_eq!(wrong, Err((Kind::NotSip, Fault::NotSip)), "{line:?}");
        }
    }

    #[test]
    fn reason_may_be_empty_and_any_bytes() {
        let reason = |line: &'static [u8]| {
            let Ok(StartLine::Response { status, reason }) = StartLine::read(line) else { return None };
            Some((status.code(), reason.of(line)))
        };
        assert_eq!(reason(b"SIP/2.0 100 "), Some((100, &b""[..])));
        assert_eq!(reason(b"SIP/2.0 100"), Some((100, &b""[..])));
        assert_eq!(reason(b"SIP/2.0 200 \xff \xfe"), Some((200, &b"\xff \xfe"[..])));
        for wrong in [
            &b"SIP/2.0 4294967496 x"[..],
            b"SIP/2.0 099 x",
            b"SIP/2.0 700 x",
            b"SIP/2.0 20 x",
            b"SIP/2.0  200",
        ] {
            assert_eq!(reason(wrong), None);
        }
    }
}
