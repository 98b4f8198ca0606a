//! Writes messages. What is written has one start line, the headers that were added in their order, and a
//! Content-Length that is right. A value with a line break is refused, so that no value can begin another header.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display, Write};

use crate::host::Host;
use crate::method::Method;
use crate::name::Name;
use crate::sequence::{CSeq, RAck};
use crate::session::SessionExpires;
use crate::status::Status;
use crate::uri::Uri;
use crate::value::Token;
use crate::via::Transport;

/// A message that is being written.
#[derive(Clone, Debug)]
pub struct Draft {
    bytes: Vec<u8>,
}

/// A value that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritable {
    /// It has a line break or another control character.
    Control,
    /// Content-Length and Content-Type are written with the body.
    OfTheBody,
}

impl Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Control => "a value with a control character cannot be written; remove it",
            Self::OfTheBody => "Content-Length and Content-Type are written with the body",
        })
    }
}

impl core::error::Error for Unwritable {}

impl Draft {
    /// A request. Headers in the URI are left out.
    pub fn request(method: Method<'_>, uri: Uri<'_>) -> Self {
        let mut draft = Self { bytes: Vec::with_capacity(USUAL) };
        for part in [method.as_str(), " ", uri.without_headers(), " SIP/2.0\r\n"] {
            draft.raw(part.as_bytes());
        }
        draft
    }

    /// A response. The reason phrase is for people and may be any text.
    ///
    /// # Errors
    /// The reason phrase has a control character.
    pub fn response(status: Status, reason: &str) -> Result<Self, Unwritable> {
        let mut draft = Self { bytes: Vec::with_capacity(USUAL) };
        draft.raw(b"SIP/2.0 ");
        draft.raw(status.to_string().as_bytes());
        draft.raw(b" ");
        draft.value(reason.as_bytes())?;
        Ok(draft)
    }

    /// Adds a header.
    ///
    /// # Errors
    /// Its value has a control character, or it is one of the body.
    pub fn field(self, name: Name, value: impl Display) -> Result<Self, Unwritable> {
        self.bytes(name, value.to_string().as_bytes())
    }

    /// Adds a header of which the value may be no UTF-8.
    ///
    /// # Errors
    /// As with [`Self::field`].
    pub fn bytes(mut self, name: Name, value: &[u8]) -> Result<Self, Unwritable> {
        if matches!(name, Name::ContentLength | Name::ContentType) {
            return Err(Unwritable::OfTheBody);
        }
        self.name(name.as_str());
        self.value(value)?;
        Ok(self)
    }

    /// Adds a header that has no [`Name`].
    ///
    /// # Errors
    /// As with [`Self::field`].
    pub fn other(self, name: Token<'_>, value: impl Display) -> Result<Self, Unwritable> {
        match Name::of(name.as_str().as_bytes()) {
            Some(name) => self.field(name, value),
            None => {
                let mut draft = self;
                draft.name(name.as_str());
                draft.value(value.to_string().as_bytes())?;
                Ok(draft)
            }
        }
    }

    /// Ends the message without a body.
    pub fn finish(mut self) -> Vec<u8> {
        self.raw(b"Content-Length: 0\r\n\r\n");
        self.bytes
    }

    /// Ends the message with a body of a type, such as `application/sdp`.
    ///
    /// # Errors
    /// The type has a control character.
    pub fn finish_with(mut self, content_type: &str, body: &[u8]) -> Result<Vec<u8>, Unwritable> {
        self.name(Name::ContentType.as_str());
        self.value(content_type.as_bytes())?;
        self.name(Name::ContentLength.as_str());
        self.value(body.len().to_string().as_bytes())?;
        self.raw(b"\r\n");
        self.raw(body);
        Ok(self.bytes)
    }

    /// Adds a header of a message that was read, byte for byte, folded lines included.
    pub(crate) fn copied(&mut self, name: Name, parts: &[&[u8]]) {
        self.name(name.as_str());
        parts.iter().for_each(|part| self.raw(part));
        self.raw(b"\r\n");
    }

    fn name(&mut self, name: &str) {
        self.raw(name.as_bytes());
        self.raw(b": ");
    }

    fn value(&mut self, value: &[u8]) -> Result<(), Unwritable> {
        if value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(Unwritable::Control);
        }
        self.raw(value);
        self.raw(b"\r\n");
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

/// Room for a usual message, in bytes, so that it takes one allocation.
const USUAL: usize = 1024;

/// Via as a sender writes it.
#[derive(Clone, Copy, Debug)]
pub struct SentVia<'a> {
    /// The transport that it is sent over.
    pub transport: Transport<'a>,
    /// The host of `sent-by`.
    pub host: Host<'a>,
    /// The port of `sent-by`.
    pub port: Option<u16>,
    /// The branch, with the cookie.
    pub branch: Token<'a>,
}

impl Display for SentVia<'_> {
    /// Always with `rport` (RFC 3581), so that the answer finds the way back through a NAT.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, ";rport;branch={}", self.branch.as_str())
    }
}

/// An address as it is written: `"display name" <uri>;tag=tag`.
#[derive(Clone, Copy, Debug)]
pub struct SentAddress<'a> {
    /// The display name as it is to be read; it is quoted. Empty for none.
    pub display: &'a str,
    /// The URI.
    pub uri: Uri<'a>,
    /// The tag.
    pub tag: Option<Token<'a>>,
}

impl Display for SentAddress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.display.is_empty() {
            write!(f, "{} ", quoted(self.display))?;
        }
        write!(f, "<{}>", self.uri)?;
        self.tag.map_or(Ok(()), |tag| write!(f, ";tag={}", tag.as_str()))
    }
}

/// `text` as a quoted string: for display names, realms, and texts of Reason.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

impl Display for CSeq<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

impl Display for RAck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.response, self.cseq)
    }
}

impl Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        self.refresher.map_or(Ok(()), |side| write!(f, ";refresher={}", side.as_str()))
    }
}

impl Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `%`-escapes whatever cannot stand in the user part of a URI as it is.
pub fn escaped_user(user: &[u8]) -> String {
    let mut escaped = String::with_capacity(user.len());
    for byte in user {
        // A semicolon would begin parameters of a telephone number, a hash is escaped by the grammar.
        if crate::uri::is_user(*byte) && !matches!(byte, b';' | b'#') {
            escaped.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
