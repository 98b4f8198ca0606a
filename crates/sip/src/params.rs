//! Parameters of headers: `*( SEMI generic-param )` (RFC 3261 section 25.1).

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::lex::Cursor;

/// The parameters behind an element, as they came. They have been checked and counted.
///
/// Names are found in any case. Of a name that stands twice the first counts: no grammar admits the second. A message
/// with two different tags or branches is refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params<'a>(pub(crate) &'a [u8]);

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name, as it came.
    pub name: &'a str,
    /// Its value as it came, with the quotes of a quoted string; `None` for a name alone.
    pub value: Option<&'a [u8]>,
}

impl<'a> Params<'a> {
    /// All of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Param<'a>> {
        let mut cursor = Cursor::new(self.0);
        core::iter::from_fn(move || {
            if !cursor.separator(b';') {
                return None;
            }
            let name = cursor.token().ok()?;
            let value = if cursor.separator(b'=') { Some(cursor.value().ok()?) } else { None };
            Some(Param { name, value })
        })
    }

    /// The parameter of a name.
    pub fn find(self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// Whether there is a parameter of the name, with a value or without.
    pub fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The value of a parameter as text, without the quotes of a quoted string. `None` when it has none, an empty
    /// one, or one that is not UTF-8.
    pub fn text(self, name: &str) -> Option<Cow<'a, str>> {
        let text = match unquoted(self.find(name)?.value?) {
            Cow::Borrowed(bytes) => Cow::Borrowed(core::str::from_utf8(bytes).ok()?),
            Cow::Owned(bytes) => Cow::Owned(alloc::string::String::from_utf8(bytes).ok()?),
        };
        (!text.is_empty()).then_some(text)
    }

    /// The value of a parameter that is a token, a host or an address, as it came: `None` when it has none, an empty
    /// one, or a quoted string, which is none of them.
    pub fn token(self, name: &str) -> Option<&'a str> {
        let text = core::str::from_utf8(self.find(name)?.value?).ok()?;
        (!text.is_empty() && !text.starts_with('"')).then_some(text)
    }

    /// Whether a parameter stands twice with different values (RFC 3261 section 7.3.1 forbids the second): whoever
    /// reads the last one would understand another message than we do.
    pub(crate) fn is_ambiguous(self, name: &str) -> bool {
        let mut values =
            self.iter().filter(|param| param.name.eq_ignore_ascii_case(name)).map(|param| param.value);
        values.next().is_some_and(|first| values.any(|other| other != first))
    }
}

/// What a text says: a quoted string without its quotes and escapes, and a line break with the white space behind it as
/// one space.
pub fn unquoted(text: &[u8]) -> Cow<'_, [u8]> {
    let (inner, is_quoted) = match text {
        [b'"', inner @ .., b'"'] => (inner, true),
        other => (other, false),
    };
    let is_special = |byte: u8| byte == b'\r' || (is_quoted && byte == b'\\');
    if !inner.iter().any(|byte| is_special(*byte)) {
        return Cow::Borrowed(inner);
    }
    let mut said = Vec::with_capacity(inner.len());
    let mut cursor = Cursor::new(inner);
    while !cursor.is_end() {
        said.extend(cursor.over(|byte| !is_special(byte)));
        if cursor.peek() == Some(b'\r') {
            cursor.space();
            said.push(b' ');
        } else if cursor.take(b'\\') {
            said.extend(cursor.next());
        }
    }
    Cow::Owned(said)
}

/// Whether two tags or branches are the same: tokens, in which case does not count (RFC 3261 section 7.3.1).
pub fn same_token(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_in_any_case_and_without_their_quotes() {
        let params = Params(br#" ; Tag = a1;lr; text="a \"b\"" ;flag= ;tag=second"#);
        assert_eq!(params.token("tag"), Some("a1"));
        assert!(params.has("LR") && !params.has("a1"));
        assert_eq!(params.text("text").as_deref(), Some("a \"b\""));
        assert_eq!((params.token("flag"), params.token("text")), (None, None));
        assert!(params.is_ambiguous("TAG") && !params.is_ambiguous("lr"));
        assert_eq!(params.iter().count(), 5);
    }

    #[test]
    fn folding_in_a_quoted_string_is_a_space() {
        assert_eq!(&*unquoted(b"\"a\r\n  b \\\\\""), b"a b \\");
        assert_eq!(&*unquoted(b"\"a\\"), b"\"a\\");
        assert_eq!(&*unquoted(b"\"\""), b"");
        assert_eq!(&*unquoted(b"a\\\r\n b"), b"a\\ b");
    }
}
