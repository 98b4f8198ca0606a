//! The two codecs a caller speaks, by their names in SIP.

use call::audio::g711;
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

    /// One byte a sample.
    #[must_use]
    pub fn encode(self, samples: &[i16]) -> Vec<u8> {
        let law = match self {
            Codec::Pcmu => g711::encode_ulaw,
            Codec::Pcma => g711::encode_alaw,
        };
        samples.iter().map(|sample| law(*sample)).collect()
    }

    /// One sample a byte.
    pub fn decode(self, payload: &[u8]) -> impl Iterator<Item = i16> {
        let law = match self {
            Codec::Pcmu => g711::decode_ulaw,
            Codec::Pcma => g711::decode_alaw,
        };
        payload.iter().map(move |byte| law(*byte))
    }
}
