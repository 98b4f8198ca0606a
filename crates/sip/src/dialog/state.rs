//! The state of a dialog (RFC 3261 section 12): plain values, without a reference into another layer, so that it can
//! be exported.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::dialog::id::DialogId;
use crate::dialog::provisional::Reliable;
use crate::time::{Millis, Time};

/// A dialog.
///
/// Its fields are written by this module alone: the addresses and routes go out again byte for byte, and must be
/// values of headers that were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    pub(crate) id: DialogId,
    pub(crate) role: Role,
    pub(crate) phase: Phase,
    pub(crate) secure: bool,
    /// From of our requests, with our tag.
    pub(crate) local: Vec<u8>,
    /// To of our requests, with the tag of the other side if it has one.
    pub(crate) remote: Vec<u8>,
    /// The remote target.
    pub(crate) target: String,
    /// The route set, in the order of our requests: addresses as they came.
    pub(crate) routes: Vec<Vec<u8>>,
    /// The CSeq of our last request; `None` before the first one of a UAS.
    pub(crate) local_sequence: Option<u32>,
    /// The CSeq of the last request of the other side; `None` before the first one to a UAC.
    pub(crate) remote_sequence: Option<u32>,
    /// The CSeq of an INVITE of ours that has no final response.
    pub(crate) our_invite: Option<u32>,
    /// The CSeq of an INVITE of the other side that has no final response.
    pub(crate) their_invite: Option<u32>,
    /// Our 2xx for which no ACK has come.
    pub(crate) unacknowledged: Option<Unacknowledged>,
    /// Our reliable provisional response for which no PRACK has come.
    pub(crate) reliable: Option<Reliable>,
    /// The ACKs for each 2xx that may come again, the oldest first.
    pub(crate) acks: Vec<Ack>,
    /// When a re-INVITE of ours that was answered 491 is due again.
    pub(crate) retry: Option<Time>,
}

/// The side that this engine has in the INVITE that began a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It sent the INVITE, and so owns the Call-ID.
    Uac,
    /// It received the INVITE.
    Uas,
}

/// The state of a dialog (section 12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its INVITE has a provisional response only.
    Early,
    /// Its INVITE has a 2xx.
    Confirmed,
}

/// A 2xx of ours to an INVITE that is repeated until its ACK comes (section 13.3.1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unacknowledged {
    pub(crate) sequence: u32,
    pub(crate) response: Arc<[u8]>,
    pub(crate) resend: Time,
    pub(crate) pause: Millis,
    pub(crate) give_up: Time,
}

/// The ACK for a 2xx of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) sequence: u32,
    /// When the 2xx comes no more: 64 × T1 after it came first (section 13.2.2.4).
    pub(crate) until: Time,
    /// `None` until the user has written it.
    pub(crate) sent: Option<SentAck>,
}

/// An ACK as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentAck {
    /// The request without Via, as the transaction layer takes it.
    pub bytes: Arc<[u8]>,
    /// What its branch was made of: the same branch makes the same bytes.
    pub random: [u8; 16],
}

impl Dialog {
    /// What identifies it.
    pub const fn id(&self) -> &DialogId {
        &self.id
    }

    /// Our side of it.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Whether it is early or confirmed.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether its INVITE had a `sips:` Request-URI and went over TLS (section 12.1).
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The remote target: a SIP or SIPS URI.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The route set, in the order in which our requests pass it.
    pub fn routes(&self) -> impl Iterator<Item = &[u8]> {
        self.routes.iter().map(Vec::as_slice)
    }

    /// The CSeq of our last request; `None` before the first one of a UAS.
    pub const fn last_sequence(&self) -> Option<u32> {
        self.local_sequence
    }

    /// The bytes that its addresses, target and routes take.
    pub(crate) fn size(&self) -> usize {
        let id = &self.id;
        let tags = id.call_id.len() + id.local_tag.len() + id.remote_tag.as_ref().map_or(0, String::len);
        let routes: usize = self.routes.iter().map(Vec::len).sum();
        tags + self.local.len() + self.remote.len() + self.target.len() + routes
    }
}
