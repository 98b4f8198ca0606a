//! The headers of a message as they came: in order, with their names and values as bytes. A typed accessor parses the
//! one header that it is asked for.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::address::Address;
use crate::auth::Auth;
use crate::error::{FieldError, Malformed};
use crate::lex::ascii;
use crate::list::List;
use crate::media::MediaType;
use crate::method::Method;
use crate::name::Name;
use crate::replaces::Replaces;
use crate::sequence::RAck;
use crate::session::{RetryAfter, Seconds, SessionExpires};
use crate::value::{MaxForwards, Number, Token, Value, Word};
use crate::via::Via;

/// A range of a message's bytes. A message has at most [`crate::limits::MESSAGE`] of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    pub(crate) fn new(range: Range<usize>) -> Self {
        let place = |place| u32::try_from(place).unwrap_or(u32::MAX);
        Self { start: place(range.start), end: place(range.end) }
    }

    /// The range of a part of these bytes.
    pub(crate) fn within(bytes: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr() - bytes.as_ptr().addr();
        Self::new(start..start + part.len())
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Where a header stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) known: Option<Name>,
    pub(crate) name: Span,
    /// The value without white space around it, folded lines as they came.
    pub(crate) value: Span,
}

/// A header.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Which one, if it is known.
    pub known: Option<Name>,
    /// Its name as it came.
    pub name: &'a str,
    /// Its value as it came, without white space around it. [`crate::params::unquoted`] unfolds it.
    pub value: &'a [u8],
}

/// All headers of a message. Those of one that was refused may be any; see [`crate::headers`] for the others.
#[derive(Clone)]
pub struct Fields {
    /// The whole message, which its parts are ranges of.
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) entries: Vec<Entry>,
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.iter().map(|field| (field.name, field.value.escape_ascii().to_string()));
        f.debug_map().entries(fields).finish()
    }
}

impl Fields {
    /// All headers, in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.entries.iter().map(|entry| self.field(entry))
    }

    fn field(&self, entry: &Entry) -> Field<'_> {
        let name = ascii(entry.name.of(&self.bytes));
        Field { known: entry.known, name, value: entry.value.of(&self.bytes) }
    }

    /// The values of a header, in order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        let named = self.entries.iter().filter(move |entry| entry.known == Some(name));
        named.map(|entry| entry.value.of(&self.bytes))
    }

    /// The values of a header that has no [`Name`], by its name in any case, in order.
    pub fn others<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value)
    }

    /// The first value of a header.
    pub fn value(&self, name: Name) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The next value of a header from an entry on, and the entry behind it.
    pub(crate) fn value_from(&self, from: usize, name: Name) -> Option<(usize, &[u8])> {
        let rest = self.entries.get(from..)?;
        let skipped = rest.iter().position(|entry| entry.known == Some(name))?;
        Some((from + skipped + 1, rest[skipped].value.of(&self.bytes)))
    }

    /// A header that may stand once.
    ///
    /// # Errors
    /// It stands several times, or does not follow its grammar.
    pub fn single<'a, T: Value<'a>>(&'a self, name: Name) -> Result<Option<T>, FieldError> {
        let error = |why| FieldError { name, why };
        let mut values = self.values(name);
        let value = values.next().map(T::whole).transpose().map_err(error)?;
        if values.next().is_some() { Err(error(Malformed::REPEATED)) } else { Ok(value) }
    }

    /// A header that must stand once.
    ///
    /// # Errors
    /// It is missing, stands several times, or does not follow its grammar.
    pub fn required<'a, T: Value<'a>>(&'a self, name: Name) -> Result<T, FieldError> {
        self.single(name)?.ok_or(FieldError { name, why: Malformed::MISSING })
    }

    /// A header that is a list.
    pub const fn list<'a, T: Value<'a>>(&'a self, name: Name) -> List<'a, T> {
        List::new(self, name)
    }

    /// Whether a list of option tags has this one, in any case.
    ///
    /// # Errors
    /// The list does not follow its grammar before the tag.
    pub fn has_token(&self, name: Name, token: &str) -> Result<bool, FieldError> {
        for found in self.list::<Token<'_>>(name) {
            if found?.is(token) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Contact: `*` or addresses (RFC 3261 section 20.10).
#[derive(Clone, Debug)]
pub enum Contacts<'a> {
    /// `*`: all that are registered.
    All,
    /// Each of them.
    Listed(List<'a, Address<'a>>),
}

impl Fields {
    /// Contact.
    pub fn contacts(&self) -> Contacts<'_> {
        let mut values = self.values(Name::Contact);
        match (values.next(), values.next()) {
            (Some(b"*"), None) => Contacts::All,
            _ => Contacts::Listed(self.list(Name::Contact)),
        }
    }
}

