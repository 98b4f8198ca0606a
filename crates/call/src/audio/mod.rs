//! Audio: codecs, the jitter buffer and the mixer. Pure: no sockets, no clock, no threads.

pub mod g711;
pub mod jitter;
pub mod mixer;

use std::time::Duration;

/// The length of audio that is mixed at a time.
pub const TICK: Duration = Duration::from_millis(20);

/// The rate conferences are mixed at, in samples a second. G.711 needs no resampling at this rate;
/// a conference with wider codecs is to be mixed at 48,000, and only this constant and the codecs change.
pub const RATE: usize = 8000;

/// Samples in a tick.
pub const FRAME_SAMPLES: usize = RATE / 50;

/// The audio of one tick.
pub type Frame = [i16; FRAME_SAMPLES];

/// A silent tick.
pub const SILENCE: Frame = [0; FRAME_SAMPLES];

/// The participant and the leg that a frame comes from. A participant whose call moves has two legs for a moment; the
/// one with the higher epoch is the newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// The participant.
    pub participant: Participant,
    /// Rises each time the participant's call moves.
    pub epoch: Epoch,
}

/// A member of a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Participant(pub u64);

/// A leg of a participant; see [`Tag`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u32);

/// The codecs of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// The name in a session description (RFC 3551).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// The payload type that needs no `rtpmap` (RFC 3551).
    #[must_use]
    pub fn static_payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// The samples of a payload, appended to `samples`.
    pub fn decode(self, payload: &[u8], samples: &mut Vec<i16>) {
        let one = match self {
            Codec::Pcmu => g711::decode_ulaw,
            Codec::Pcma => g711::decode_alaw,
        };
        samples.extend(payload.iter().map(|byte| one(*byte)));
    }

    /// The payload of some samples, appended to `payload`.
    pub fn encode(self, samples: &[i16], payload: &mut Vec<u8>) {
        let one = match self {
            Codec::Pcmu => g711::encode_ulaw,
            Codec::Pcma => g711::encode_alaw,
        };
        payload.extend(samples.iter().map(|sample| one(*sample)));
    }
}
