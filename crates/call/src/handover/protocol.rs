//! The messages between two processes that move the calls of a conference. Each is one line of JSON. Calls are named by
//! their number at the process that gives them away.

use serde::{Deserialize, Serialize};

use super::message::{ExportedCall, ExportedStream};
use super::{Changed, NotTakenOver};

/// The longest line, in bytes. A dialog has 8 KiB of addresses and routes at most, and each byte of them becomes six
/// where JSON escapes it; a session has 16 media lines of some hundred bytes.
pub(super) const MAX_LINE: usize = 256 * 1024;

/// What the process says that gives calls away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromGiver {
    /// A call of the conference.
    Call {
        /// Its number.
        number: u64,
        /// The call.
        call: Box<ExportedCall>,
    },
    /// All calls are ready: bring their far ends over.
    TakeOver,
    /// They are not: forget them.
    GiveUp,
    /// The leg of a call has left, and its stream has come so far.
    Stream {
        /// Which call.
        number: u64,
        /// Where its stream is.
        stream: ExportedStream,
    },
    /// The far end of a call has hung up.
    Ended {
        /// Which call.
        number: u64,
    },
}

/// What the process says that takes calls over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromTaker {
    /// The far end of a call answers here.
    Ready {
        /// Which call.
        number: u64,
        /// The CSeq of the request that it has answered.
        last_sequence: Option<u32>,
    },
    /// The far end of a call is here.
    TakenOver {
        /// Which call.
        number: u64,
    },
    /// A call cannot be taken in.
    NotImported {
        /// Which call.
        number: u64,
        /// Why, for an operator.
        why: String,
    },
    /// A call was not taken over.
    NotTakenOver {
        /// Which call.
        number: u64,
        /// The CSeq of the last request that was sent within it.
        last_sequence: Option<u32>,
        /// Whether its far end may have been changed.
        changed: Changed,
        /// Why.
        why: NotTakenOver,
    },
    /// The far end of a call has hung up.
    Ended {
        /// Which call.
        number: u64,
    },
}
