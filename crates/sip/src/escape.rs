//! `%`-escapes (RFC 3261 section 19.1.2). They stay in a URI as they came, and are decoded to compare and to look up.

use alloc::borrow::Cow;

use crate::steps;

/// A byte of a URI as it counts in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// A byte, written as it is or escaped: they are equivalent.
    Plain(u8),
    /// A reserved byte that is escaped. It is not the byte itself, which separates something (section 19.1.4).
    Reserved(u8),
}

impl Symbol {
    pub(crate) const fn to_lower(self) -> Self {
        match self {
            Self::Plain(byte) => Self::Plain(byte.to_ascii_lowercase()),
            Self::Reserved(byte) => Self::Reserved(byte),
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Plain(byte) | Self::Reserved(byte) => byte,
        }
    }
}

/// `reserved` of RFC 2396, to which RFC 3261 refers.
const fn is_reserved(byte: u8) -> bool {
    matches!(byte, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',')
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The byte that an escape at the start of `text` stands for.
fn escaped(text: &[u8]) -> Option<u8> {
    match text {
        [b'%', high, low, ..] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

/// Whether every byte of `text` is accepted or part of an escape.
pub(crate) fn is_valid(mut text: &[u8], accepts: impl Fn(u8) -> bool) -> bool {
    while let [byte, rest @ ..] = text {
        steps::count(1);
        text = match byte {
            b'%' if escaped(text).is_some() => &text[3..],
            other if accepts(*other) => rest,
            _ => return false,
        };
    }
    true
}

/// The bytes of `text`, one escape a byte.
pub(crate) fn symbols(text: &str) -> impl Iterator<Item = Symbol> {
    let mut left = text.as_bytes();
    core::iter::from_fn(move || {
        steps::count(1);
        let (first, rest) = left.split_first()?;
        let (symbol, rest) = match escaped(left) {
            Some(byte) if is_reserved(byte) => (Symbol::Reserved(byte), &left[3..]),
            Some(byte) => (Symbol::Plain(byte), &left[3..]),
            None => (Symbol::Plain(*first), rest),
        };
        left = rest;
        Some(symbol)
    })
}

/// `text` with its escapes decoded. The result may hold any byte, NUL included.
pub fn decoded(text: &str) -> Cow<'_, [u8]> {
    if text.contains('%') {
        symbols(text).map(Symbol::byte).collect()
    } else {
        Cow::Borrowed(text.as_bytes())
    }
}

/// Whether two parts of URIs are equivalent: user parts, passwords.
pub(crate) fn same(one: &str, other: &str) -> bool {
    symbols(one).eq(symbols(other))
}

/// Whether two parts of URIs are equivalent where case does not count: parameters, names of headers.
pub(crate) fn same_in_any_case(one: &str, other: &str) -> bool {
    symbols(one).map(Symbol::to_lower).eq(symbols(other).map(Symbol::to_lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(&*decoded("%6Deet"), b"meet");
        assert_eq!(&*decoded("%62ed%2525%37"), b"bed%257");
        assert_eq!(&*decoded("mon%00itor"), b"mon\0itor");
        assert_eq!(&*decoded("%C3%A9"), "é".as_bytes());
        assert_eq!(&*decoded("%zz%4"), b"%zz%4");
    }

    #[test]
    fn escape_of_a_reserved_byte_is_not_the_byte() {
        assert!(same("team%20room", "team%20room"));
        assert!(same("%61lice", "alice"));
        assert!(same("a%3bb", "a%3Bb"));
        assert!(!same("a%3Bb", "a;b"));
        assert!(!same("alice", "Alice"));
        assert!(same_in_any_case("%6C%72", "LR"));
    }
}
