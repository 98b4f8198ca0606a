//! What the node sees of its calls: how many there are, and what happened to them. And the ticket that a leg holds, so
//! that its call is counted until its media is gone.

use std::time::Instant;

use serde::Serialize;

use crate::audio::Participant;

/// The calls of a node as a drain sees them. A call counts from the admission of its INVITE until its signalling
/// and its media are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// The engine knows them.
    Known {
        /// How many calls there are.
        count: u32,
        /// When the oldest of them began.
        oldest: Option<Instant>,
    },
    /// A part of the engine has failed: treat the node as busy.
    Unknown,
}

/// What happened to calls since the engine started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls that were answered and confirmed by the caller's ACK, or dialled and answered.
    pub carried: u64,
    /// Calls refused in maintenance mode.
    pub refused_maintenance: u64,
    /// Calls refused at the call limit, or because all media ports were in use by calls.
    pub refused_limit: u64,
    /// Calls refused, or not made, because the node had as many as its share of the licences allows.
    pub refused_licences: u64,
    /// Calls refused although the node was not full: the system granted no media port.
    pub refused_resource: u64,
    /// Calls refused because their source exceeded its rate.
    pub refused_rate: u64,
    /// Requests not answered at all because their source far exceeded its rate.
    pub dropped: u64,
    /// Requests whose credentials were wrong: of no account, or with another secret.
    pub wrong_credentials: u64,
    /// Requests whose credentials were not looked at, because too many of their source had been wrong.
    pub unchecked_credentials: u64,
    /// Calls that this node has dialled.
    pub dialled: u64,
    /// Calls that this node has dialled and nobody has answered.
    pub not_answered: u64,
    /// Calls to an alias that no room has.
    pub not_found: u64,
    /// Calls refused for another reason: no codec, a malformed request, an extension that is not supported.
    pub not_acceptable: u64,
    /// Calls that the caller cancelled before they were answered.
    pub cancelled: u64,
    /// Calls ended by the far end.
    pub ended_by_far_end: u64,
    /// Calls ended because their answer was never confirmed by an ACK, or their ringing by a PRACK.
    pub ended_without_ack: u64,
    /// Calls ended because no media arrived from the far end.
    pub ended_by_media_timeout: u64,
    /// Calls ended because a handshake of DTLS gave no keys for their sound.
    pub ended_without_keys: u64,
    /// Calls ended because their session timer lapsed.
    pub ended_by_session_timer: u64,
    /// Calls ended because the far end answered a refresh with an error that ends a call.
    pub ended_by_refusal: u64,
    /// Calls that were dialled, answered, and hung up by whoever had dialled them.
    pub hung_up: u64,
    /// Calls that the operator has disconnected.
    pub disconnected: u64,
    /// Calls refused because their conference is locked.
    pub refused_locked: u64,
    /// Calls ended because the engine was shut down.
    pub ended_by_shutdown: u64,
    /// Calls that were taken over from another process.
    pub taken_over: u64,
    /// Calls that another process has taken over.
    pub handed_over: u64,
}

/// Held by the leg of a call. Reports that the leg and its port are gone when it is dropped.
pub(crate) struct Ticket {
    pub(crate) call: Participant,
    released: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl Ticket {
    pub(crate) fn new(call: Participant, released: impl FnOnce() + Send + Sync + 'static) -> Ticket {
        Ticket { call, released: Some(Box::new(released)) }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(released) = self.released.take() {
            released();
        }
    }
}
