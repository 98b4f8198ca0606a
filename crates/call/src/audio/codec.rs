//! The codecs by name: what a session description says of each, and the rate of its samples.

use super::coder::{Decoder, Encoder};
use super::{Rate, TICKS_PER_SECOND, opus};

/// The dynamic payload type of Opus that most endpoints offer.
const OPUS_PAYLOAD_TYPE: u8 = 111;

/// The codecs of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Codec {
    /// G.711 mu-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus.
    Opus,
}

impl Codec {
    /// All of them.
    pub const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

    /// The name in a session description (RFC 3551, RFC 7587).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// The payload type that needs no `rtpmap` (RFC 3551).
    #[must_use]
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcmu => Some(0),
            Codec::Pcma => Some(8),
            Codec::G722 => Some(9),
            Codec::Opus => None,
        }
    }

    /// The payload type in our own offers.
    #[must_use]
    pub fn offered_payload_type(self) -> u8 {
        self.static_payload_type().unwrap_or(OPUS_PAYLOAD_TYPE)
    }

    /// The clock of the RTP timestamps, as in `rtpmap`. That of G.722 is 8000 although its samples are 16,000 a second
    /// (RFC 3551 section 4.5.2).
    #[must_use]
    pub fn clock_rate(self) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8000,
            Codec::Opus => 48_000,
        }
    }

    /// The channels in `rtpmap`. That of Opus always says 2, whatever is sent (RFC 7587 section 7).
    #[must_use]
    pub fn channels(self) -> u8 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 1,
            Codec::Opus => 2,
        }
    }

    /// The format parameters of our descriptions: with Opus we can use what packets say about those before them.
    #[must_use]
    pub fn format_parameters(self) -> Option<&'static str> {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => None,
            Codec::Opus => Some("useinbandfec=1"),
        }
    }

    /// The rate of the samples.
    #[must_use]
    pub fn rate(self) -> Rate {
        match self {
            Codec::Pcmu | Codec::Pcma => Rate::Narrow,
            Codec::G722 => Rate::Wide,
            Codec::Opus => Rate::Full,
        }
    }

    /// How far the RTP timestamp advances in a tick.
    #[must_use]
    pub fn timestamps_per_tick(self) -> u32 {
        self.clock_rate() / TICKS_PER_SECOND as u32
    }

    /// The bytes of a payload of one tick; `None` if it has as many as its audio needs.
    #[must_use]
    pub fn bytes_per_tick(self) -> Option<usize> {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => Some(8000 / TICKS_PER_SECOND),
            Codec::Opus => None,
        }
    }

    /// How far the RTP timestamp advances with a payload; 0 for one that cannot be decoded.
    #[must_use]
    pub fn timestamps(self, payload: &[u8]) -> u32 {
        match self {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => payload.len() as u32,
            Codec::Opus => opus::samples(payload),
        }
    }

    /// The samples of a payload that is the first of its stream, appended to `samples`.
    pub fn decode(self, payload: &[u8], samples: &mut Vec<i16>) {
        Decoder::new(self).decode(payload, samples);
    }

    /// The payload of some samples that are the first of their stream, appended to `payload`.
    pub fn encode(self, samples: &[i16], payload: &mut Vec<u8>) {
        Encoder::new(self).encode(samples, payload);
    }
}
