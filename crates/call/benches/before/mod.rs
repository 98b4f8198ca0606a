//! The audio before decision 32, kept to measure the present one against: a jitter buffer of samples with a fixed depth, a
//! mixer at 8 kHz, and a payload encoded for each listener.

#![allow(missing_docs, unreachable_pub, reason = "kept as it was")]

pub mod g711;
pub mod jitter;
pub mod mixer;

pub use call::audio::{Epoch, Participant, Tag};

pub const RATE: usize = 8000;
pub const FRAME_SAMPLES: usize = RATE / 50;
pub type Frame = [i16; FRAME_SAMPLES];
pub const SILENCE: Frame = [0; FRAME_SAMPLES];

#[derive(Clone, Copy, Debug)]
pub enum Codec {
    Pcmu,
    Pcma,
}

impl Codec {
    pub fn decode(self, payload: &[u8], samples: &mut Vec<i16>) {
        let one = match self {
            Codec::Pcmu => g711::decode_ulaw,
            Codec::Pcma => g711::decode_alaw,
        };
        samples.extend(payload.iter().map(|byte| one(*byte)));
    }

    pub fn encode(self, samples: &[i16], payload: &mut Vec<u8>) {
        let one = match self {
            Codec::Pcmu => g711::encode_ulaw,
            Codec::Pcma => g711::encode_alaw,
        };
        payload.extend(samples.iter().map(|sample| one(*sample)));
    }
}
