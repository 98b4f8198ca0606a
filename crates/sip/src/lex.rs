//! The terminals of the grammar (RFC 3261 section 25.1): tokens, quoted strings, comments, numbers and white space.
//!
//! Works on the value of one header. [`crate::head`] has made sure that a line break in it is folding, so that CR
//! and LF count as white space here.

use core::str;

use crate::error::Malformed;
use crate::limits;
use crate::steps;

/// Whether a byte is one of `token`. A table, because most bytes of a head are asked for.
pub(crate) const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        byte += 1;
    }
    table
};

/// Whether a byte is white space or part of a folded line.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether a byte can stand in a value without quotes: anything visible that separates nothing. More than `token`
/// and `host`, for tags and branches with other characters are seen.
const fn is_value(byte: u8) -> bool {
    byte > b' ' && byte != 0x7f && !matches!(byte, b';' | b',' | b'"' | b'<' | b'>')
}

/// `text` without white space around it.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    let from = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    let to = text.iter().rposition(|byte| !is_space(*byte)).map_or(from, |last| last + 1);
    steps::count(from + text.len() - to);
    &text[from..to]
}

/// `text` as ASCII. What is called here has been checked to be; it would be empty otherwise.
pub(crate) fn ascii(text: &[u8]) -> &str {
    str::from_utf8(text).unwrap_or_default()
}

/// A number of digits only, `None` when there are none, others among them, or when it exceeds 32 bits.
pub(crate) fn number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| ascii(text).parse().ok()).flatten()
}

/// A number of digits only; one that exceeds 32 bits is the largest there is. `None` when it is no number.
pub(crate) fn saturating_number(text: &[u8]) -> Option<u32> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| ascii(text).parse().unwrap_or(u32::MAX))
}

/// A place in the value of a header.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The byte that comes next.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Where it is, for [`Self::since`].
    pub(crate) const fn mark(&self) -> usize {
        self.at
    }

    /// What was gone over since a mark, without white space around it.
    pub(crate) fn since(&self, mark: usize) -> &'a [u8] {
        trimmed(&self.text[mark..self.at])
    }

    /// Whether nothing is left.
    pub(crate) const fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Goes over the byte that comes next.
    pub(crate) fn next(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.at += usize::from(byte.is_some());
        steps::count(1);
        byte
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Goes over the bytes for which `accepts` holds, and returns them.
    pub(crate) fn over(&mut self, accepts: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|byte| !accepts(*byte)).unwrap_or(rest.len());
        self.at += length;
        steps::count(length + 1);
        &rest[..length]
    }

    /// Goes over white space.
    pub(crate) fn space(&mut self) {
        self.over(is_space);
    }

    /// Goes over `byte` if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        steps::count(1);
        found
    }

    /// Goes over `byte` and white space around it if it comes next: SEMI, COMMA, EQUAL, SLASH, COLON. White space
    /// alone is gone over in any case.
    pub(crate) fn separator(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.take(byte);
        if found {
            self.space();
        }
        found
    }

    /// `token`.
    pub(crate) fn token(&mut self) -> Result<&'a str, Malformed> {
        let token = self.over(is_token);
        if token.is_empty() { Err(Malformed("a token is missing")) } else { Ok(ascii(token)) }
    }

    /// `quoted-string` from its first quote to its last, escapes as they are.
    pub(crate) fn quoted(&mut self) -> Result<&'a [u8], Malformed> {
        let from = self.at;
        if !self.take(b'"') {
            return Err(Malformed("a quoted string is missing"));
        }
        loop {
            self.over(|byte| byte != b'"' && byte != b'\\');
            if self.take(b'"') {
                return Ok(&self.text[from..self.at]);
            }
            if !self.take(b'\\') || self.next().is_none() {
                return Err(Malformed("a quoted string does not end"));
            }
        }
    }

    /// `comment` from its first parenthesis to its last; comments nest.
    pub(crate) fn comment(&mut self) -> Result<&'a [u8], Malformed> {
        let from = self.at;
        let mut depth = 0_usize;
        loop {
            self.over(|byte| !matches!(byte, b'(' | b')' | b'\\'));
            if self.take(b'(') {
                depth += 1;
            } else if self.take(b')') {
                depth = depth.saturating_sub(1);
            } else if !self.take(b'\\') || self.next().is_none() {
                return Err(Malformed("a comment does not end"));
            }
            if depth == 0 {
                return Ok(&self.text[from..self.at]);
            }
        }
    }

    /// `gen-value`: a quoted string with its quotes, or what stands up to the next separator.
    pub(crate) fn value(&mut self) -> Result<&'a [u8], Malformed> {
        if self.peek() == Some(b'"') { self.quoted() } else { Ok(self.over(is_value)) }
    }

    /// `*( SEMI generic-param )`: all parameters from here on. They are checked, counted, and kept as text.
    pub(crate) fn params(&mut self) -> Result<&'a [u8], Malformed> {
        let from = self.at;
        let mut count = 0;
        let mut to = from;
        while self.separator(b';') {
            count += 1;
            if count > limits::PARAMETERS {
                return Err(Malformed::PARAMETERS);
            }
            self.token()?;
            to = self.at;
            if self.separator(b'=') {
                self.value()?;
                to = self.at;
            }
        }
        Ok(&self.text[from..to])
    }

    /// The end of a value, with white space before it.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        self.space();
        if self.is_end() { Ok(()) } else { Err(Malformed("there is more than is expected")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_string_ends_at_the_quote_that_is_not_escaped() {
        let mut cursor = Cursor::new(br#""a \" \\" b"#);
        assert_eq!(cursor.quoted().unwrap(), br#""a \" \\""#);
        assert_eq!(cursor.rest(), b" b");
        for open in [&b"\"a"[..], b"\"a\\", b"\"a\\\"", b"a\""] {
            assert!(Cursor::new(open).quoted().is_err(), "{open:?}");
        }
    }

    #[test]
    fn comments_nest() {
        let mut cursor = Cursor::new(br"(a (b \) c) d) e");
        assert_eq!(cursor.comment().unwrap(), br"(a (b \) c) d)");
        assert!(Cursor::new(b"(a (b)").comment().is_err());
        assert!(Cursor::new(b"a").comment().is_err());
    }

    #[test]
    fn white_space_may_stand_around_every_separator_and_be_folded() {
        let mut cursor = Cursor::new(b" ; \r\n  a =\t\"x\" ;b; c=[::1] , d");
        assert_eq!(cursor.params().unwrap(), b" ; \r\n  a =\t\"x\" ;b; c=[::1]");
        assert!(cursor.separator(b','));
        assert_eq!(cursor.rest(), b"d");
    }

    #[test]
    fn parameter_without_a_name_is_malformed() {
        for wrong in [&b";"[..], b";;a", b";=b", b"; ,"] {
            assert!(Cursor::new(wrong).params().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn numbers_are_digits_alone() {
        assert_eq!(number(b"0068"), Some(68));
        assert_eq!(number(b"4294967296"), None);
        assert_eq!(saturating_number(b"4294967296"), Some(u32::MAX));
        for wrong in [&b""[..], b"-1", b"+1", b"1 ", b"0x1"] {
            assert_eq!((number(wrong), saturating_number(wrong)), (None, None), "{wrong:?}");
        }
    }
}
