//! Messages: a request or a response, with its headers and its body.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::error::Fault;
use crate::fields::{Fields, Span};
use crate::head::{Declared, Head};
use crate::headers::Headers;
use crate::lex::ascii;
use crate::limits::{self, Limit};
use crate::method::Method;
use crate::refused::{Kind, Refused};
use crate::start_line::{StartLine, Wrong};
use crate::status::Status;
use crate::uri::Uri;

/// A message that can be used.
#[derive(Clone, Debug)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    headers: Headers,
    method: Span,
    uri: Span,
    head: usize,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    headers: Headers,
    status: Status,
    reason: Span,
    head: usize,
}

impl Request {
    /// The method.
    pub fn method(&self) -> Method<'_> {
        Method::of(ascii(self.method.of(self.bytes())))
    }

    /// The Request-URI.
    pub fn uri(&self) -> Uri<'_> {
        Uri::new(self.uri.of(self.bytes())).expect("the URI was checked when the request was read")
    }

    /// The headers.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes()[self.head..]
    }

    /// The whole request as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.headers.bytes
    }
}

impl Response {
    /// The status.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The reason phrase, which may be empty and no UTF-8.
    pub fn reason(&self) -> &[u8] {
        self.reason.of(self.bytes())
    }

    /// The headers.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes()[self.head..]
    }

    /// The whole response as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.headers.bytes
    }
}

impl Message {
    /// The headers.
    pub const fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => request.headers(),
            Self::Response(response) => response.headers(),
        }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Request(request) => request.body(),
            Self::Response(response) => response.body(),
        }
    }

    /// The whole message as it came, without line breaks before it and bytes behind it.
    pub fn bytes(&self) -> &[u8] {
        &self.headers().bytes
    }
}

/// Reads a datagram. Line breaks before the message are skipped (RFC 3261 section 7.5). Without Content-Length the
/// body is all that follows the head; bytes behind the body are dropped (section 18.3).
///
/// # Errors
/// What is wrong, with what an answer needs. A datagram of nothing but line breaks is a keep-alive and
/// [`Fault::Empty`].
pub fn datagram(bytes: &[u8]) -> Result<Message, Box<Refused>> {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let bytes = &bytes[blank..];
    if bytes.is_empty() {
        return Err(Refused::new(
            Fault::Empty,
            Kind::NotSip,
            Fields { bytes: Arc::from([]), entries: [].into() },
        ));
    }
    let head = Head::read(bytes);
    let rest = bytes.len() - head.length;
    let length = match head.declared {
        Declared::Is(declared) => match usize::try_from(declared) {
            Ok(length) if length <= rest => length,
            Ok(_) | Err(_) => {
                return Err(refused(bytes, head, Fault::BodyTooShort { declared, found: rest }));
            }
        },
        // The check of the headers says what is wrong with it.
        Declared::Absent | Declared::Wrong => rest,
    };
    if head.length + length > limits::MESSAGE {
        return Err(refused(bytes, head, Fault::TooLarge(Limit::Message)));
    }
    read(&bytes[..head.length + length], head)
}

/// Makes a message of its bytes and its head.
pub(crate) fn read(bytes: &[u8], head: Head) -> Result<Message, Box<Refused>> {
    let start_line = match start_line(bytes, &head) {
        Ok(start_line) => start_line,
        Err((_, fault)) => return Err(refused(bytes, head, fault)),
    };
    let (length, kind) = (head.length, start_line.kind());
    let fields = Fields { bytes: Arc::from(bytes), entries: head.entries };
    let headers = Headers::check(fields).map_err(|(fault, fields)| Refused::new(fault, kind, fields))?;
    match start_line {
        StartLine::Request { method, uri } => {
            let request = Request { headers, method, uri, head: length };
            if request.headers.cseq().method == request.method() {
                Ok(Message::Request(request))
            } else {
                Err(Refused::new(Fault::MethodMismatch, kind, request.headers.into_fields()))
            }
        }
        StartLine::Response { status, reason } => {
            Ok(Message::Response(Response { headers, status, reason, head: length }))
        }
    }
}

/// Makes a refused message of its head; `fault` is what is wrong when the head itself is right.
pub(crate) fn refused(bytes: &[u8], head: Head, fault: Fault) -> Box<Refused> {
    let found = start_line(bytes, &head).map(|start_line| (start_line.kind(), fault));
    let (kind, fault) = found.unwrap_or_else(|wrong| wrong);
    let fields = Fields { bytes: Arc::from(&bytes[..head.length]), entries: head.entries };
    Refused::new(fault, kind, fields)
}

/// The start line, if neither it nor a line behind it is wrong. Another version is found before anything else is
/// judged.
fn start_line(bytes: &[u8], head: &Head) -> Result<StartLine, Wrong> {
    match (StartLine::read(head.start_line.of(bytes)), head.fault) {
        (Ok(start_line), None) => Ok(start_line),
        (Ok(start_line), Some(fault)) => Err((start_line.kind(), fault)),
        (Err(wrong @ (_, Fault::Version | Fault::NotSip)), _) => Err(wrong),
        (Err((kind, fault)), earlier) => Err((kind, earlier.unwrap_or(fault))),
    }
}
