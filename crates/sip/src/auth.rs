//! Challenges and credentials (RFC 3261 section 20.7, 20.27, 20.28, 20.44; RFC 8760). Each header holds one: they are
//! the headers that several of which must not be joined by commas (section 7.3.1).

use alloc::borrow::Cow;

use crate::error::Malformed;
use crate::lex::Cursor;
use crate::limits;
use crate::params::{Param, unquoted};
use crate::value::Value;

/// A challenge or credentials.
#[derive(Clone, Copy, Debug)]
pub struct Auth<'a> {
    /// The scheme. Case does not count.
    pub scheme: &'a str,
    /// What stands behind the scheme, as it came.
    pub text: &'a [u8],
}

impl<'a> Auth<'a> {
    /// Whether the scheme is Digest, whose parameters have been checked.
    pub const fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }

    /// The parameters in order, up to one that is malformed.
    pub fn params(&self) -> impl Iterator<Item = Param<'a>> {
        let mut cursor = Cursor::new(self.text);
        core::iter::from_fn(move || if cursor.is_end() { None } else { param(&mut cursor).ok() })
    }

    /// The value of a parameter without its quotes and escapes.
    pub fn param(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.params().find(|param| param.name.eq_ignore_ascii_case(name))?.value.map(unquoted)
    }
}

/// `token EQUAL ( token / quoted-string )` and a comma behind it. Values of other characters are taken as well:
/// base64 stands without quotes in practice.
fn param<'a>(cursor: &mut Cursor<'a>) -> Result<Param<'a>, Malformed> {
    let name = cursor.token()?;
    if !cursor.separator(b'=') {
        return Err(Malformed("a parameter has no value"));
    }
    let value = cursor.value()?;
    let another = cursor.separator(b',');
    match (another, cursor.is_end()) {
        (true, false) | (false, true) => Ok(Param { name, value: Some(value) }),
        (true, true) => Err(Malformed("a parameter is missing behind a comma")),
        (false, false) => Err(Malformed("a comma is missing between parameters")),
    }
}

impl<'a> Value<'a> for Auth<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        let scheme = cursor.token()?;
        cursor.space();
        let text = crate::lex::trimmed(cursor.over(|_| true));
        let auth = Self { scheme, text };
        if auth.is_digest() {
            let mut params = Cursor::new(text);
            for _ in 0..limits::PARAMETERS {
                param(&mut params)?;
                if params.is_end() {
                    return Ok(auth);
                }
            }
            return Err(Malformed::PARAMETERS);
        }
        Ok(auth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_parameters_are_read_without_their_quotes() {
        let auth = Auth::whole(
            br#"digest realm="a, \"b\"" , nonce = "x=="
              ,qop=auth, nc=00000001 "#,
        );
        let auth = auth.unwrap();
        assert_eq!(auth.param("Realm").as_deref(), Some(&b"a, \"b\""[..]));
        assert_eq!(auth.param("nonce").as_deref(), Some(&b"x=="[..]));
        assert_eq!(auth.param("nc").as_deref(), Some(&b"00000001"[..]));
        assert_eq!(auth.param("opaque"), None);
    }

    #[test]
    fn malformed_digest_is_refused_and_another_scheme_is_not_judged() {
        for wrong in [&b"Digest"[..], b"Digest a", b"Digest a=b,", b"Digest a=b c=d", b"Digest a=\"b", b""] {
            assert!(Auth::whole(wrong).is_err(), "{:?}", wrong.escape_ascii());
        }
        let other = Auth::whole(b"WardBadge serial-number=42").unwrap();
        assert_eq!(other.param("serial-number").as_deref(), Some(&b"42"[..]));
        assert_eq!(Auth::whole(b"Basic QWxhZGRpbg==").unwrap().text, b"QWxhZGRpbg==");
    }
}
