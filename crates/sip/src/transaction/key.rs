//! The key by which a message is matched to its transaction (RFC 3261 sections 17.1.3, 17.2.3 and 8.2.2.2).
//!
//! A key holds its parts in one piece of memory that its copies share, with a zero byte between them: no part but the
//! last can contain one.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write as _;

use crate::message::{Request, Response};
use crate::method::Method;
use crate::transport::flow::Protocol;
use crate::via::{Transport, Via};

fn joined(parts: &[&[u8]]) -> Arc<[u8]> {
    let length = parts.iter().map(|part| part.len() + 1).sum();
    let mut key = Vec::with_capacity(length);
    for part in parts {
        key.extend_from_slice(part);
        key.push(0);
    }
    key.into()
}

/// By what a transaction of another's request is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServerKey(Arc<[u8]>);

/// Room for a usual key, in bytes, so that it takes one allocation.
const USUAL: usize = 128;
const BRANCH: &str = "b";
const OLD: &[u8] = b"o";

impl ServerKey {
    /// That of the request itself; of an ACK that of its INVITE.
    pub(crate) fn of(request: &Request) -> Self {
        let method = request.method();
        Self::of_method(request, if method == Method::Ack { Method::Invite } else { method })
    }

    /// That of the INVITE which an ACK or a CANCEL belongs to.
    pub(crate) fn of_invite(request: &Request) -> Self {
        Self::of_method(request, Method::Invite)
    }

    fn of_method(request: &Request, method: Method<'_>) -> Self {
        let via = request.headers().top_via();
        Self::by_branch(&via, method).unwrap_or_else(|| Self::old(request, &via, method))
    }

    /// The key of the transaction that a response belongs to; none if its Via has no branch with the magic cookie.
    pub(crate) fn of_response(response: &Response) -> Option<Self> {
        let headers = response.headers();
        Self::by_branch(&headers.top_via(), headers.cseq().method)
    }

    /// By branch, `sent-by` and method: the branch alone could be one that another sender has chosen as well.
    fn by_branch(via: &Via<'_>, method: Method<'_>) -> Option<Self> {
        let branch = via.transaction()?;
        let port = via.port.unwrap_or(default_port(via.transport));
        let mut key = String::with_capacity(USUAL);
        // Writing to a string does not fail. Case counts in the method alone.
        let _ = write!(key, "{BRANCH}\0{}\0", method.as_str());
        let behind = key.len();
        let _ = write!(key, "{branch}\0{}\0{port}\0", via.host);
        key[behind..].make_ascii_lowercase();
        Some(Self(key.into_bytes().into()))
    }

    /// By the rules for senders of RFC 2543. The tag of To is left out: an ACK has that of the response, which
    /// [`Self::is_old`] has the caller compare, and no other request differs in it alone.
    fn old(request: &Request, via: &Via<'_>, method: Method<'_>) -> Self {
        let headers = request.headers();
        let from = headers.from_tag().unwrap_or_default();
        let number = headers.cseq().number.to_string();
        let uri = request.uri();
        let parts = [
            OLD,
            method.as_str().as_bytes(),
            uri.as_str().as_bytes(),
            from.as_bytes(),
            headers.call_id().as_bytes(),
            number.as_bytes(),
            via.text(),
        ];
        Self(joined(&parts))
    }

    /// Whether it is by the rules for senders of RFC 2543.
    pub(crate) fn is_old(&self) -> bool {
        self.0.starts_with(OLD)
    }

    /// The bytes that it keeps.
    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }
}

/// The port where `sent-by` has none.
fn default_port(transport: Transport<'_>) -> u16 {
    if transport == Transport::Tls { Protocol::TLS.default_port() } else { Protocol::Udp.default_port() }
}

/// By what a request is known that has come over two paths, and so with two branches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MergeKey(Arc<[u8]>);

impl MergeKey {
    /// Of a request outside of a dialog that may be answered with 482, and of no other.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let (headers, method) = (request.headers(), request.method());
        if headers.to_tag().is_some() || matches!(method, Method::Ack | Method::Cancel) {
            return None;
        }
        let from = headers.from_tag().unwrap_or_default();
        let number = headers.cseq().number.to_string();
        let parts =
            [method.as_str().as_bytes(), from.as_bytes(), number.as_bytes(), headers.call_id().as_bytes()];
        Some(Self(joined(&parts)))
    }

    /// The bytes that it keeps.
    pub(crate) fn length(&self) -> usize {
        self.0.len()
    }
}

/// By what a transaction of ours is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientKey(Arc<[u8]>);

impl ClientKey {
    /// That of a request of ours, which no ACK has.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        if request.method() == Method::Ack {
            return None;
        }
        Self::by_branch(&request.headers().top_via(), request.method())
    }

    /// That which a response belongs to.
    pub(crate) fn of_response(response: &Response) -> Option<Self> {
        let headers = response.headers();
        Self::by_branch(&headers.top_via(), headers.cseq().method)
    }

    fn by_branch(via: &Via<'_>, method: Method<'_>) -> Option<Self> {
        let branch = via.transaction()?.to_ascii_lowercase();
        Some(Self(joined(&[method.as_str().as_bytes(), branch.as_bytes()])))
    }
}
