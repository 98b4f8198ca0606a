//! The keys of a file: derived from the passphrase, wrapped, and derived for header and payload.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use scrypt::Params;

use super::{PAYLOAD_NONCE, Position, TAG};
use crate::passphrase::Passphrase;

/// Bytes of the key of a file.
pub(super) const FILE_KEY: usize = 16;

/// Bytes of the salt of a passphrase.
pub(super) const SALT: usize = 16;

/// Bytes of the wrapped key of a file.
pub(super) const WRAPPED: usize = FILE_KEY + TAG;

/// What the salt of scrypt begins with.
const SALT_LABEL: &[u8] = b"age-encryption.org/v1/scrypt";

/// The parameters of scrypt beside its work factor: blocks, and lanes.
const BLOCKS: u32 = 8;
const LANES: u32 = 1;

/// Bytes of the keys of the ciphers.
const KEY: usize = 32;

/// The rounds with which a key is derived from a passphrase, as a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkFactor(pub(super) u8);

impl WorkFactor {
    /// That of the stock tool: a second and 256 MiB, for the operator and for each guess.
    pub const STRONG: Self = Self(18);
    /// For tests.
    pub const QUICK: Self = Self(4);
}

/// The key of one file, from which all others are derived. It is never printed.
pub(super) struct FileKey(pub(super) [u8; FILE_KEY]);

/// The length of a derived key.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl FileKey {
    /// Encrypts the key with one that is derived from the passphrase.
    pub(super) fn wrap(
        &self,
        passphrase: &Passphrase,
        salt: &[u8; SALT],
        work: WorkFactor,
    ) -> Result<Vec<u8>, Unspecified> {
        let mut wrapped = self.0.to_vec();
        let key = passphrase_key(passphrase, salt, work)?;
        key.seal_in_place_append_tag(zero_nonce(), Aad::empty(), &mut wrapped)?;
        Ok(wrapped)
    }

    /// Decrypts the key; none when the passphrase is another one.
    pub(super) fn unwrap(
        wrapped: &[u8; WRAPPED],
        passphrase: &Passphrase,
        salt: &[u8; SALT],
        work: WorkFactor,
    ) -> Option<Self> {
        let mut bytes = *wrapped;
        let key = passphrase_key(passphrase, salt, work).ok()?;
        let plain = key.open_in_place(zero_nonce(), Aad::empty(), &mut bytes).ok()?;
        plain.try_into().ok().map(Self)
    }

    /// The key of the header's authentication.
    pub(super) fn header_key(&self) -> Result<hmac::Key, Unspecified> {
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &self.derive(b"", b"header")?))
    }

    /// The key of the payload.
    pub(super) fn payload_key(&self, nonce: &[u8; PAYLOAD_NONCE]) -> Result<LessSafeKey, Unspecified> {
        cipher(&self.derive(nonce, b"payload")?)
    }

    fn derive(&self, salt: &[u8], info: &[u8]) -> Result<[u8; KEY], Unspecified> {
        let mut derived = [0; KEY];
        let extracted = Salt::new(HKDF_SHA256, salt).extract(&self.0);
        extracted.expand(&[info], Length(KEY))?.fill(&mut derived)?;
        Ok(derived)
    }
}

fn passphrase_key(
    passphrase: &Passphrase,
    salt: &[u8; SALT],
    work: WorkFactor,
) -> Result<LessSafeKey, Unspecified> {
    let parameters = Params::new(work.0, BLOCKS, LANES, KEY).map_err(|_| Unspecified)?;
    let mut key = [0; KEY];
    let salt = [SALT_LABEL, salt].concat();
    scrypt::scrypt(passphrase.as_bytes(), &salt, &parameters, &mut key).map_err(|_| Unspecified)?;
    cipher(&key)
}

fn cipher(key: &[u8; KEY]) -> Result<LessSafeKey, Unspecified> {
    UnboundKey::new(&CHACHA20_POLY1305, key).map(LessSafeKey::new)
}

/// The nonce of the wrapped key: its key is used once.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

/// The nonce of a chunk: its number, and whether it is the last one.
pub(super) fn chunk_nonce(number: u64, position: Position) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[3..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = match position {
        Position::Within => 0,
        Position::Last => 1,
    };
    Nonce::assume_unique_for_key(nonce)
}
