//! What a call may reach: the targets that are left, and those that were tried.

use std::collections::VecDeque;

use sip::address::Address;
use sip::fields::Contacts;
use sip::message::Response;
use sip::transport::flow::Flow;
use sip::uri::{Scheme, Uri};

use crate::signalling::authentication::Authorizations;
use crate::signalling::registrar::Binding;

/// The most targets of one call, those of redirections included. An alias has eight contacts at most.
const TARGETS: usize = 12;
/// The longest URI of a target, in bytes.
const LONGEST: usize = 512;

/// Where an INVITE goes.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Its Request-URI.
    pub(super) uri: String,
    pub(super) by: By,
}

/// How a target is reached.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// As its URI says, which whoever has dialled has named.
    Uri,
    /// As its URI says, which a redirection has named.
    Redirection,
    /// As the device has registered.
    Registration { flow: Flow, is_translated: bool },
}

/// The targets of a call.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    left: VecDeque<Target>,
    /// The URIs of all that there were.
    known: Vec<String>,
}

impl Targets {
    pub(super) fn new(targets: impl IntoIterator<Item = Target>) -> Targets {
        let left: VecDeque<_> = targets.into_iter().collect();
        let known = left.iter().map(|target| target.uri.clone()).collect();
        Targets { left, known }
    }

    /// The first one of those that are left.
    pub(super) fn first(&self) -> Option<&Target> {
        self.left.front()
    }

    /// The next one to be tried.
    pub(super) fn next(&mut self) -> Option<Target> {
        self.left.pop_front()
    }

    /// How many are left to be tried.
    pub(super) fn left(&self) -> u32 {
        u32::try_from(self.left.len()).unwrap_or(u32::MAX - 1)
    }

    /// Has the contacts tried next that a target redirects to, the preferred one first (RFC 3261 section 8.1.3.4), but
    /// for those that were known before. From a SIPS URI only another one is followed: who dials it wants every hop
    /// secured (section 26.2.2). Whether there are any.
    pub(super) fn redirect(&mut self, from: &Target, response: &Response) -> bool {
        let Contacts::Listed(contacts) = response.headers().contacts() else { return false };
        let mut named: Vec<_> = contacts.filter_map(Result::ok).filter_map(of_contact).collect();
        named.retain(|(_, uri)| !is_secure(&from.uri) || is_secure(uri));
        named.sort_by_key(|(preference, _)| std::cmp::Reverse(*preference));
        let before = self.left.len();
        for (_, uri) in named {
            if self.known.len() < TARGETS && !self.knows(&uri) {
                self.known.push(uri.clone());
                let place = self.left.len() - before;
                self.left.insert(place, Target { uri, by: By::Redirection });
            }
        }
        self.left.len() > before
    }

    fn knows(&self, uri: &str) -> bool {
        let is_same = |known: &String| {
            let uris = (Uri::new(known.as_bytes()), Uri::new(uri.as_bytes()));
            matches!(uris, (Ok(one), Ok(other)) if one.matches(other))
        };
        self.known.iter().any(is_same)
    }
}

impl Target {
    /// A device that has registered.
    pub(super) fn of(binding: &Binding) -> Target {
        let Binding { uri, flow, is_translated, .. } = binding;
        Target { uri: uri.clone(), by: By::Registration { flow: *flow, is_translated: *is_translated } }
    }

    /// What challenges of this target are answered with: logins of the host that whoever has dialled has named, and
    /// none if somebody else has named the target.
    pub(super) fn authorizations(&self) -> Authorizations {
        match self.by {
            By::Uri => {
                let read = Uri::new(self.uri.as_bytes()).ok();
                Authorizations::at(read.and_then(Uri::sip).map(|uri| uri.host.to_string()))
            }
            By::Redirection | By::Registration { .. } => Authorizations::default(),
        }
    }
}

/// Whether a URI is a SIPS URI.
pub(super) fn is_secure(uri: &str) -> bool {
    let read = Uri::new(uri.as_bytes()).ok();
    read.and_then(Uri::sip).is_some_and(|uri| uri.scheme == Scheme::Sips)
}

/// The preference and the URI of a contact that can be called.
fn of_contact(contact: Address<'_>) -> Option<(u16, String)> {
    contact.uri.sip()?;
    let uri = contact.uri.without_headers().to_owned();
    (uri.len() <= LONGEST).then(|| (contact.preference().unwrap_or(1000), uri))
}
