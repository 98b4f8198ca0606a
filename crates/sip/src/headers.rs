//! The headers of a message that is whole: those that every message needs are there, once, and follow their grammar.

use core::ops::Deref;
use core::str;

use crate::address::Address;
use crate::error::{Fault, FieldError, Malformed};
use crate::fields::{Fields, Span};
use crate::name::Name;
use crate::sequence::CSeq;
use crate::value::{CallId, Value};
use crate::via::Via;

/// [`Fields`] of which Via, From, To, Call-ID and CSeq have been checked, and Max-Forwards and Content-Length where
/// they are there.
#[derive(Clone, Debug)]
pub struct Headers {
    fields: Fields,
    tags: Tags,
}

/// Where the tags stand. They are asked for by every layer, and finding one takes reading the whole address.
#[derive(Clone, Copy, Debug)]
struct Tags {
    from: Option<Span>,
    to: Option<Span>,
}

impl Headers {
    /// Checks what every message needs (RFC 3261 section 8.1.1). Max-Forwards and the tag of From are not needed: a
    /// request of RFC 2543 has neither (RFC 4475 section 3.4.1). Fields that lack something are given back.
    pub(crate) fn check(fields: Fields) -> Result<Self, (Fault, Fields)> {
        match essentials(&fields) {
            Ok(tags) => Ok(Self { fields, tags }),
            Err(error) => Err((Fault::Field(error), fields)),
        }
    }

    pub(crate) fn into_fields(self) -> Fields {
        self.fields
    }

    /// From.
    pub fn from(&self) -> Address<'_> {
        self.value(Name::From)
    }

    /// To.
    pub fn to(&self) -> Address<'_> {
        self.value(Name::To)
    }

    /// The tag of From.
    pub fn from_tag(&self) -> Option<&str> {
        self.tag(self.tags.from)
    }

    /// The tag of To.
    pub fn to_tag(&self) -> Option<&str> {
        self.tag(self.tags.to)
    }

    /// Call-ID.
    pub fn call_id(&self) -> &str {
        self.value::<CallId<'_>>(Name::CallId).0
    }

    /// CSeq.
    pub fn cseq(&self) -> CSeq<'_> {
        self.value(Name::CSeq)
    }

    /// The first Via: who sent the message, or who gets the response next.
    pub fn top_via(&self) -> Via<'_> {
        self.fields.vias().next().and_then(Result::ok).expect("Via was checked when the message was read")
    }

    fn tag(&self, span: Option<Span>) -> Option<&str> {
        span.and_then(|tag| str::from_utf8(tag.of(&self.fields.bytes)).ok())
    }

    fn value<'a, T: Value<'a>>(&'a self, name: Name) -> T {
        self.fields.required(name).expect("it was checked when the message was read")
    }
}

fn essentials(fields: &Fields) -> Result<Tags, FieldError> {
    let mut vias = fields.vias();
    vias.next().unwrap_or(Err(FieldError { name: Name::Via, why: Malformed::MISSING }))?;
    vias.try_for_each(|via| via.map(|_| ()))?;
    let tags = Tags { from: tag(fields, Name::From)?, to: tag(fields, Name::To)? };
    fields.required::<CallId<'_>>(Name::CallId)?;
    fields.required::<CSeq<'_>>(Name::CSeq)?;
    fields.max_forwards()?;
    fields.content_length()?;
    Ok(tags)
}

/// Where the tag of From or To stands, if there is one.
fn tag(fields: &Fields, name: Name) -> Result<Option<Span>, FieldError> {
    let address = fields.required::<Address<'_>>(name)?;
    if address.params.has("tag") && address.tag().is_none() {
        return Err(FieldError { name, why: Malformed("its tag is empty or a quoted string") });
    }
    if address.params.is_ambiguous("tag") {
        return Err(FieldError { name, why: Malformed("it has two different tags") });
    }
    Ok(address.tag().map(|tag| Span::within(&fields.bytes, tag.as_bytes())))
}

impl Deref for Headers {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.fields
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::format;

    use super::*;
    use crate::message;

    #[test]
    fn tag_that_is_empty_quoted_or_one_of_two_is_refused() {
        for wrong in ["<sip:a@b>;tag", "<sip:a@b>;tag=", "<sip:a@b>;tag=\"a\"", "<sip:a@b>;tag=a;x;TAG=b"] {
            let text = format!(
                "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nFrom: {wrong}\r\nTo: <sip:c@d>\r\n\
                 Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
            );
            let fault = message::datagram(text.as_bytes()).map(|_| ()).map_err(|refused| refused.fault());
            assert!(matches!(fault, Err(Fault::Field(error)) if error.name == Name::From), "{wrong}");
        }
    }

    #[test]
    fn tags_are_those_of_the_addresses() {
        let check = |from: &str, to: &str| {
            let text = format!(
                "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nFrom: {from}\r\nt: {to}\r\n\
                 Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
            );
            let message = message::datagram(text.as_bytes()).expect("it is whole");
            let headers = message.headers();
            assert_eq!(headers.from_tag(), headers.from().tag(), "{text}");
            assert_eq!(headers.to_tag(), headers.to().tag(), "{text}");
            (headers.from_tag().map(str::to_owned), headers.to_tag().map(str::to_owned))
        };
        let some = |tag: &str| Some(tag.to_owned());
        let twice = check("<sip:a@b>;tag=a;Tag=a", "<sip:c@d>");
        assert_eq!(twice, (some("a"), None));
        assert_eq!(check("<sip:a@b;tag=no>;tag=a1", "\"c;tag=no\" <sip:c@d>"), (some("a1"), None));
        assert_eq!(check("sip:a@b", "<sip:c@d> ; x=y ; TAG = b\u{fc}2"), (None, some("b\u{fc}2")));
    }
}
