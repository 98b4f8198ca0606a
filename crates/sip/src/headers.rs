//! The headers of a message that is whole: those that every message needs are there, once, and follow their grammar.

use core::ops::Deref;

use crate::address::Address;
use crate::error::{Fault, FieldError, Malformed};
use crate::fields::Fields;
use crate::name::Name;
use crate::sequence::CSeq;
use crate::value::{CallId, Value};
use crate::via::Via;

/// [`Fields`] of which Via, From, To, Call-ID and CSeq have been checked, and Max-Forwards and Content-Length where
/// they are there.
#[derive(Clone, Debug)]
pub struct Headers(Fields);

impl Headers {
    /// Checks what every message needs (RFC 3261 section 8.1.1). Max-Forwards and the tag of From are not needed: a
    /// request of RFC 2543 has neither (RFC 4475 section 3.4.1). Fields that lack something are given back.
    pub(crate) fn check(fields: Fields) -> Result<Self, (Fault, Fields)> {
        match essentials(&fields) {
            Ok(()) => Ok(Self(fields)),
            Err(error) => Err((Fault::Field(error), fields)),
        }
    }

    pub(crate) fn into_fields(self) -> Fields {
        self.0
    }

    /// From.
    pub fn from(&self) -> Address<'_> {
        self.value(Name::From)
    }

    /// To.
    pub fn to(&self) -> Address<'_> {
        self.value(Name::To)
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
        self.0.vias().next().and_then(Result::ok).expect("Via was checked when the message was read")
    }

    fn value<'a, T: Value<'a>>(&'a self, name: Name) -> T {
        self.0.required(name).expect("it was checked when the message was read")
    }
}

fn essentials(fields: &Fields) -> Result<(), FieldError> {
    let mut vias = fields.vias();
    vias.next().unwrap_or(Err(FieldError { name: Name::Via, why: Malformed::MISSING }))?;
    vias.try_for_each(|via| via.map(|_| ()))?;
    for name in [Name::From, Name::To] {
        let address = fields.required::<Address<'_>>(name)?;
        if address.params.has("tag") && address.tag().is_none() {
            return Err(FieldError { name, why: Malformed("its tag is empty") });
        }
    }
    fields.required::<CallId<'_>>(Name::CallId)?;
    fields.required::<CSeq<'_>>(Name::CSeq)?;
    fields.max_forwards()?;
    fields.content_length()?;
    Ok(())
}

impl Deref for Headers {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.0
    }
}
