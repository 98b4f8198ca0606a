//! `name-addr` and `addr-spec` (RFC 3261 section 20.10): From, To, Contact, Route, Record-Route, Refer-To and others.

use alloc::borrow::Cow;

use crate::error::Malformed;
use crate::lex::{Cursor, is_space, saturating_number, trimmed};
use crate::params::{Params, unquoted};
use crate::uri::Uri;
use crate::value::Value;

/// An address with its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    text: &'a [u8],
    display: &'a [u8],
    /// The URI.
    pub uri: Uri<'a>,
    /// The parameters of the header. Those of the URI stand inside of the angle brackets.
    pub params: Params<'a>,
}

impl<'a> Address<'a> {
    /// The address as it came, without white space around it.
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The display name without its quotes, escapes and line breaks; empty when there is none. It may be no UTF-8.
    pub fn display_name(&self) -> Cow<'a, [u8]> {
        unquoted(self.display)
    }

    /// The tag (section 19.3).
    pub fn tag(&self) -> Option<&'a str> {
        self.params.token("tag")
    }

    /// The `expires` of a Contact, in seconds. A number of more than 32 bits is the largest there is.
    pub fn expires(&self) -> Option<u32> {
        self.params.token("expires").and_then(|seconds| saturating_number(seconds.as_bytes()))
    }

    /// The `q` of a Contact, in thousandths (`qvalue`): `None` without one, or when it is wrong.
    pub fn preference(&self) -> Option<u16> {
        let (whole, part) = match self.params.token("q")?.split_once('.') {
            Some((whole, part)) => (whole, part),
            None => (self.params.token("q")?, ""),
        };
        let digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        let thousandths = part
            .bytes()
            .chain(*b"000")
            .take(3)
            .fold(0, |sum, digit| sum * 10 + u16::from(digit.wrapping_sub(b'0')));
        match whole {
            "0" if digits => Some(thousandths),
            "1" if digits && thousandths == 0 => Some(1000),
            _ => None,
        }
    }
}

impl<'a> Value<'a> for Address<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        let mark = cursor.mark();
        let (display, uri) = name_and_uri(cursor)?;
        let params = Params(cursor.params()?);
        Ok(Self { text: cursor.since(mark), display, uri, params })
    }
}

/// The display name as it came, and the URI.
fn name_and_uri<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], Uri<'a>), Malformed> {
    if cursor.peek() == Some(b'"') {
        let display = cursor.quoted()?;
        cursor.space();
        return Ok((display, in_brackets(cursor)?));
    }
    let bare = *cursor;
    // The grammar has tokens here. Names with other characters and no quotes are seen, and mean one thing only.
    let display = trimmed(cursor.over(|byte| !matches!(byte, b'<' | b'"' | b';' | b',')));
    if cursor.peek() != Some(b'<') {
        *cursor = bare;
        return Ok((b"", without_brackets(cursor)?));
    }
    if display.iter().any(|byte| byte.is_ascii_control() && !is_space(*byte)) {
        return Err(Malformed("a display name has a control character"));
    }
    Ok((display, in_brackets(cursor)?))
}

fn in_brackets<'a>(cursor: &mut Cursor<'a>) -> Result<Uri<'a>, Malformed> {
    if !cursor.take(b'<') {
        return Err(Malformed("an angle bracket is missing behind a display name"));
    }
    let text = cursor.over(|byte| byte != b'>');
    if cursor.take(b'>') { Uri::new(text) } else { Err(Malformed("an angle bracket does not close")) }
}

/// An `addr-spec`. What would be its parameters are those of the header, and a comma ends the element.
fn without_brackets<'a>(cursor: &mut Cursor<'a>) -> Result<Uri<'a>, Malformed> {
    let text = cursor.over(|byte| !is_space(byte) && !matches!(byte, b';' | b','));
    if text.contains(&b'?') {
        return Err(Malformed("a URI with a question mark must stand in angle brackets"));
    }
    Uri::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &'static [u8]) -> Address<'static> {
        Address::whole(text).unwrap()
    }

    #[test]
    fn parameters_behind_a_uri_without_brackets_are_those_of_the_header() {
        let bare = address(b"sip:+4930100@gate.video.example;shift;tag=a");
        assert_eq!(bare.uri.as_str(), "sip:+4930100@gate.video.example");
        assert!(bare.params.has("shift"));
        let bracketed = address(b"<sip:+4930100@gate.video.example;shift> ; tag=a");
        assert!(bracketed.uri.sip().unwrap().params.has("shift"));
        assert!(!bracketed.params.has("shift"));
        assert_eq!((bare.tag(), bracketed.tag()), (Some("a"), Some("a")));
    }

    #[test]
    fn display_names_are_quoted_bare_or_not_utf8() {
        assert_eq!(&*address(br#" "Ida Holm \\\""   <sip:a@b> "#).display_name(), br#"Ida Holm \""#);
        assert_eq!(&*address(b"ward~`7 bed'+_ \r\n 4<sip:a@b>").display_name(), b"ward~`7 bed'+_  4");
        assert_eq!(&*address(b"J\xfcrgen (Work) <sip:a@b>").display_name(), b"J\xfcrgen (Work)");
        assert_eq!(&*address(b"\"\xff\xfe\"<sip:a@b>").display_name(), b"\xff\xfe");
        assert_eq!(&*address(b"<sip:a@b>").display_name(), b"");
        assert_eq!(&*address(b"\"a, b; <c>\" <sip:a@b>").display_name(), b"a, b; <c>");
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for wrong in [
            &b""[..],
            b"Ward 7, Desk <sip:a@b>",
            b"< sip:a@b >",
            b"\"a <sip:a@b>",
            b"<sip:a@b",
            b"\"a\" sip:a@b",
            b"sip:a@b?Route=%3Csip:c%3E",
            b"<sip:a@b> c",
            b"<>",
            b"sip:a@b;;",
            b"a\x01<sip:a@b>",
            b"<sip:a@b>>",
        ] {
            assert!(Address::whole(wrong).is_err(), "{:?}", wrong.escape_ascii());
        }
    }

    #[test]
    fn preference_is_a_number_from_0_to_1() {
        let q = |text: &'static [u8]| address(text).preference();
        assert_eq!(q(b"<sip:a>;q=0.33"), Some(330));
        assert_eq!(q(b"<sip:a>;q=1"), Some(1000));
        assert_eq!(q(b"<sip:a>;q=0."), Some(0));
        for wrong in [&b"<sip:a>;q=1.1"[..], b"<sip:a>;q=0.1234", b"<sip:a>;q=x", b"<sip:a>"] {
            assert_eq!(Address::whole(wrong).unwrap().preference(), None);
        }
    }
}
