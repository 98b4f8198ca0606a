//! What a REGISTER asks for (RFC 3261 section 10.3, steps 6 and 7).

use std::time::Duration;

use sip::address::Address;
use sip::fields::{Contacts, Fields};
use sip::uri::Uri;

use crate::settings::RegistrationSettings;

/// The most contacts of an alias, which is as many devices that ring at once as anybody has.
pub(super) const CONTACTS: usize = 8;
/// The longest URI of a contact, in bytes. Eight of them fit into an answer over UDP.
const LONGEST: usize = 512;

/// What a REGISTER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Which bindings there are.
    Nothing,
    /// To remove all of them.
    RemoveAll,
    /// To add, refresh or remove these.
    Change(Vec<Contact>),
}

/// One contact of a REGISTER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contact {
    /// Its URI, as it came.
    pub(super) uri: String,
    pub(super) wish: Wish,
}

/// What is to become of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Remove,
    /// To be bound for this long from now on.
    Keep(Duration),
}

/// A REGISTER that asks for what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is owed 400, with this text.
    Malformed(&'static str),
    /// It is owed 423: a contact would be bound for less than the shortest time.
    TooBrief,
}

impl Asked {
    /// Reads what is asked for. A time that is missing or wrong is the longest one; a longer one is shortened to it.
    ///
    /// # Errors
    /// It cannot be.
    pub(super) fn read(headers: &Fields, settings: &RegistrationSettings) -> Result<Asked, Wrong> {
        let expires = headers.expires().ok().flatten().map(|expires| expires.seconds);
        let contacts = match headers.contacts() {
            Contacts::All if expires == Some(0) => return Ok(Asked::RemoveAll),
            Contacts::All => return Err(Wrong::Malformed("Contact: * needs Expires: 0")),
            Contacts::Listed(contacts) => {
                contacts.all().map_err(|_| Wrong::Malformed("a Contact is wrong"))?
            }
        };
        if contacts.len() > CONTACTS {
            return Err(Wrong::Malformed("there are too many contacts"));
        }
        if contacts.is_empty() {
            return Ok(Asked::Nothing);
        }
        let contacts = contacts.iter().map(|contact| Contact::read(contact, expires, settings));
        contacts.collect::<Result<_, _>>().map(Asked::Change)
    }

    /// The same for at most this long.
    pub(super) fn shortened(self, longest: Duration) -> Asked {
        let shortened = |contact: Contact| Contact {
            wish: match contact.wish {
                Wish::Remove => Wish::Remove,
                Wish::Keep(length) => Wish::Keep(length.min(longest)),
            },
            ..contact
        };
        match self {
            Asked::Change(contacts) => Asked::Change(contacts.into_iter().map(shortened).collect()),
            Asked::Nothing | Asked::RemoveAll => self,
        }
    }
}

impl Contact {
    fn read(
        contact: &Address<'_>,
        expires: Option<u32>,
        settings: &RegistrationSettings,
    ) -> Result<Contact, Wrong> {
        let uri = match contact.uri {
            Uri::Sip(_) => contact.uri.without_headers(),
            Uri::Tel(_) | Uri::Other(_) => return Err(Wrong::Malformed("a contact is no SIP URI")),
        };
        if uri.len() > LONGEST {
            return Err(Wrong::Malformed("a contact is too long"));
        }
        let wish = match contact.expires().or(expires).map(|seconds| Duration::from_secs(seconds.into())) {
            Some(Duration::ZERO) => Wish::Remove,
            Some(brief) if brief < settings.min_expires => return Err(Wrong::TooBrief),
            Some(asked) => Wish::Keep(asked.min(settings.max_expires)),
            None => Wish::Keep(settings.max_expires),
        };
        Ok(Contact { uri: uri.to_owned(), wish })
    }
}
