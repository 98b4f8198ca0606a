//! What can be wrong with a message, and the status that it is worth.

use core::fmt;

use crate::limits::Limit;
use crate::name::Name;
use crate::status::Status;

/// The text does not follow its grammar, and in which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl Malformed {
    /// More than [`crate::limits::PARAMETERS`].
    pub(crate) const PARAMETERS: Self = Self("it has too many parameters");
    /// More than [`crate::limits::ELEMENTS`].
    pub(crate) const ELEMENTS: Self = Self("it has too many elements");
    /// A second header where one may stand.
    pub(crate) const REPEATED: Self = Self("it may stand once and stands several times");
    /// No header where one must stand.
    pub(crate) const MISSING: Self = Self("it must be there and is missing");
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for Malformed {}

/// A header that cannot be used. A request that needs it is answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Which header.
    pub name: Name,
    /// What is wrong with it.
    pub why: Malformed,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "header {}: {}", self.name, self.why)
    }
}

impl core::error::Error for FieldError {}

/// Why a message cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing but line breaks: a keep-alive in a datagram.
    Empty,
    /// The first line is neither that of a request nor that of a response, of any version.
    NotSip,
    /// A part of the message is too large.
    TooLarge(Limit),
    /// A version other than SIP/2.0.
    Version,
    /// The start line does not follow its grammar.
    StartLine(Malformed),
    /// A line of the head is no header.
    Line(Malformed),
    /// A header that every message needs is missing or wrong.
    Field(FieldError),
    /// The method in CSeq is not that of the request (section 8.1.1.5).
    MethodMismatch,
    /// The head does not end.
    NoEmptyLine,
    /// The body is shorter than Content-Length says. Both in bytes.
    BodyTooShort {
        /// What Content-Length says.
        declared: u32,
        /// What came.
        found: usize,
    },
    /// Nothing says where in the stream the message ends: it has a body and no Content-Length (section 18.3).
    UnknownLength,
}

impl Fault {
    /// The status that a request with this fault is answered with.
    pub const fn status(self) -> Status {
        match self {
            Self::Version => Status::VERSION_NOT_SUPPORTED,
            Self::TooLarge(Limit::Message) => Status::REQUEST_ENTITY_TOO_LARGE,
            Self::TooLarge(Limit::StartLine) => Status::REQUEST_URI_TOO_LONG,
            Self::TooLarge(Limit::Head | Limit::Field | Limit::Fields) => Status::MESSAGE_TOO_LARGE,
            Self::Empty
            | Self::NotSip
            | Self::StartLine(_)
            | Self::Line(_)
            | Self::Field(_)
            | Self::MethodMismatch
            | Self::NoEmptyLine
            | Self::BodyTooShort { .. }
            | Self::UnknownLength => Status::BAD_REQUEST,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is nothing but line breaks"),
            Self::NotSip => f.write_str("the first line is not that of a SIP message"),
            Self::TooLarge(limit) => write!(f, "{limit}, and this one exceeds it"),
            Self::Version => f.write_str("the version is not SIP/2.0"),
            Self::StartLine(why) => write!(f, "start line: {why}"),
            Self::Line(why) => write!(f, "a line of the head: {why}"),
            Self::Field(error) => write!(f, "{error}"),
            Self::MethodMismatch => f.write_str("CSeq names another method than the start line"),
            Self::NoEmptyLine => f.write_str("no empty line ends the head"),
            Self::BodyTooShort { declared, found } => {
                write!(f, "Content-Length is {declared}, and the body has {found} bytes")
            }
            Self::UnknownLength => f.write_str("Content-Length is missing, and the message has a body"),
        }
    }
}

impl core::error::Error for Fault {}
