//! Why a description or a body is not accepted: the status, the warning code, and words for whoever operates the
//! phone. Plain data: the headers are written by the SIP side.

use crate::srtp::Suite;

use super::address::Family;
use super::codecs;

/// The most characters of a warning's text.
const MAX_TEXT: usize = 200;

/// Why a description or a body is not accepted.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Unacceptable {
    /// Over one of the limits.
    #[error("the session description has {found} {what}; at most {limit} are read")]
    TooLong {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much is read.
        limit: usize,
    },
    /// Not a session description.
    #[error("the session description cannot be read: {0}")]
    Unreadable(String),
    /// No audio line with a port.
    #[error("no audio is offered; offer an audio line with a port other than 0")]
    NoAudio,
    /// Audio over a transport that is not supported.
    #[error("audio over {0} is not supported; offer it over UDP/TLS/RTP/SAVP, RTP/SAVP or RTP/AVP")]
    Transport(String),
    /// Audio over SRTP without a suite of ours.
    #[error("no SRTP suite in common: supported {}; offered {offered}", suites())]
    NoSuite {
        /// The suites of the far end.
        offered: String,
    },
    /// Audio over DTLS without a certificate that can be checked.
    #[error("no usable certificate for DTLS; name one by SHA-256, and setup actpass, active or passive")]
    NoFingerprint,
    /// Audio without a codec of ours.
    #[error("no audio codec in common: offered {offered}; supported {}", codecs::names())]
    NoCodec {
        /// The formats of the far end.
        offered: String,
    },
    /// Audio at an address of a family in which this node has none for it.
    #[error("no media address of the family {0} here; offer an address of the other family")]
    Family(Family),
    /// An answer to no offer.
    #[error("an answer came without an offer of this node")]
    NotOffered,
    /// A body, or a required part of one, of a type that is not understood.
    #[error("a body of type {0} is not understood; send application/sdp for the session")]
    Body(String),
    /// A body in parts that does not follow RFC 2046.
    #[error("the body in parts cannot be read: {0}")]
    Multipart(&'static str),
}

/// The names of all suites, for whoever offers none of them.
fn suites() -> String {
    Suite::ALL.map(Suite::name).join(", ")
}

impl Unacceptable {
    /// The status of the response (RFC 3261 section 21.4).
    pub(crate) fn status(&self) -> u16 {
        match self {
            Unacceptable::Unreadable(_) | Unacceptable::Multipart(_) => 400,
            Unacceptable::Body(_) => 415,
            Unacceptable::TooLong { .. }
            | Unacceptable::NoAudio
            | Unacceptable::Transport(_)
            | Unacceptable::NoSuite { .. }
            | Unacceptable::NoFingerprint
            | Unacceptable::NoCodec { .. }
            | Unacceptable::Family(_)
            | Unacceptable::NotOffered => 488,
        }
    }

    /// The code of the Warning header (RFC 3261 section 20.43).
    pub(crate) fn warning_code(&self) -> u16 {
        match self {
            Unacceptable::Family(_) => 301,
            Unacceptable::Transport(_) => 302,
            Unacceptable::NoAudio => 304,
            Unacceptable::NoCodec { .. } => 305,
            Unacceptable::NoSuite { .. } | Unacceptable::NoFingerprint => 306,
            Unacceptable::TooLong { .. }
            | Unacceptable::Unreadable(_)
            | Unacceptable::NotOffered
            | Unacceptable::Body(_)
            | Unacceptable::Multipart(_) => 399,
        }
    }

    /// The text of the Warning header: printable ASCII that needs no escape within quotes, at most [`MAX_TEXT`]
    /// characters, because parts of it are the far end's.
    pub(crate) fn text(&self) -> String {
        let plain = |c: char| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { ' ' };
        self.to_string().chars().map(plain).take(MAX_TEXT).collect()
    }
}
