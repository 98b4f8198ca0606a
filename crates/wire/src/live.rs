//! What a node says of its participants, and what its Management Node has it do to them. Responsible for the form of the
//! messages and for how much of them is sent at once; nothing of it is known to the core. Never decides anything.
//!
//! Participants are compared as the rest is: the answer says which revision the Management Node has, and the node sends
//! what has changed since, some at a time. A command is repeated until its outcome has come, and names the process that
//! it is for, which carries it out once.

use std::net::SocketAddr;

use fleet::starts::StartId;
use fleet::time::Span;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::report::cut;

/// How many changes of participants a node sends at once. With ten requests a second a node of 2,000 calls is complete
/// in two seconds, and each request is below a third of what a Management Node reads.
pub const PARTICIPANTS_AT_ONCE: usize = 100;

/// How many statistics of participants a node sends at once: some 200 bytes each.
pub const STATISTICS_AT_ONCE: usize = 200;

/// How many commands a node is given at once, and so how many outcomes it has to say.
pub const COMMANDS_AT_ONCE: usize = 32;

/// How much of a text of a far end is sent and kept, in characters: names, addresses and products are shorter.
pub const FAR_TEXT: usize = 120;

/// What has changed of a node's participants between two revisions. Since protocol 2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantChanges {
    /// The revision that the changes follow; 0 begins with nothing. Since protocol 2.
    pub since: u64,
    /// The revision that they lead to. Since protocol 2.
    pub to: u64,
    /// Participants that have left. They come before the others. Since protocol 2.
    #[serde(default)]
    pub removed: Vec<Uuid>,
    /// Participants that are new or have changed. Since protocol 2.
    #[serde(default)]
    pub changed: Vec<Participant>,
    /// Why participants that have left did so, of those of which the node knows it. Since protocol 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub departures: Vec<Departed>,
}

/// Why a participant has left. Since protocol 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departed {
    /// Which. Since protocol 2.
    pub participant: Uuid,
    /// Why. Since protocol 2.
    pub why: Departure,
}

/// The reason for which a participant is shown no longer. Since protocol 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// Its far end has hung up, or has given up before it was answered.
    HungUp,
    /// The operator has disconnected it, or whoever has dialled it.
    Disconnected,
    /// The operator has ended its conference.
    ConferenceEnded,
    /// Whom the node has dialled does not take the call.
    Rejected,
    /// Whom the node has dialled does not take its login, or there is none.
    NotAuthenticated,
    /// Both ends have not agreed on how to talk, or the call could not be made.
    Failed,
    /// Nothing was heard of its far end.
    TimedOut,
    /// The process has ended.
    ShutDown,
    /// Another process has its call.
    Moved,
    /// Something that a later release knows.
    #[serde(other)]
    Unknown,
}

/// A participant. Since protocol 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Its name for as long as its call lasts, at whatever node. Since protocol 2.
    pub id: Uuid,
    /// The name of its conference at this node. Since protocol 2.
    pub conference: Uuid,
    /// The Virtual Meeting Room. Since protocol 2.
    pub room: String,
    /// How long ago its conference began. Since protocol 2.
    pub conference_age: Span,
    /// Whether its conference is locked. Since protocol 2.
    #[serde(default)]
    pub locked: bool,
    /// What it is shown as. Since protocol 2.
    pub display_name: String,
    /// Who called. Since protocol 2.
    pub source_alias: String,
    /// Who was called. Since protocol 2.
    pub destination_alias: String,
    /// The Call-ID of its dialog. Since protocol 2.
    #[serde(default)]
    pub call_id: String,
    /// The product of its far end. Since protocol 2.
    #[serde(default)]
    pub vendor: String,
    /// Where its signalling comes from. Since protocol 2.
    pub remote: SocketAddr,
    /// Whether the node has dialled it. Since protocol 2.
    #[serde(default)]
    pub dialled: bool,
    /// How long it has taken part; none before its call is answered. Since protocol 2.
    #[serde(default)]
    pub joined: Option<Span>,
    /// Whether the others do not hear it. Since protocol 2.
    #[serde(default)]
    pub muted: bool,
    /// Whether its far end holds the call. Since protocol 2.
    #[serde(default)]
    pub on_hold: bool,
    /// Whether its sound is encrypted; none before both ends have agreed. Since protocol 2.
    #[serde(default)]
    pub encrypted: Option<bool>,
}

impl Participant {
    /// The texts that come from the far end or the operator.
    pub fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { room, display_name, source_alias, destination_alias, call_id, vendor, .. } = self;
        [room, display_name, source_alias, destination_alias, call_id, vendor].into_iter()
    }

    /// The same with texts that are not longer than what is kept. The name of the room is the operator's.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.texts().skip(1).for_each(|text| cut(text, FAR_TEXT));
        self
    }
}

/// What was counted of the sound of a participant. Since protocol 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaStatistics {
    /// Whose sound. Since protocol 2.
    pub participant: Uuid,
    /// The stream of the far end, from its first packet on. Since protocol 2.
    #[serde(default)]
    pub received: Option<Stream>,
    /// The stream of the node. Since protocol 2.
    pub sent: Stream,
}

/// One stream since it began. Since protocol 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Its codec, as session descriptions name it. Since protocol 2.
    pub codec: String,
    /// How many packets have come, or were sent. Since protocol 2.
    pub packets: u32,
    /// How many were lost, if that is known. Since protocol 2.
    #[serde(default)]
    pub lost: Option<u32>,
    /// The jitter in microseconds, if that is known. Since protocol 2.
    #[serde(default)]
    pub jitter_us: Option<u64>,
}

/// What a node is to do, once. Since protocol 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its name, which its outcome has as well. Since protocol 2.
    pub id: Uuid,
    /// The process that it is for: another one does not carry it out. Since protocol 2.
    pub start: StartId,
    /// What is to be done. Since protocol 2.
    pub action: Action,
}

/// What is done to a participant or a conference. Since protocol 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// End the call of a participant.
    Disconnect {
        /// Which.
        participant: Uuid,
    },
    /// Have the others hear a participant, or not.
    SetMuted {
        /// Which.
        participant: Uuid,
        /// Whether they do not.
        muted: bool,
    },
    /// End all calls of a conference.
    DisconnectAll {
        /// Its Virtual Meeting Room.
        room: String,
    },
    /// Refuse new callers of a conference, or admit them.
    SetLocked {
        /// Its Virtual Meeting Room.
        room: String,
        /// Whether they are refused.
        locked: bool,
    },
    /// Call somebody into a conference.
    Dial {
        /// Its Virtual Meeting Room.
        room: String,
        /// A SIP URI, or an alias: that of a device that is registered, or else one that is reached by its host.
        destination: String,
        /// What the participant is shown as.
        display_name: Option<String>,
    },
    /// Something that a later release knows.
    #[serde(other)]
    Unknown,
}

/// What has become of a command. Since protocol 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Which command. Since protocol 2.
    pub command: Uuid,
    /// The participant that was dialled. Since protocol 2.
    #[serde(default)]
    pub participant: Option<Uuid>,
    /// Why it was not carried out; none if it was. Since protocol 2.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// Why a command was not carried out. Since protocol 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whether it names what is not there any more. Since protocol 2.
    #[serde(default)]
    pub missing: bool,
    /// What happened, in a sentence. Since protocol 2.
    pub why: String,
}
