//! An exported call as a message between processes, which may be of different releases.
//!
//! The message has types of its own, so that the engine's types can change without it. Its form is the one that serde
//! gives these types; whoever carries it chooses the encoding (JSON where nothing speaks against it). A field that a
//! release adds has a default and unknown fields are ignored; `tests/recorded/` has messages of every release
//! so far, and the tests read them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::participants::{ConferenceId, ParticipantId};

use super::latin1;

/// The form that this release writes. It rises with every change that a field with a default cannot express.
pub const FORMAT: u16 = 1;

/// A confirmed call, but for its media stream, which goes on until the other process has taken the call over
/// ([`ExportedStream`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedCall {
    /// The form of this message; see [`FORMAT`].
    pub format: u16,
    /// The conference that it is in.
    pub room: String,
    /// How long ago it began, in milliseconds.
    pub age_ms: u64,
    /// The dialog of SIP.
    pub dialog: ExportedDialog,
    /// How the far end is reached by SIP.
    pub path: ExportedPath,
    /// The session timer (RFC 4028).
    pub timer: ExportedTimer,
    /// What was offered and agreed (RFC 3264).
    pub session: ExportedSession,
    /// How far each stream of the far end has come, if its sound is encrypted.
    #[serde(default)]
    pub received: Vec<ExportedReceived>,
    /// The call as a participant of its conference. A process that knows no participants says nothing.
    #[serde(default)]
    pub participant: Option<ExportedParticipant>,
}

/// A participant, and what the operator has done to it and to its conference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedParticipant {
    /// Its name, which stays.
    pub id: ParticipantId,
    /// The name of its conference.
    pub conference: ConferenceId,
    /// How long ago its conference began, in milliseconds.
    pub conference_age_ms: u64,
    /// Whether its conference is locked.
    #[serde(default)]
    pub locked: bool,
    /// What it is shown as.
    pub display_name: String,
    /// Who called, as `user@host`.
    pub source_alias: String,
    /// Who was called, as `user@host`.
    pub destination_alias: String,
    /// The product of its far end.
    #[serde(default)]
    pub vendor: String,
    /// Whether the operator has muted it.
    #[serde(default)]
    pub muted: bool,
    /// How long ago its call was answered, in milliseconds.
    #[serde(default)]
    pub joined_ms_ago: Option<u64>,
}

/// A confirmed dialog (RFC 3261 section 12) without a request in progress. Values of headers are as in a message, but
/// in one line; a byte that is no ASCII is the character of the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedDialog {
    /// The Call-ID.
    pub call_id: String,
    /// Whether the node was called; if not, it has called.
    pub was_called: bool,
    /// Whether the dialog is secure (section 12.1).
    pub secure: bool,
    /// From of the node's requests.
    #[serde(with = "latin1")]
    pub local: Vec<u8>,
    /// To of the node's requests.
    #[serde(with = "latin1")]
    pub remote: Vec<u8>,
    /// The remote target.
    pub target: String,
    /// The route set, in the order of the node's requests.
    #[serde(with = "latin1::list")]
    pub routes: Vec<Vec<u8>>,
    /// The CSeq of the node's last request, if there was one.
    pub local_sequence: Option<u32>,
    /// The CSeq of the far end's last request, if there was one.
    pub remote_sequence: Option<u32>,
}

/// How the far end is reached by SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedPath {
    /// The transport of its last request that named its target.
    pub transport: Transport,
    /// Where that request came from.
    pub remote: SocketAddr,
    /// Whether that request showed an address translator: then requests go back to where it came from.
    pub translated: bool,
    /// Whether the node's Contact is a SIPS URI.
    pub sips: bool,
    /// The address of the next hop, if that is a name and was resolved.
    #[serde(default)]
    pub next_hop: Option<IpAddr>,
}

/// A transport of SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}

/// A session timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedTimer {
    /// The agreed interval, in seconds.
    pub interval_s: u64,
    /// How long ago the session was refreshed, in milliseconds.
    pub refreshed_ms_ago: u64,
    /// Whether the node refreshes; if not, the far end does.
    pub node_refreshes: bool,
}

