//! How large a message and its parts may be. Each limit is checked before the work that it bounds.

use core::fmt;

/// The bytes of a message. A UDP datagram cannot be longer (RFC 768), so that a larger message could not be sent on
/// over every transport; offers with a dozen streams take 5 KB. Beyond it: 413, or 513 when the head alone is longer.
pub const MESSAGE: usize = 65_535;

/// The bytes of a head: start line, headers and the empty line. INVITEs that passed ten proxies take 5 KB; the
/// largest legitimate part is a signed identity of a few KB (RFC 8224). Beyond it: 513.
pub const HEAD: usize = 32 * 1024;

/// The bytes of a start line. Beyond it: 414, for only the Request-URI can make it long.
pub const START_LINE: usize = 4 * 1024;

/// The bytes of one header, its name and all its lines. Beyond it: 513.
pub const FIELD: usize = 8 * 1024;

/// The headers of a message. Thirty are usual, and each proxy adds two. Beyond it: 513.
pub const FIELDS: usize = 256;

/// The elements of a list, over all headers of the name. Max-Forwards starts at 70 (RFC 3261 section 8.1.1.6), so no
/// request passes more proxies than that, each with its Via and its Record-Route. Beyond it: 400.
pub const ELEMENTS: usize = 128;

/// The parameters of one element, one URI, or one credential. A dozen are usual. Beyond it: 400.
pub const PARAMETERS: usize = 64;

/// A limit of the whole that a message exceeds. One of a single header makes that header malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`MESSAGE`], by the body that is declared or has come.
    Message,
    /// [`HEAD`].
    Head,
    /// [`START_LINE`].
    StartLine,
    /// [`FIELD`].
    Field,
    /// [`FIELDS`].
    Fields,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, limit, unit) = match self {
            Self::Message => ("message", MESSAGE, "bytes"),
            Self::Head => ("head", HEAD, "bytes"),
            Self::StartLine => ("start line", START_LINE, "bytes"),
            Self::Field => ("header", FIELD, "bytes"),
            Self::Fields => ("message", FIELDS, "headers"),
        };
        write!(f, "a {what} may have {limit} {unit}")
    }
}
