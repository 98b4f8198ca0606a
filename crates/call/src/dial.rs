//! What dialling out takes and how it may fail. It decides nothing.

use std::time::Duration;

use crate::admission::INSUFFICIENT_LICENCES;

/// Whom to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialTarget {
    /// A `sip:` or `sips:` URI, over the transport that it names.
    Uri(String),
    /// The devices that are registered as an alias, the last registered one first, over what each has registered over.
    /// Each rings for an equal share of the time that is left.
    Device(String),
}

/// How to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialOptions {
    /// How long all of it may take until somebody answers.
    pub answer_within: Duration,
    /// The URI that the far end is shown as the caller; that of the room at this node if there is none. Some providers
    /// connect calls of the number alone that they know.
    pub from: Option<String>,
    /// What the participant is shown as; the alias that is dialled if there is none.
    pub display_name: Option<String>,
}

impl Default for DialOptions {
    /// A minute, in which a telephone rings a dozen times.
    fn default() -> DialOptions {
        DialOptions { answer_within: Duration::from_secs(60), from: None, display_name: None }
    }
}

/// A call to the outside was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The node takes no new calls, with the reason.
    #[error("the node makes no new calls: {0}")]
    Closed(String),
    /// The node has as many calls as it may have.
    #[error("the node has as many calls as it may have; end some, or raise call_limit")]
    CallLimit,
    /// The node has as many calls as its share of the licences allows.
    #[error(
        "{INSUFFICIENT_LICENCES}: the node has as many calls as its share of the licences allows; try again in a few \
         seconds, end some calls, or install another licence"
    )]
    Licences,
    /// The node has no room for what the call needs in its tables of requests and dialogs.
    #[error("the node has as many requests or dialogs as it may have; try again in a moment")]
    Full,
    /// There is no such room, or it has no alias.
    #[error("there is no Virtual Meeting Room {0:?} with an alias")]
    NoRoom(String),
    /// It cannot be called.
    #[error("{uri:?} cannot be called: {why}")]
    Target {
        /// What was to be called, or to be shown as the caller.
        uri: String,
        /// Why not.
        why: String,
    },
    /// No device is registered as this alias.
    #[error("no device is registered as {0:?}")]
    NotRegistered(String),
    /// There is no media port for the call.
    #[error("there is no media port for the call: {0}")]
    NoMediaPort(String),
    /// A name was not resolved.
    #[error("the name {0} has no address that this node can reach")]
    Unresolved(String),
    /// Nothing can be sent there.
    #[error("{0} cannot be reached from this node")]
    Unreachable(String),
    /// No response came at all.
    #[error("{0} does not respond")]
    NoResponse(String),
    /// Nobody has answered in time.
    #[error("nobody has answered within {0:?}")]
    NotAnswered(Duration),
    /// The far end refuses the call.
    #[error("the call was refused with {status} {reason}")]
    Refused {
        /// The status.
        status: u16,
        /// The reason phrase, as it came.
        reason: String,
    },
    /// The far end wants to know who calls, and there is no login for its realm and one of its algorithms at the host
    /// that was dialled.
    #[error("the far end asks for a login of the realm {0:?}, and there is none for its host that it takes")]
    NoLogin(String),
    /// The far end does not take the login of its realm.
    #[error("the far end does not take the login of the realm {0:?}")]
    WrongLogin(String),
    /// The answer cannot be used.
    #[error("the far end has answered with what cannot be used: {0}")]
    Unusable(String),
    /// It was hung up before somebody answered.
    #[error("the call was hung up before it was answered")]
    HungUp,
    /// The engine is shut down.
    #[error("the call engine is shut down")]
    ShutDown,
}