/// An accessor for each header that may stand once, and for each list.
macro_rules! accessors {
    ($($(#[$doc:meta])* $kind:ident $method:ident: $name:ident as $value:ty;)*) => {
        impl Fields {
            $(accessors! { @$kind $(#[$doc])* $method: $name as $value })*
        }
    };
    (@single $(#[$doc:meta])* $method:ident: $name:ident as $value:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// It stands several times, or does not follow its grammar.
        pub fn $method(&self) -> Result<Option<$value>, FieldError> {
            self.single(Name::$name)
        }
    };
    (@list $(#[$doc:meta])* $method:ident: $name:ident as $value:ty) => {
        $(#[$doc])*
        pub const fn $method(&self) -> List<'_, $value> {
            self.list(Name::$name)
        }
    };
    (@each $(#[$doc:meta])* $method:ident: $name:ident as $value:ty) => {
        $(#[$doc])*
        pub fn $method(&self) -> impl Iterator<Item = Result<$value, FieldError>> {
            let error = |why| FieldError { name: Name::$name, why };
            self.values(Name::$name).map(move |value| <$value>::whole(value).map_err(error))
        }
    };
}

accessors! {
    /// Via, the last sender first.
    list vias: Via as Via<'_>;
    /// Route.
    list routes: Route as Address<'_>;
    /// Record-Route.
    list record_routes: RecordRoute as Address<'_>;
    /// Refer-To (RFC 3515).
    single refer_to: ReferTo as Address<'_>;
    /// Referred-By (RFC 3892).
    single referred_by: ReferredBy as Address<'_>;
    /// Replaces (RFC 3891).
    single replaces: Replaces as Replaces<'_>;
    /// Max-Forwards.
    single max_forwards: MaxForwards as MaxForwards;
    /// Content-Length.
    single content_length: ContentLength as Number;
    /// Content-Type.
    single content_type: ContentType as MediaType<'_>;
    /// Accept.
    list accept: Accept as MediaType<'_>;
    /// Expires.
    single expires: Expires as Seconds<'_>;
    /// Min-Expires.
    single min_expires: MinExpires as Seconds<'_>;
    /// Min-SE (RFC 4028).
    single min_se: MinSe as Seconds<'_>;
    /// Session-Expires (RFC 4028).
    single session_expires: SessionExpires as SessionExpires;
    /// Retry-After.
    single retry_after: RetryAfter as RetryAfter<'_>;
    /// Require.
    list require: Require as Token<'_>;
    /// Proxy-Require.
    list proxy_require: ProxyRequire as Token<'_>;
    /// Supported.
    list supported: Supported as Token<'_>;
    /// Unsupported.
    list unsupported: Unsupported as Token<'_>;
    /// Allow.
    list allow: Allow as Method<'_>;
    /// RSeq (RFC 3262).
    single rseq: RSeq as Number;
    /// RAck (RFC 3262).
    single rack: RAck as RAck<'_>;
    /// Event (RFC 6665).
    single event: Event as Word<'_>;
    /// Subscription-State (RFC 6665).
    single subscription_state: SubscriptionState as Word<'_>;
    /// Content-Disposition.
    single content_disposition: ContentDisposition as Word<'_>;
    /// Reason, one for each protocol (RFC 3326).
    list reasons: Reason as Word<'_>;
    /// Authorization, one for each realm.
    each authorizations: Authorization as Auth<'_>;
    /// Proxy-Authorization, one for each realm.
    each proxy_authorizations: ProxyAuthorization as Auth<'_>;
    /// WWW-Authenticate, one for each realm and algorithm.
    each www_authenticates: WwwAuthenticate as Auth<'_>;
    /// Proxy-Authenticate, one for each realm and algorithm.
    each proxy_authenticates: ProxyAuthenticate as Auth<'_>;
}
