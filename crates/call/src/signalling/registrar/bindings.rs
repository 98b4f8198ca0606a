//! The bindings of aliases to contacts, with their expiry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sip::transport::flow::{Connection, Flow, Link};
use sip::uri::Uri;

use crate::time::Time;

use super::asked::{Asked, CONTACTS, Contact, Wish};

/// A contact that a device has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::signalling) struct Binding {
    /// The URI of the contact, as it came.
    pub(in crate::signalling) uri: String,
    /// What its last REGISTER came over.
    pub(in crate::signalling) flow: Flow,
    /// Whether it is behind address translation, by what that REGISTER says of its sender.
    pub(in crate::signalling) is_translated: bool,
    pub(in crate::signalling) expires: Time,
    call_id: String,
    sequence: u32,
}

/// The request that changes bindings.
#[derive(Clone, Debug)]
pub(super) struct Register<'a> {
    pub(super) call_id: &'a str,
    pub(super) sequence: u32,
    pub(super) flow: Flow,
    pub(super) is_translated: bool,
}

/// A binding has been changed by a later request of the same Call-ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfOrder;

/// All bindings, the last registered one of an alias first. How many there are is bounded by the aliases of accounts.
#[derive(Debug, Default)]
pub(in crate::signalling) struct Bindings {
    by_alias: BTreeMap<Arc<str>, Vec<Binding>>,
    expiries: BTreeSet<(Time, Arc<str>)>,
}

impl Bindings {
    /// The bindings of an alias, the last registered one first.
    pub(in crate::signalling) fn of(&self, alias: &str) -> &[Binding] {
        self.by_alias.get(alias).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether every contact that is to be kept is bound already.
    pub(super) fn has_all(&self, alias: &str, asked: &Asked) -> bool {
        let Asked::Change(contacts) = asked else { return true };
        let mut kept = contacts.iter().filter(|contact| contact.wish != Wish::Remove);
        kept.all(|contact| self.of(alias).iter().any(|binding| binding.is_of(&contact.uri)))
    }

    /// Does what a REGISTER asks for, all of it or nothing.
    ///
    /// # Errors
    /// It is older than what has changed one of the bindings.
    pub(super) fn apply(
        &mut self,
        now: Time,
        alias: &Arc<str>,
        register: &Register<'_>,
        asked: &Asked,
    ) -> Result<(), OutOfOrder> {
        let mut bindings = self.of(alias).to_vec();
        if bindings.iter().any(|binding| binding.is_changed_by(asked) && !register.is_after(binding)) {
            return Err(OutOfOrder);
        }
        match asked {
            Asked::Nothing => return Ok(()),
            Asked::RemoveAll => bindings.clear(),
            Asked::Change(contacts) => {
                for contact in contacts {
                    bindings.retain(|binding| !binding.is_of(&contact.uri));
                    bindings.splice(..0, register.binding(now, contact));
                }
            }
        }
        bindings.truncate(CONTACTS);
        self.replace(alias, bindings);
        Ok(())
    }

    fn replace(&mut self, alias: &Arc<str>, bindings: Vec<Binding>) {
        for binding in self.by_alias.remove(alias).into_iter().flatten() {
            self.expiries.remove(&(binding.expires, Arc::clone(alias)));
        }
        self.expiries.extend(bindings.iter().map(|binding| (binding.expires, Arc::clone(alias))));
        if !bindings.is_empty() {
            self.by_alias.insert(Arc::clone(alias), bindings);
        }
    }

    /// Removes the bindings of the aliases that are to go.
    pub(in crate::signalling) fn retain(&mut self, mut stays: impl FnMut(&str) -> bool) {
        self.by_alias.retain(|alias, _| stays(alias));
        self.expiries.retain(|(_, alias)| self.by_alias.contains_key(alias));
    }

    /// When [`Self::pass_time`] is owed.
    pub(in crate::signalling) fn next_deadline(&self) -> Option<Time> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Removes what has expired.
    pub(in crate::signalling) fn pass_time(&mut self, now: Time) {
        while let Some((_, alias)) = self.expiries.first().filter(|(at, _)| *at <= now).cloned() {
            let mut bindings = self.of(&alias).to_vec();
            bindings.retain(|binding| binding.expires > now);
            self.replace(&alias, bindings);
        }
    }

    /// The connections over which devices are reached.
    pub(in crate::signalling) fn connections(&self) -> impl Iterator<Item = Connection> {
        self.by_alias.values().flatten().filter_map(|binding| match binding.flow.link {
            Link::Connection(_, connection) => Some(connection),
            Link::Datagrams => None,
        })
    }
}

impl Binding {
    /// Whether it is that of a contact (RFC 3261 section 10.3, step 7).
    fn is_of(&self, uri: &str) -> bool {
        let uris = (Uri::new(self.uri.as_bytes()), Uri::new(uri.as_bytes()));
        matches!(uris, (Ok(one), Ok(other)) if one.matches(other))
    }

    fn is_changed_by(&self, asked: &Asked) -> bool {
        match asked {
            Asked::Nothing => false,
            Asked::RemoveAll => true,
            Asked::Change(contacts) => contacts.iter().any(|contact| self.is_of(&contact.uri)),
        }
    }
}

impl Register<'_> {
    fn is_after(&self, binding: &Binding) -> bool {
        binding.call_id != self.call_id || binding.sequence < self.sequence
    }

    fn binding(&self, now: Time, contact: &Contact) -> Option<Binding> {
        match contact.wish {
            Wish::Remove => None,
            Wish::Keep(length) => Some(Binding {
                uri: contact.uri.clone(),
                flow: self.flow,
                is_translated: self.is_translated,
                expires: now + length,
                call_id: self.call_id.to_owned(),
                sequence: self.sequence,
            }),
        }
    }
}