/// What was offered and agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedSession {
    /// The session's number in `o=`.
    pub id: u64,
    /// The address in `o=`, which stays the same when the call moves (RFC 3264 section 8).
    pub origin: IpAddr,
    /// The version in `o=` of the node's last description.
    pub version: u64,
    /// The media lines of that description, in order.
    pub lines: Vec<ExportedLine>,
    /// The place of the line that carries the audio.
    pub audio: usize,
    /// What the node has said it accepts, in its order.
    pub formats: Vec<ExportedFormat>,
    /// The direction that it has said.
    pub direction: Direction,
    /// Whether it has said that RTP and RTCP share a port.
    pub rtcp_mux: bool,
    /// What both ends agreed on.
    pub agreed: ExportedAgreement,
    /// Every number that the node has given in this call.
    pub numbers: Vec<ExportedFormat>,
    /// Whether sound was ever agreed both ways: only then is a far end that no longer receives on hold.
    pub took_part: bool,
    /// The keys of SRTP, if the sound is encrypted.
    #[serde(default)]
    pub keys: Option<ExportedKeys>,
}

/// The keys of both directions, named by the session descriptions (RFC 4568). They are secret: whoever carries the message
/// lets nobody read it, and [`fmt::Debug`] shows the suite alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedKeys {
    /// The suite, by its name in descriptions.
    pub suite: String,
    /// The tag of the node's key in its descriptions.
    pub tag: u32,
    /// The node's master key and salt, in base64.
    pub ours: String,
    /// Those of the far end.
    pub theirs: String,
    /// How many bytes of each packet of the far end identify its key.
    pub theirs_mki: u8,
}

impl fmt::Debug for ExportedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedKeys").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// A media line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedLine {
    /// The kind of media.
    pub media: String,
    /// The transport profile.
    pub profile: String,
    /// The formats as the far end named them; empty for a line that the node began.
    pub formats: String,
}

/// A payload type and what it carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFormat {
    /// The payload type.
    pub number: u8,
    /// As in `rtpmap`: `opus/48000/2`, `telephone-event/8000`.
    pub encoding: String,
}

/// What both ends agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedAgreement {
    /// What the node sends.
    pub sends: ExportedFormat,
    /// How much audio a packet of the node holds, in milliseconds.
    pub packet_ms: u8,
    /// What the far end may send.
    pub receives: Vec<ExportedFormat>,
    /// The media address of the far end, if it has named one that can be sent to.
    pub address: Option<SocketAddr>,
    /// Where RTCP goes, if that is known.
    pub rtcp: Option<ExportedRtcp>,
    /// Who sends, seen from the node.
    pub direction: Direction,
    /// Whether the far end holds the call.
    pub held: bool,
}

/// Where RTCP of the far end goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportedRtcp {
    /// To where the audio goes.
    Muxed,
    /// To this address.
    Address(SocketAddr),
}

/// Who sends, seen from the node (RFC 8866 section 6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Both.
    SendRecv,
    /// The node.
    SendOnly,
    /// The far end.
    RecvOnly,
    /// Nobody.
    Inactive,
}

/// Where the media stream of a call has come to when its leg is taken away from it. With it the stream goes on in the
/// other process as if nothing had happened; without it, that process begins one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedStream {
    /// The synchronisation source of the node's packets (RFC 3550).
    pub ssrc: u32,
    /// The sequence number of its next packet.
    pub sequence: u16,
    /// The timestamp of its next packet.
    pub timestamp: u32,
    /// How many packets it has sent, modulo 2^32.
    pub packets: u32,
    /// How many bytes of payload it has sent, modulo 2^32.
    pub octets: u32,
    /// Where it sends to, if that is known: the accepted source of the far end.
    pub target: Option<SocketAddr>,
    /// How far it has come under its key, if it is encrypted. Nobody else may go on from there: two packets of the same
    /// source and index under one key reveal their content.
    #[serde(default)]
    pub sealed: Option<ExportedSealed>,
}

/// How far an encrypted stream of the node has come (RFC 3711).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedSealed {
    /// How often the sequence number has wrapped before its next packet.
    pub rollover: u64,
    /// The index of its last control packet.
    pub control: u32,
}

/// How far an encrypted stream of the far end has come. What is older than that counts as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedReceived {
    /// Its synchronisation source.
    pub ssrc: u32,
    /// The highest index of its packets of sound: the sequence number with its wraps above it.
    pub sound: Option<u64>,
    /// The highest index of its control packets.
    pub control: Option<u32>,
}
