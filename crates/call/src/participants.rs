//! What the node is shown of the participants of its conferences, and what can be done to them. Data alone: the
//! signalling keeps it, and the media threads count.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use crate::audio::Codec;

/// Names a participant for as long as its call lasts, also when that moves to another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParticipantId(pub Uuid);

/// Names a conference from its first participant until its last has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConferenceId(pub Uuid);

impl ParticipantId {
    /// A name of these random bytes.
    pub(crate) fn of_random(bytes: [u8; 16]) -> ParticipantId {
        ParticipantId(Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl ConferenceId {
    /// A name of these random bytes.
    pub(crate) fn of_random(bytes: [u8; 16]) -> ConferenceId {
        ConferenceId(Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ConferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallDirection {
    /// The far end has called.
    In,
    /// This node has dialled.
    Out,
}

/// Whether the sound of a call is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Both ends have not agreed on anything yet.
    Unknown,
    /// It goes in the clear.
    Off,
    /// It goes by SRTP.
    On,
}

/// Whether new callers are admitted to a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// They are.
    Open,
    /// They are refused.
    Locked,
}

/// Whether the others hear a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// They do.
    Heard,
    /// The operator has muted it.
    Muted,
}

/// A conference as its participants are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conference {
    /// Its name for as long as it lasts.
    pub id: ConferenceId,
    /// The Virtual Meeting Room.
    pub room: String,
    /// How long ago its first participant came.
    pub age: Duration,
    /// Whether new callers are admitted.
    pub lock: Lock,
}

/// A participant as it was at one moment. The texts are the far end's, without control characters, and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantState {
    /// Its name.
    pub id: ParticipantId,
    /// The conference that it is in.
    pub conference: Conference,
    /// What it calls itself; of one that was dialled, what whoever has dialled calls it.
    pub display_name: String,
    /// Who called, as `user@host`.
    pub source_alias: String,
    /// Who was called, as `user@host`.
    pub destination_alias: String,
    /// The Call-ID of its dialog; empty before there is one.
    pub call_id: String,
    /// What the far end says of its product, in User-Agent or Server.
    pub vendor: String,
    /// Where its signalling comes from.
    pub remote: SocketAddr,
    /// Who began the call.
    pub direction: CallDirection,
    /// How long it has taken part; `None` as long as its call is not answered.
    pub joined: Option<Duration>,
    /// Whether the others hear it.
    pub voice: Voice,
    /// Whether the far end holds the call.
    pub on_hold: bool,
    /// Whether its sound is encrypted.
    pub encryption: Encryption,
    /// The codec that the node sends.
    pub codec: Option<Codec>,
}

/// What has changed of the participants between two revisions. Whoever has the state at `since` has that at `to` when
/// it takes these changes over; with a `since` of 0 it begins with nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParticipantChanges {
    /// The revision that the changes follow.
    pub since: u64,
    /// The revision that they lead to.
    pub to: u64,
    /// Participants that are new or have changed, as they are now.
    pub changed: Vec<ParticipantState>,
    /// Participants that have left.
    pub removed: Vec<Removal>,
}

/// A participant that is shown no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its name.
    pub id: ParticipantId,
    /// Why; `None` when its process does not know what has become of the call.
    pub departure: Option<Departure>,
}

/// Why a participant is shown no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// Its far end has hung up, or has given up before it was answered.
    HungUp,
    /// The operator has disconnected it, or whoever has dialled it.
    Disconnected,
    /// The operator has ended its conference.
    ConferenceEnded,
    /// Whom this node has dialled does not take the call.
    Rejected,
    /// Whom this node has dialled does not take its login, or there is none.
    NotAuthenticated,
    /// Both ends have not agreed on how to talk, or the call could not be made.
    Failed,
    /// Nothing was heard of its far end.
    TimedOut,
    /// The process has ended.
    ShutDown,
    /// Another process has its call.
    Moved,
}

/// What the media thread has counted of the sound of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaStatistics {
    /// Whose sound.
    pub participant: ParticipantId,
    /// The stream of the far end; `None` before its first packet.
    pub received: Option<StreamStatistics>,
    /// The stream of this node. What of it is lost, and its jitter, are as the far end reports them.
    pub sent: StreamStatistics,
}

/// One stream of sound since it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStatistics {
    /// Its codec.
    pub codec: Codec,
    /// How many packets have come, or were sent.
    pub packets: u32,
    /// How many were lost; `None` when the far end does not report it.
    pub lost: Option<u32>,
    /// The mean deviation of the spacing of its packets (RFC 3550 section 6.4.1); `None` when the far end does not
    /// report it.
    pub jitter: Option<Duration>,
}

/// A command to a participant or a conference was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such participant, or it is leaving.
    #[error("there is no such participant any more")]
    NoParticipant,
    /// There is no such conference.
    #[error("nobody is in that conference any more")]
    NoConference,
    /// The call is being moved to another process.
    #[error("the call is just moving to another process; try again in a moment")]
    Moving,
}
