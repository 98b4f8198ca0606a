//! What the value of a header can be read as, and the values that are a single word or number.

use crate::error::Malformed;
use crate::lex::{Cursor, is_space, number, saturating_number};
use crate::method::Method;
use crate::params::Params;

/// A value of a header, or an element of its list.
pub trait Value<'a>: Sized {
    /// Reads the value that comes next and stops behind it: at a comma or at the end.
    ///
    /// # Errors
    /// It does not follow its grammar.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed>;

    /// Reads a whole text as one value.
    ///
    /// # Errors
    /// It does not follow its grammar, or there is more behind it.
    fn whole(text: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(text);
        let value = Self::read(&mut cursor)?;
        cursor.end()?;
        Ok(value)
    }
}

/// A token: an option tag, an event package. Case does not count.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a>(&'a str);

impl<'a> Token<'a> {
    /// A token, `None` when the text is none.
    pub fn new(text: &'a str) -> Option<Self> {
        (!text.is_empty() && text.bytes().all(crate::lex::is_token)).then_some(Self(text))
    }

    /// Its text.
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether it is the token `other`.
    pub const fn is(self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl<'a> Value<'a> for Token<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        cursor.token().map(Self)
    }
}

/// A token with parameters: Event, Subscription-State, Content-Disposition, Reason.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    /// The token.
    pub token: Token<'a>,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Value<'a> for Word<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        Ok(Self { token: Token::read(cursor)?, params: Params(cursor.params()?) })
    }
}

impl<'a> Value<'a> for Method<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        cursor.token().map(Self::of)
    }
}

/// Call-ID: compared byte for byte (RFC 3261 section 20.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallId<'a>(pub &'a str);

impl<'a> Value<'a> for CallId<'a> {
    /// `word [ "@" word ]`. Every visible character is taken: a word has nearly all, and none separates anything.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        let text = cursor.over(|byte| !is_space(byte));
        match core::str::from_utf8(text) {
            Ok("") => Err(Malformed("it is empty")),
            Ok(id) if id.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(id)),
            Ok(_) | Err(_) => Err(Malformed("it has a character that no word has")),
        }
    }
}

/// A number that must fit: RSeq, Content-Length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub u32);

impl<'a> Value<'a> for Number {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        let digits = cursor.over(|byte| !is_space(byte) && byte != b',');
        number(digits).map(Self).ok_or(Malformed("it is not a number of 32 bits"))
    }
}

/// Max-Forwards. A number beyond 255 counts as 255: it is a limit of hops, and RFC 4475 section 3.1.2.4 leaves open
/// what a number out of its range means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxForwards(pub u8);

impl<'a> Value<'a> for MaxForwards {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        let hops = saturating_number(cursor.over(|byte| !is_space(byte)));
        let hops = hops.ok_or(Malformed("it is not a number"))?;
        Ok(Self(u8::try_from(hops).unwrap_or(u8::MAX)))
    }
}
