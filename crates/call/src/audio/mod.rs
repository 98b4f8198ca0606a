//! Audio: codecs, the jitter buffer and the mixer. Pure: no sockets, no clock, no threads.
//!
//! Every codec has its rate, and a tick has as many samples as that rate gives. A conference is added up at each rate
//! that its members speak at; what crosses from one rate to another is converted once for all who hear it.

pub mod activity;
mod codec;
mod coder;
pub mod conceal;
pub mod g711;
pub mod g722;
pub mod jitter;
pub mod mixer;
pub mod opus;
mod pitch;
pub mod resample;
#[cfg(test)]
pub(crate) mod signal;
mod stretch;

use std::time::Duration;

pub use codec::Codec;
pub use coder::{Decoder, Encoder};

/// The length of audio that is mixed at a time.
pub const TICK: Duration = Duration::from_millis(20);

/// Ticks in a second.
const TICKS_PER_SECOND: usize = 50;

/// Samples in a tick of G.711.
pub const FRAME_SAMPLES: usize = Rate::Narrow.samples();

/// The most samples of a tick at any rate.
pub const MAX_SAMPLES: usize = Rate::Full.samples();

/// The rates of the codecs, in samples a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// 8000: G.711.
    Narrow,
    /// 16,000: G.722.
    Wide,
    /// 48,000: Opus.
    Full,
}

impl Rate {
    /// All of them, the lowest first.
    pub const ALL: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

    /// Samples a second.
    #[must_use]
    pub const fn hertz(self) -> usize {
        match self {
            Rate::Narrow => 8000,
            Rate::Wide => 16_000,
            Rate::Full => 48_000,
        }
    }

    /// Samples of a tick.
    #[must_use]
    pub const fn samples(self) -> usize {
        self.hertz() / TICKS_PER_SECOND
    }
}

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
