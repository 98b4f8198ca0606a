//! Packets under AES in counter mode with HMAC-SHA1 (RFC 3711 sections 4.1.1 and 4.2.1).

use aws_lc_rs::cipher::EncryptingKey;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY};

use super::cipher::{CONTROL_HEAD, INDEX_BYTES, Place, initial, word};
use super::derivation::{Kind, Part, counter_mode, crypt, derive};
use super::key::MasterKey;

/// The length of an HMAC key (RFC 3711 section 5.2), in bytes.
const AUTH_BYTES: usize = 20;
/// The length of the tag of a control packet, whatever that of sound is (RFC 3711 section 5.2), in bytes.
const CONTROL_TAG: usize = 10;

/// The session keys.
pub(super) struct Counter {
    sound: Keys,
    control: Keys,
    /// The length of the tag of sound, in bytes.
    sound_tag: usize,
}

struct Keys {
    key: EncryptingKey,
    salt: [u8; 14],
    auth: hmac::Key,
}

impl Counter {
    /// `KEY` is the length of the key and `sound_tag` that of the tag of sound, in bytes.
    pub(super) fn new<const KEY: usize>(master: &MasterKey, sound_tag: usize) -> Counter {
        let keys = |kind| Keys::new::<KEY>(master, kind);
        Counter { sound: keys(Kind::Sound), control: keys(Kind::Control), sound_tag }
    }

    pub(super) fn seal_sound(&self, place: Place, head: usize, packet: &mut Vec<u8>) -> Option<()> {
        self.sound.crypt(place, packet.get_mut(head..)?);
        let tag = self.sound.tag(packet, &place.rollover());
        packet.extend_from_slice(&tag.as_ref()[..self.sound_tag]);
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
        let (sealed, tag) = split_end(packet, self.sound_tag)?;
        let (sealed, _) = split_end(sealed, mki)?;
        self.sound.verify(sealed, &place.rollover(), tag)?;
        opened.extend_from_slice(sealed);
        self.sound.crypt(place, opened.get_mut(head..)?);
        Some(())
    }

    pub(super) fn seal_control(&self, place: Place, packet: &mut Vec<u8>) -> Option<()> {
        self.control.crypt(place, packet.get_mut(CONTROL_HEAD..)?);
        packet.extend_from_slice(&word(place));
        let tag = self.control.tag(packet, &[]);
        packet.extend_from_slice(&tag.as_ref()[..CONTROL_TAG]);
        Some(())
    }

    /// The flag and the index of a control packet.
    pub(super) fn control_word(mki: usize, packet: &[u8]) -> Option<[u8; INDEX_BYTES]> {
        let (sealed, _) = split_end(packet, CONTROL_TAG + mki)?;
        sealed.last_chunk().copied()
    }

    pub(super) fn open_control(
        &self,
        place: Place,
        mki: usize,
        packet: &[u8],
        opened: &mut Vec<u8>,
    ) -> Option<()> {
        let (sealed, tag) = split_end(packet, CONTROL_TAG)?;
        let (sealed, _) = split_end(sealed, mki)?;
        self.control.verify(sealed, &[], tag)?;
        opened.extend_from_slice(split_end(sealed, INDEX_BYTES)?.0);
        self.control.crypt(place, opened.get_mut(CONTROL_HEAD..)?);
        Some(())
    }
}

impl Keys {
    fn new<const KEY: usize>(master: &MasterKey, kind: Kind) -> Keys {
        let key: [u8; KEY] = derive(master, kind, Part::Encryption);
        let auth: [u8; AUTH_BYTES] = derive(master, kind, Part::Authentication);
        Keys {
            key: counter_mode(&key),
            salt: derive(master, kind, Part::Salt),
            auth: hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth),
        }
    }

    fn crypt(&self, place: Place, bytes: &mut [u8]) {
        crypt(&self.key, initial(&self.salt, place), bytes);
    }

    fn tag(&self, packet: &[u8], beside: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.auth);
        context.update(packet);
        context.update(beside);
        context.sign()
    }

    /// Tags are shorter than the code that they are the beginning of.
    fn verify(&self, packet: &[u8], beside: &[u8], tag: &[u8]) -> Option<()> {
        let expected = self.tag(packet, beside);
        verify_slices_are_equal(&expected.as_ref()[..tag.len()], tag).ok()
    }
}

/// All but the last `length` bytes, and those.
fn split_end(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(length)?)
}
