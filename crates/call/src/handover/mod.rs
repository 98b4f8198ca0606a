//! A live call moves from one process to another, and its caller hears nothing of it (decision 39).
//!
//! The process that has the call exports it as a message ([`message`]). The other one imports it: it opens a media port,
//! restores the dialog, and asks the far end by an OPTIONS whether it answers there. When all calls of a conference
//! have answered, re-INVITEs bring the far ends over; for each that has agreed, the first process hands out its leg,
//! and the stream goes on at the other with the same source, sequence and timestamps. The sound of a
//! call leaves from one process at a time, and whoever fails leaves the call to the other.
//!
//! What is decided is in `signalling::exporting` and `signalling::importing`; `giver` and `taker` say which step follows
//! which, and `exchange` carries the messages between two engines over any connection of bytes, which nobody else reads:
//! they have the keys of encrypted calls in them. Nothing of it is used by a run yet.

use serde::{Deserialize, Serialize};
use sip::dialog::table::NotKept;
use sip::error::FieldError;

use crate::sdp::NoSession;

mod exchange;
pub(crate) mod giver;
mod latin1;
pub mod message;
pub(crate) mod protocol;
pub(crate) mod taker;

pub(crate) use exchange::{give, take};
pub use giver::Given;

#[cfg(test)]
pub(crate) mod tests;

/// Why a call is not exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotExported {
    /// There is no such call, or it is ending, or it is the engine's own.
    #[error("there is no such call")]
    Unknown,
    /// A request within it is in progress, or it was not answered yet. A moment later it may be exported.
    #[error("a request within the call is in progress; try again in a moment")]
    Busy,
    /// The keys of its sound come of a handshake of DTLS.
    #[error("the keys of its sound come of a handshake of DTLS, which does not move")]
    Handshake,
    /// Its far end is reached over its own connection alone.
    #[error("the far end is behind an address translator and is reached over its connection alone")]
    Unreachable,
}

/// Why an exported call is not imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotImported {
    /// Its message is of a later release, in a form that this one does not know.
    #[error("it is in form {0}, and this release reads forms up to {FORMAT}", FORMAT = message::FORMAT)]
    Format(u16),
    /// There are as many calls as there may be.
    #[error("there are as many calls as call_limit allows")]
    Full,
    /// This engine has no listener of its transport and its family of addresses.
    #[error("there is no listener of its transport in its family of addresses")]
    Transport,
    /// A value of its dialog is wrong.
    #[error("its dialog: {0}")]
    Dialog(#[from] FieldError),
    /// Its dialog is not kept.
    #[error("its dialog: {0}")]
    NotKept(#[from] NotKept),
    /// Its session is wrong, or has a codec that this release has not.
    #[error("its session: {0}")]
    Session(&'static str),
}

impl From<NoSession> for NotImported {
    fn from(NoSession(why): NoSession) -> NotImported {
        NotImported::Session(why)
    }
}

/// Why an imported call is left to the process that exported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum NotTakenOver {
    /// No media port can be had.
    #[error("there is no media port")]
    NoPort,
    /// No request can be sent to its far end from here.
    #[error("no request can be sent to the far end")]
    Unreachable,
    /// Its far end does not answer here.
    #[error("the far end does not answer here")]
    NoAnswer,
    /// Its far end has refused the change with this status.
    #[error("the far end has answered {0}")]
    Refused(u16),
    /// The other calls of its conference were not ready in time.
    #[error("the other calls of the conference were not ready in time")]
    TooLate,
}

/// Whether a request of the other process may have changed the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Changed {
    /// It has refused, or none was sent.
    No,
    /// Its answer is not known.
    Perhaps,
}
