//! Random numbers for tags, branches and streams, made from a seed of the shell. Whoever could guess them could forge
//! requests of a call, so the generator is a cryptographic one.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::media::leg::Outgoing;
use crate::participants::{ConferenceId, ParticipantId};

/// The generator of a user agent.
#[derive(Debug)]
pub(super) struct Random(StdRng);

impl Random {
    pub(super) fn new(seed: [u8; 32]) -> Random {
        Random(StdRng::from_seed(seed))
    }

    /// For keys.
    pub(super) fn generator(&mut self) -> &mut StdRng {
        &mut self.0
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The bytes of a key.
    pub(super) fn key(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// The name of a participant.
    pub(super) fn participant(&mut self) -> ParticipantId {
        ParticipantId::of_random(self.branch())
    }

    /// The name of a conference.
    pub(super) fn conference(&mut self) -> ConferenceId {
        ConferenceId::of_random(self.branch())
    }

    /// The bytes of a branch.
    pub(super) fn branch(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// A tag: 32 bits are the least (RFC 3261 section 19.3), these are 64.
    pub(super) fn tag(&mut self) -> String {
        format!("{:016x}", self.number())
    }

    /// Where a stream begins (RFC 3550 section 5.1). Sequence numbers start low, so that they do not wrap early.
    pub(super) fn stream(&mut self) -> Outgoing {
        let [ssrc, timestamp, sequence] = std::array::from_fn(|_| self.0.next_u32());
        Outgoing { ssrc, timestamp, sequence: (sequence & 0x3fff) as u16 }
    }
}
