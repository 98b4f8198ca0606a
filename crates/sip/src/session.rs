//! Headers that are a time in seconds: Expires, Min-Expires, Min-SE, Session-Expires (RFC 4028), Retry-After.

use crate::error::Malformed;
use crate::lex::{Cursor, is_space, saturating_number};
use crate::params::Params;
use crate::value::Value;

/// `delta-seconds` with parameters: Expires, Min-Expires, Min-SE. A number of more than 32 bits is the largest there
/// is (RFC 4475 section 3.1.2.4).
#[derive(Clone, Copy, Debug)]
pub struct Seconds<'a> {
    /// The time, in seconds.
    pub seconds: u32,
    /// The parameters, of which RFC 3261 defines none.
    pub params: Params<'a>,
}

fn seconds(cursor: &mut Cursor<'_>) -> Result<u32, Malformed> {
    cursor.space();
    let digits = cursor.over(|byte| !is_space(byte) && !matches!(byte, b';' | b'(' | b','));
    saturating_number(digits).ok_or(Malformed("it is not a number of seconds"))
}

impl<'a> Value<'a> for Seconds<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        Ok(Self { seconds: seconds(cursor)?, params: Params(cursor.params()?) })
    }
}

/// Who refreshes a session (RFC 4028 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answers it.
    Uas,
}

impl Refresher {
    /// Its name as a parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uac => "uac",
            Self::Uas => "uas",
        }
    }
}

/// Session-Expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    /// The session interval, in seconds.
    pub seconds: u32,
    /// Who refreshes, if it says so.
    pub refresher: Option<Refresher>,
}

impl<'a> Value<'a> for SessionExpires {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let Seconds { seconds, params } = Seconds::read(cursor)?;
        let refresher = match params.token("refresher") {
            None => None,
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(Malformed("its refresher is neither uac nor uas")),
        };
        Ok(Self { seconds, refresher })
    }
}

/// Retry-After (RFC 3261 section 20.33): a time, a comment for people, and parameters such as `duration`.
#[derive(Clone, Copy, Debug)]
pub struct RetryAfter<'a> {
    /// The time, in seconds.
    pub seconds: u32,
    /// The comment with its parentheses; empty without one.
    pub comment: &'a [u8],
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Value<'a> for RetryAfter<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let seconds = seconds(cursor)?;
        cursor.space();
        let comment = if cursor.peek() == Some(b'(') { cursor.comment()? } else { b"" };
        Ok(Self { seconds, comment, params: Params(cursor.params()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_expires_names_its_refresher_in_any_case() {
        let read = |text: &'static [u8]| SessionExpires::whole(text);
        let expected = SessionExpires { seconds: 90, refresher: Some(Refresher::Uas) };
        assert_eq!(read(b" 90 ;x; refresher = UAS"), Ok(expected));
        assert_eq!(read(b"90"), Ok(SessionExpires { refresher: None, ..expected }));
        assert!(read(b"90;refresher=b").is_err());
        assert!(read(b"soon").is_err());
    }

    #[test]
    fn retry_after_may_have_a_comment() {
        let after = RetryAfter::whole(b"5400 (in a (long) round) ;duration=900").unwrap();
        assert_eq!((after.seconds, after.comment), (5400, &b"(in a (long) round)"[..]));
        assert_eq!(after.params.token("duration"), Some("900"));
        assert_eq!(RetryAfter::whole(b"18446744073709551617").unwrap().seconds, u32::MAX);
    }
}
