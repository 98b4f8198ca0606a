//! The two codecs of a caller, by their names in SIP.
//!
//! Relies on `audio-codec-algorithms`, whose tables come from ITU-T's own software (G.191). Shares no code with the
//! call engine, so that a fault in the engine's codec is not repeated here (`tests/independence.rs`).

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};
use serde::{Deserialize, Serialize};

/// G.711 in one of its two laws (RFC 3551 section 4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Codec {
    /// Mu-law, payload type 0.
    #[default]
    Pcmu,
    /// A-law, payload type 8.
    Pcma,
}

impl Codec {
    /// The static RTP payload type.
    #[must_use]
    pub fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// The name in a session description.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// Encodes each sample as one byte.
    #[must_use]
    pub fn encode(self, samples: &[i16]) -> Vec<u8> {
        let encode = match self {
            Codec::Pcmu => encode_ulaw,
            Codec::Pcma => encode_alaw,
        };
        samples.iter().map(|sample| encode(*sample)).collect()
    }

    /// Decodes each byte as one sample.
    pub fn decode(self, payload: &[u8]) -> impl Iterator<Item = i16> {
        let decode = match self {
            Codec::Pcmu => decode_ulaw,
            Codec::Pcma => decode_alaw,
        };
        payload.iter().map(move |byte| decode(*byte))
    }
}
