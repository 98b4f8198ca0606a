//! One packet under the session keys of a master key: encrypted and authenticated, or checked and decrypted. The caller
//! says which packet of its stream it is.

use super::counter::Counter;
use super::galois::Galois;
use super::key::{MasterKey, Suite};

/// What of a control packet is never encrypted: its first header, with the SSRC (RFC 3711 section 3.4), in bytes.
pub(super) const CONTROL_HEAD: usize = 8;
/// What a control packet says of its index and its encryption (RFC 3711 section 3.4), in bytes.
pub(super) const INDEX_BYTES: usize = 4;
/// Says that a control packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Which packet of which stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) ssrc: u32,
    /// Of 48 bits for sound, of 31 for control.
    pub(super) index: u64,
}

impl Place {
    /// The rollover counter of a packet of sound.
    pub(super) fn rollover(self) -> [u8; 4] {
        ((self.index >> 16) as u32).to_be_bytes()
    }
}

/// The counter that a packet begins with: salt, SSRC and index, added up (RFC 3711 section 4.1.1). A salt of 96 bits
/// begins two bytes later; behind that the counter is what RFC 7714 sections 8.1 and 9.1 want.
pub(super) fn initial(salt: &[u8], place: Place) -> [u8; 16] {
    let mut counter = [0; 16];
    counter[4..8].copy_from_slice(&place.ssrc.to_be_bytes());
    counter[8..14].copy_from_slice(&place.index.to_be_bytes()[2..]);
    let salted = counter[..14].iter_mut().rev().zip(salt.iter().rev());
    salted.for_each(|(byte, salt)| *byte ^= salt);
    counter
}

/// What an encrypted control packet says of its index and its encryption.
pub(super) fn word(place: Place) -> [u8; INDEX_BYTES] {
    (ENCRYPTED | place.index as u32).to_be_bytes()
}

/// The session keys of a master key.
pub(super) enum Cipher {
    Counter(Box<Counter>),
    Galois(Galois),
}

impl Cipher {
    pub(super) fn new(master: &MasterKey) -> Cipher {
        match master.suite() {
            Suite::AesCm128Sha80 => Cipher::Counter(Box::new(Counter::new::<16>(master, 10))),
            Suite::AesCm128Sha32 => Cipher::Counter(Box::new(Counter::new::<16>(master, 4))),
            Suite::AeadAes128Gcm => Cipher::Galois(Galois::new::<16>(master)),
            Suite::AeadAes256Gcm => Cipher::Galois(Galois::new::<32>(master)),
        }
    }

    /// Protects a packet of sound whose header has `head` bytes. `None` if it is shorter than that.
    pub(super) fn seal_sound(&self, place: Place, head: usize, packet: &mut Vec<u8>) -> Option<()> {
        match self {
            Cipher::Counter(keys) => keys.seal_sound(place, head, packet),
            Cipher::Galois(keys) => keys.seal_sound(place, head, packet),
        }
    }

    /// Protects a control packet. `None` if it is too short to be one.
    pub(super) fn seal_control(&self, place: Place, packet: &mut Vec<u8>) -> Option<()> {
        match self {
            Cipher::Counter(keys) => keys.seal_control(place, packet),
            Cipher::Galois(keys) => keys.seal_control(place, packet),
        }
    }

    /// Writes a packet of sound in the clear; `None` if it is not genuine. `mki` is the length of the identifier of its
    /// master key, in bytes.
    pub(super) fn open_sound(
        &self,
        place: Place,
        head: usize,
        mki: usize,
        packet: &[u8],
        opened: &mut Vec<u8>,
    ) -> Option<()> {
        opened.clear();
        match self {
            Cipher::Counter(keys) => keys.open_sound(place, head, mki, packet, opened),
            Cipher::Galois(keys) => keys.open_sound(place, head, mki, packet, opened),
        }
    }

    /// The index of a control packet, as it says itself; `None` if it says that it is not encrypted.
    pub(super) fn control_index(&self, mki: usize, packet: &[u8]) -> Option<u64> {
        let word = match self {
            Cipher::Counter(_) => Counter::control_word(mki, packet),
            Cipher::Galois(_) => Galois::control_word(mki, packet),
        };
        let word = u32::from_be_bytes(word?);
        (word & ENCRYPTED != 0).then_some(u64::from(word & !ENCRYPTED))
    }

    /// As [`Self::open_sound`], of a control packet.
    pub(super) fn open_control(
        &self,
        place: Place,
        mki: usize,
        packet: &[u8],
        opened: &mut Vec<u8>,
    ) -> Option<()> {
        opened.clear();
        match self {
            Cipher::Counter(keys) => keys.open_control(place, mki, packet, opened),
            Cipher::Galois(keys) => keys.open_control(place, mki, packet, opened),
        }
    }
}
