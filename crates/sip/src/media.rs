//! Content-Type and Accept (RFC 3261 section 20.15).

use crate::error::Malformed;
use crate::lex::Cursor;
use crate::params::Params;
use crate::value::Value;

/// A media type, or a range of them with `*`.
#[derive(Clone, Copy, Debug)]
pub struct MediaType<'a> {
    /// Before the slash.
    pub kind: &'a str,
    /// Behind the slash.
    pub subtype: &'a str,
    /// The parameters: `boundary`, `charset`, `q`.
    pub params: Params<'a>,
}

impl MediaType<'_> {
    /// Whether it is this type, in any case and with any parameters.
    pub const fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }
}

impl<'a> Value<'a> for MediaType<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        let kind = cursor.token()?;
        if !cursor.separator(b'/') {
            return Err(Malformed("a media type has no slash"));
        }
        Ok(Self { kind, subtype: cursor.token()?, params: Params(cursor.params()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_type_is_compared_in_any_case() {
        let mixed = MediaType::whole(b"Multipart / Mixed;boundary=\"a b\"").unwrap();
        assert!(mixed.is("multipart", "mixed"));
        assert_eq!(mixed.params.text("boundary").as_deref(), Some("a b"));
        assert!(MediaType::whole(b"*/*;q=0.1").unwrap().is("*", "*"));
        assert!(MediaType::whole(b"application").is_err());
    }
}
