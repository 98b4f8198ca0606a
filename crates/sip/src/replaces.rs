//! Replaces (RFC 3891): the dialog that a new one takes the place of.

use crate::error::Malformed;
use crate::lex::{Cursor, is_space};
use crate::params::Params;
use crate::value::{CallId, Value};

/// Replaces.
#[derive(Clone, Copy, Debug)]
pub struct Replaces<'a> {
    /// The Call-ID of the dialog.
    pub call_id: CallId<'a>,
    /// Its tag in To.
    pub to_tag: &'a str,
    /// Its tag in From.
    pub from_tag: &'a str,
    /// Whether it counts only while that dialog is early.
    pub early_only: bool,
}

impl<'a> Value<'a> for Replaces<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        cursor.space();
        // A Call-ID may hold nearly every character, but no semicolon.
        let call_id = CallId::whole(cursor.over(|byte| !is_space(byte) && byte != b';'))?;
        let params = Params(cursor.params()?);
        let tag = |name| params.token(name).ok_or(Malformed("a tag is missing"));
        Ok(Self {
            call_id,
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.has("early-only"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_names_a_dialog() {
        let replaces = Replaces::whole(br#"a<">b@c ; from-tag=f;to-tag=t ;early-only"#).unwrap();
        assert_eq!(replaces.call_id, CallId(r#"a<">b@c"#));
        assert_eq!((replaces.to_tag, replaces.from_tag, replaces.early_only), ("t", "f", true));
        assert!(Replaces::whole(b"a;to-tag=t").is_err());
    }
}
