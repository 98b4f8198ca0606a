//! The session description in the body of a message: the body itself, or one part of it (RFC 5621).
//!
//! Reads the few headers of a part (RFC 2045) and its boundary (RFC 2046 section 5.1.1) within limits, and lends the
//! description out of the body without copying it.

use super::unacceptable::Unacceptable;

/// The types that are read, as the value of Accept.
pub(crate) const ACCEPTED: &str = "application/sdp, multipart/mixed, multipart/alternative";

/// The most parts of a body, at one level.
const MAX_PARTS: usize = 16;
/// How deep parts may lie in parts.
const MAX_DEPTH: usize = 3;
/// The longest head of a part, in bytes.
const MAX_HEAD: usize = 2048;
/// The longest boundary (RFC 2046 section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// The type of a body that names none (RFC 2045 section 5.2).
const UNNAMED: &str = "text/plain";

/// What the headers of a message or of a part say about its body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Headers<'h> {
    /// Content-Type.
    pub(crate) kind: Option<&'h str>,
    /// Content-Disposition.
    pub(crate) disposition: Option<&'h str>,
    /// Content-Encoding, or of a part Content-Transfer-Encoding.
    pub(crate) encoding: Option<&'h str>,
}

/// Finds the session description; `None` when there is none and the far end wants an offer.
///
/// A part that is not understood is left out unless it says `handling=required`. RFC 3261 section 20.11 recommends to
/// take that for granted; but what gateways add (ISUP, a location) often leaves it out, and the call needs none of it.
///
/// # Errors
/// A type, an encoding or a required part is not understood, or the parts cannot be told apart.
pub(crate) fn description<'b>(
    headers: Headers<'_>,
    body: &'b [u8],
) -> Result<Option<&'b [u8]>, Unacceptable> {
    if body.is_empty() {
        return Ok(None);
    }
    match find(headers, body, 0)? {
        Found::Description(description) => Ok(Some(description)),
        Found::Nothing => Ok(None),
        Found::Foreign if is_optional(headers.disposition) => Ok(None),
        Found::Foreign => Err(foreign(headers)),
    }
}

/// What a body or a part is.
enum Found<'b> {
    Description(&'b [u8]),
    /// Parts, none of which is a description or required.
    Nothing,
    /// Something that is not understood.
    Foreign,
}

fn find<'b>(headers: Headers<'_>, body: &'b [u8], depth: usize) -> Result<Found<'b>, Unacceptable> {
    let kind = headers.kind.unwrap_or(UNNAMED);
    let encoded = headers.encoding.is_some_and(|encoding| {
        !["identity", "binary", "8bit", "7bit"]
            .iter()
            .any(|plain| encoding.trim().eq_ignore_ascii_case(plain))
    });
    let disposition = headers.disposition.map_or("session", main_value);
    if encoded || !disposition.eq_ignore_ascii_case("session") {
        return Ok(Found::Foreign);
    }
    if main_value(kind).eq_ignore_ascii_case("application/sdp") {
        return Ok(Found::Description(body));
    }
    if !is_multipart(kind) || depth == MAX_DEPTH {
        return Ok(Found::Foreign);
    }
    let alternative = main_value(kind).eq_ignore_ascii_case("multipart/alternative");
    find_in_parts(parts(kind, body)?, alternative, depth)
}

/// Of alternatives the last one that is understood counts (RFC 2046 section 5.1.4), and none is required. A second
/// description elsewhere would leave open which of them is meant.
fn find_in_parts<'b>(
    parts: Vec<&'b [u8]>,
    alternative: bool,
    depth: usize,
) -> Result<Found<'b>, Unacceptable> {
    let mut found = Found::Nothing;
    for part in parts {
        let (head, body) = split_head(part)?;
        let headers = part_headers(head);
        match (find(headers, body, depth + 1)?, &found) {
            (Found::Description(_), Found::Description(_)) if !alternative => {
                return Err(Unacceptable::Multipart("it has two session descriptions"));
            }
            (Found::Description(description), _) => found = Found::Description(description),
            (Found::Foreign, _) if !alternative && is_required(headers.disposition) => {
                return Err(foreign(headers));
            }
            (Found::Foreign | Found::Nothing, _) => {}
        }
    }
    Ok(found)
}

