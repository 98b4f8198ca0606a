//! Encoders and decoders: the state of a codec in one direction of a stream.

use super::codec::Codec;
use super::{g711, g722, opus};

/// Turns samples into payloads.
#[derive(Debug)]
pub enum Encoder {
    /// G.711 mu-law, which has no state.
    Pcmu,
    /// G.711 A-law, which has no state.
    Pcma,
    /// G.722.
    G722(Box<g722::Encoder>),
    /// Opus.
    Opus(opus::Encoder),
}

impl Encoder {
    /// An encoder at the beginning of a stream.
    #[must_use]
    pub fn new(codec: Codec) -> Encoder {
        match codec {
            Codec::Pcmu => Encoder::Pcmu,
            Codec::Pcma => Encoder::Pcma,
            Codec::G722 => Encoder::G722(Box::default()),
            Codec::Opus => Encoder::Opus(opus::Encoder::new()),
        }
    }

    /// Appends the payload of the samples of one tick to `payload`.
    pub fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        match self {
            Encoder::Pcmu => payload.extend(samples.iter().map(|sample| g711::encode_ulaw(*sample))),
            Encoder::Pcma => payload.extend(samples.iter().map(|sample| g711::encode_alaw(*sample))),
            Encoder::G722(encoder) => encoder.encode(samples, payload),
            Encoder::Opus(encoder) => encoder.encode(samples, payload),
        }
    }
}

impl Encoder {
    /// Whether a payload depends on those before.
    pub(super) fn has_state(&self) -> bool {
        match self {
            Encoder::Pcmu | Encoder::Pcma => false,
            Encoder::G722(_) | Encoder::Opus(_) => true,
        }
    }

    /// An encoder in the same state, if it can be copied.
    pub(super) fn copy(&self) -> Option<Encoder> {
        match self {
            Encoder::Pcmu => Some(Encoder::Pcmu),
            Encoder::Pcma => Some(Encoder::Pcma),
            Encoder::G722(encoder) => Some(Encoder::G722(encoder.clone())),
            Encoder::Opus(_) => None,
        }
    }
}

/// Turns payloads into samples.
#[derive(Debug)]
pub enum Decoder {
    /// G.711 mu-law, which has no state.
    Pcmu,
    /// G.711 A-law, which has no state.
    Pcma,
    /// G.722.
    G722(Box<g722::Decoder>),
    /// Opus.
    Opus(opus::Decoder),
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new(codec: Codec) -> Decoder {
        match codec {
            Codec::Pcmu => Decoder::Pcmu,
            Codec::Pcma => Decoder::Pcma,
            Codec::G722 => Decoder::G722(Box::default()),
            Codec::Opus => Decoder::Opus(opus::Decoder::new()),
        }
    }

    /// Appends the samples of a payload to `samples`.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        match self {
            Decoder::Pcmu => samples.extend(payload.iter().map(|byte| g711::ULAW[usize::from(*byte)])),
            Decoder::Pcma => samples.extend(payload.iter().map(|byte| g711::ALAW[usize::from(*byte)])),
            Decoder::G722(decoder) => decoder.decode(payload, samples),
            Decoder::Opus(decoder) => decoder.decode(payload, samples),
        }
    }

    /// Appends at least `count` samples in place of those that are missing, from the packet that follows them if it is
    /// there; false if the codec cannot.
    pub(super) fn conceal(&mut self, count: usize, following: Option<&[u8]>, samples: &mut Vec<i16>) -> bool {
        match self {
            Decoder::Pcmu | Decoder::Pcma | Decoder::G722(_) => false,
            Decoder::Opus(decoder) => {
                decoder.conceal(count, following, samples);
                true
            }
        }
    }
}
