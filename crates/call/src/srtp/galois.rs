//! Packets under AES in Galois/counter mode (RFC 7714 sections 8 and 9).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

use super::cipher::{CONTROL_HEAD, INDEX_BYTES, Place, initial, word};
use super::derivation::{Kind, Part, derive};
use super::key::MasterKey;

/// What of an initial counter is the nonce: the rest is the count of blocks.
const NONCE: std::ops::Range<usize> = 2..14;

/// The session keys.
pub(super) struct Galois {
    sound: Keys,
    control: Keys,
}

struct Keys {
    key: LessSafeKey,
    salt: [u8; 12],
}

impl Galois {
    /// `KEY` is the length of the key in bytes, 16 or 32.
    pub(super) fn new<const KEY: usize>(master: &MasterKey) -> Galois {
        let keys = |kind| Keys::new::<KEY>(master, kind);
        Galois { sound: keys(Kind::Sound), control: keys(Kind::Control) }
    }

    pub(super) fn seal_sound(&self, place: Place, head: usize, packet: &mut Vec<u8>) -> Option<()> {
        let (head, body) = packet.split_at_mut_checked(head)?;
        let tag = self.sound.key.seal_in_place_separate_tag(self.sound.nonce(place), Aad::from(head), body);
        packet.extend_from_slice(tag.ok()?.as_ref());
        Some(())
    }

    pub(super) fn open_sound(
        &self,
        place: Place,
        head: usize,
        mki: usize,
        packet: &[u8],
        opened: &mut Vec<u8>,
    ) -> Option<()> {
        opened.extend_from_slice(packet.get(..packet.len().checked_sub(mki)?)?);
        let (before, body) = opened.split_at_mut_checked(head)?;
        let length = self.sound.open(place, before, body)?;
        opened.truncate(head + length);
        Some(())
    }

    pub(super) fn seal_control(&self, place: Place, packet: &mut Vec<u8>) -> Option<()> {
        let (head, body) = packet.split_at_mut_checked(CONTROL_HEAD)?;
        let beside = with_word(head, place);
        let nonce = self.control.nonce(place);
        let tag = self.control.key.seal_in_place_separate_tag(nonce, Aad::from(beside), body).ok()?;
        packet.extend_from_slice(tag.as_ref());
        packet.extend_from_slice(&word(place));
        Some(())
    }

    /// The flag and the index of a control packet.
    pub(super) fn control_word(mki: usize, packet: &[u8]) -> Option<[u8; INDEX_BYTES]> {
        packet.get(..packet.len().checked_sub(mki)?)?.last_chunk().copied()
    }

    pub(super) fn open_control(
        &self,
        place: Place,
        mki: usize,
        packet: &[u8],
        opened: &mut Vec<u8>,
    ) -> Option<()> {
        opened.extend_from_slice(packet.get(..packet.len().checked_sub(INDEX_BYTES + mki)?)?);
        let (head, body) = opened.split_at_mut_checked(CONTROL_HEAD)?;
        let length = self.control.open(place, &with_word(head, place), body)?;
        opened.truncate(CONTROL_HEAD + length);
        Some(())
    }
}

impl Keys {
    fn new<const KEY: usize>(master: &MasterKey, kind: Kind) -> Keys {
        let algorithm: &'static Algorithm = if KEY == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let key: [u8; KEY] = derive(master, kind, Part::Encryption);
        let key = UnboundKey::new(algorithm, &key).expect("the key has the length of the algorithm");
        Keys { key: LessSafeKey::new(key), salt: derive(master, kind, Part::Salt) }
    }

    fn nonce(&self, place: Place) -> Nonce {
        Nonce::try_assume_unique_for_key(&initial(&self.salt, place)[NONCE]).expect("it has 12 bytes")
    }

    /// Checks and decrypts; returns how many bytes are left without the tag.
    fn open(&self, place: Place, beside: &[u8], body: &mut [u8]) -> Option<usize> {
        let opened = self.key.open_in_place(self.nonce(place), Aad::from(beside), body);
        opened.map(|body| body.len()).ok()
    }
}

/// What is authenticated of a control packet and not encrypted (RFC 7714 section 9.3).
fn with_word(head: &[u8], place: Place) -> Vec<u8> {
    [head, &word(place)].concat()
}

#[cfg(test)]
mod tests {
    use super::super::tests::bytes;
    use super::*;

    /// RFC 7714 sections 16.1.1 and 16.2.1, which begin with session keys.
    #[test]
    fn packets_of_the_rfc_are_made() {
        let check = |algorithm: &'static Algorithm, length: u8, expected: &str| {
            let key: Vec<u8> = (0..length).collect();
            let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).expect("a key"));
            let keys = Keys { key, salt: *b"Quid pro quo" };
            let mut body = b"Gallia est omnis divisa in partes tres".to_vec();
            let place = Place { ssrc: 0x5501_a0b2, index: 0xf17b };
            let head = bytes("8040f17b 8041f8d3 5501a0b2");
            let tag = keys.key.seal_in_place_separate_tag(keys.nonce(place), Aad::from(head), &mut body);
            body.extend_from_slice(tag.expect("sealed").as_ref());
            assert_eq!(body, bytes(expected));
        };
        check(
            &AES_128_GCM,
            16,
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
        );
        check(
            &AES_256_GCM,
            32,
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
        );
    }
}
