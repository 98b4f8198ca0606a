//! A message that cannot be used, with what can be known of it: whether an answer is owed, and what that needs.

use alloc::boxed::Box;
use core::fmt;

use crate::error::Fault;
use crate::fields::{Fields, Span};
use crate::lex::ascii;
use crate::method::Method;
use crate::status::Status;

/// What a refused message would have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request, with its method if that could be read.
    Request {
        method: Option<Span>,
    },
    Response,
    NotSip,
}

/// A message that cannot be used.
#[derive(Clone, Debug)]
pub struct Refused {
    fault: Fault,
    kind: Kind,
    fields: Fields,
}

impl Refused {
    pub(crate) fn new(fault: Fault, kind: Kind, fields: Fields) -> Box<Self> {
        Box::new(Self { fault, kind, fields })
    }

    /// What is wrong: the first fault that was found.
    pub const fn fault(&self) -> Fault {
        self.fault
    }

    /// The status of the answer that is owed: to a request, and never to an ACK (RFC 3261 section 17). Whatever is
    /// no request is dropped. [`crate::reply::Reply::refusing`] writes the answer.
    pub fn status(&self) -> Option<Status> {
        match (self.kind, self.method()) {
            (Kind::Response | Kind::NotSip, _) | (Kind::Request { .. }, Some(Method::Ack)) => None,
            (Kind::Request { .. }, _) => Some(self.fault.status()),
        }
    }

    /// The method, when it is a request and its method could be read.
    pub fn method(&self) -> Option<Method<'_>> {
        match self.kind {
            Kind::Request { method } => Some(Method::of(ascii(method?.of(&self.fields.bytes)))),
            Kind::Response | Kind::NotSip => None,
        }
    }

    /// The headers that could be read, as they came. None of them has been checked.
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Request { .. } => "request",
            Kind::Response => "response",
            Kind::NotSip => "message",
        };
        write!(f, "a {what} cannot be used: {}", self.fault)
    }
}

impl core::error::Error for Refused {}