fn foreign(headers: Headers<'_>) -> Unacceptable {
    let mut words = main_value(headers.kind.unwrap_or(UNNAMED)).to_owned();
    for (name, value) in [("disposition", headers.disposition), ("encoding", headers.encoding)] {
        words.extend(value.map(|value| format!(" with {name} {}", main_value(value))));
    }
    Unacceptable::Body(words)
}

/// The bodies between the boundaries, their heads included. What stands before the first boundary and after the last
/// is no part. A body that ends without the closing boundary ends its last part.
fn parts<'b>(kind: &str, body: &'b [u8]) -> Result<Vec<&'b [u8]>, Unacceptable> {
    let boundary = parameter(kind, "boundary").unwrap_or_default();
    if boundary.is_empty() || boundary.len() > MAX_BOUNDARY {
        return Err(Unacceptable::Multipart("the Content-Type has no boundary of 1 to 70 characters"));
    }
    let mut parts = Vec::new();
    let (mut begin, mut place) = (None, 0);
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let after = place + line.len();
        if let Some(is_last) = delimiter(line, boundary.as_bytes()) {
            if let Some(begin) = begin {
                parts.push(without_line_end(&body[begin..place]));
            }
            begin = (!is_last).then_some(after);
            if is_last {
                break;
            }
            if parts.len() == MAX_PARTS {
                return Err(Unacceptable::Multipart("it has more than 16 parts"));
            }
        }
        place = after;
    }
    parts.extend(begin.map(|begin| &body[begin..]));
    if parts.is_empty() {
        return Err(Unacceptable::Multipart("its boundary occurs nowhere"));
    }
    Ok(parts)
}

/// Whether a line is a boundary, and the last one. Blanks may follow it.
fn delimiter(line: &[u8], boundary: &[u8]) -> Option<bool> {
    let rest = line.strip_prefix(b"--")?.strip_prefix(boundary)?;
    match rest.trim_ascii() {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// The line end before a boundary belongs to the boundary.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// Splits a part at the first empty line. The head may be empty; then the part is text.
fn split_head(part: &[u8]) -> Result<(&[u8], &[u8]), Unacceptable> {
    let mut place = 0;
    for line in part.split_inclusive(|byte| *byte == b'\n') {
        let after = place + line.len();
        if line.trim_ascii().is_empty() {
            return Ok((&part[..place], &part[after..]));
        }
        place = after;
        if place > MAX_HEAD {
            break;
        }
    }
    Err(Unacceptable::Multipart(
        "a part has no empty line after its headers, or more than 2048 bytes of them",
    ))
}

fn part_headers(head: &[u8]) -> Headers<'_> {
    let mut headers = Headers::default();
    for line in head.split(|byte| *byte == b'\n') {
        let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')) else {
            continue;
        };
        let (name, value) = (name.trim(), Some(value.trim()));
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("Content-Type") || is("c") {
            headers.kind = value;
        } else if is("Content-Disposition") {
            headers.disposition = value;
        } else if is("Content-Transfer-Encoding") || is("Content-Encoding") || is("e") {
            headers.encoding = value;
        }
    }
    headers
}

fn is_multipart(kind: &str) -> bool {
    kind.trim_start().get(.."multipart/".len()).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/"))
}

fn is_required(disposition: Option<&str>) -> bool {
    disposition
        .and_then(|value| parameter(value, "handling"))
        .is_some_and(|h| h.eq_ignore_ascii_case("required"))
}

fn is_optional(disposition: Option<&str>) -> bool {
    disposition
        .and_then(|value| parameter(value, "handling"))
        .is_some_and(|h| h.eq_ignore_ascii_case("optional"))
}

/// A header's value without its parameters.
fn main_value(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

/// A parameter of a header's value, without its quotes. A boundary needs no escapes within them.
fn parameter<'v>(value: &'v str, name: &str) -> Option<&'v str> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (found, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (parameter, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(';').unwrap_or(after.len())),
        };
        // A parameter without a value may stand before the one that was found.
        if found.rsplit(';').next()?.trim().eq_ignore_ascii_case(name) {
            return Some(parameter.trim_end());
        }
        rest = next;
    }
}
