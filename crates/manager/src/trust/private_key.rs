//! A private key: read from PEM with its passphrase, or made for a signing request. It is never printed, and leaves this
//! module as PKCS#8 only.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, PKeyRef, Private};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, RsaKeySize};

use super::certificate::{curve, described};
use super::encryption;
use super::fault::{Fault, Field};
use super::limits::{MAX_PASSPHRASE, MAX_RSA_BITS, MIN_RSA_BITS};
use super::pem::{self, Block};

/// The label of an encrypted key in PKCS#8 (RFC 5958).
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// The kind of a key that is made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 4096 bits.
    Rsa4096,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
}

/// A private key of a kind and size that is taken.
#[derive(Clone)]
pub struct PrivateKey(PKey<Private>);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

impl PrivateKey {
    /// Makes a key, with the library that makes those of the platform's own authority.
    ///
    /// # Errors
    /// [`Fault::NotMade`].
    pub fn make(kind: KeyKind) -> Result<Self, Fault> {
        let made = match kind {
            KeyKind::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
            KeyKind::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
            KeyKind::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyKind::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        };
        let der = made.map_err(|_| Fault::NotMade)?.serialize_der();
        PKey::private_key_from_pkcs8(&der).map(Self).map_err(|_| Fault::NotMade)
    }

    /// Reads the one private key of a text, PEM; `passphrase` is empty for one that is not encrypted.
    ///
    /// # Errors
    /// There is no key or more than one, it cannot be decrypted, or it is of another kind or size.
    pub fn read(text: &str, passphrase: &str) -> Result<Self, Fault> {
        Self::of_blocks(&pem::blocks(text, Field::PrivateKey, super::limits::MAX_KEY_TEXT)?, passphrase)
    }

    /// The one private key in these blocks.
    pub(super) fn of_blocks(blocks: &[Block<'_>], passphrase: &str) -> Result<Self, Fault> {
        let keys: Vec<&Block<'_>> = blocks.iter().filter(|block| is_key(block)).collect();
        match keys.as_slice() {
            [] => {
                let found = blocks.first().map(|block| pem::shortened(block.label).into());
                Err(Fault::NoKey { found })
            }
            [one] => Self::checked(decrypted(one, passphrase)?),
            several => Err(Fault::SeveralKeys { count: several.len() }),
        }
    }

    fn checked(key: PKey<Private>) -> Result<Self, Fault> {
        let is_taken = match key.id() {
            Id::RSA | Id::RSA_PSS => (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&key.bits()),
            Id::EC => curve(&key).is_some(),
            Id::ED25519 => true,
            _ => false,
        };
        if is_taken { Ok(Self(key)) } else { Err(Fault::PrivateKeyKind { key: described(&key) }) }
    }

    /// The key as PKCS#8 in PEM, not encrypted.
    pub fn to_pem(&self) -> String {
        // Nothing can fail but memory.
        let pem = self.0.private_key_to_pem_pkcs8().unwrap_or_default();
        String::from_utf8(pem).unwrap_or_default()
    }

    /// The key as PKCS#8 in DER, not encrypted.
    pub fn to_der(&self) -> Vec<u8> {
        self.0.private_key_to_pkcs8().unwrap_or_default()
    }

    /// Its public half, `SubjectPublicKeyInfo` in DER; none when memory is missing.
    pub fn public_der(&self) -> Option<Vec<u8>> {
        self.0.public_key_to_der().ok()
    }

    /// The key, for OpenSSL.
    pub(super) fn inner(&self) -> &PKeyRef<Private> {
        &self.0
    }

    /// The hash that goes with a signature by this key.
    pub(super) fn digest(&self) -> MessageDigest {
        match curve(&self.0) {
            Some("P-384") => MessageDigest::sha384(),
            Some("P-521") => MessageDigest::sha512(),
            // Ed25519 contains its own (RFC 8032).
            _ if self.0.id() == Id::ED25519 => MessageDigest::null(),
            _ => MessageDigest::sha256(),
        }
    }
}

/// Whether a block is a private key of any kind: `RSA PRIVATE KEY`, `EC PRIVATE KEY`, `PRIVATE KEY`, or encrypted.
pub(super) fn is_key(block: &Block<'_>) -> bool {
    block.label.ends_with("PRIVATE KEY")
}

/// Reads the key of a block.
fn decrypted(block: &Block<'_>, passphrase: &str) -> Result<PKey<Private>, Fault> {
    if passphrase.len() > MAX_PASSPHRASE {
        return Err(Fault::PassphraseTooLong);
    }
    let is_pkcs8 = block.label == ENCRYPTED;
    if is_pkcs8 && !encryption::is_bounded(&block.decoded(Field::PrivateKey)?) {
        return Err(Fault::Encryption);
    }
    let is_encrypted = is_pkcs8 || block.has_encrypted_header();
    if is_encrypted && passphrase.is_empty() {
        return Err(Fault::PassphraseNeeded);
    }
    let text = block.normal();
    // A passphrase for a key that is not encrypted is passed over, as OpenSSL does.
    PKey::private_key_from_pem_passphrase(text.as_bytes(), passphrase.as_bytes()).map_err(|errors| {
        match (is_encrypted, is_unsupported(&errors)) {
            (false, _) => Fault::NotAKey,
            (true, true) => Fault::Encryption,
            (true, false) => Fault::WrongPassphrase,
        }
    })
}

/// Whether OpenSSL knows no such cipher: DES and RC2 in files of old tools.
fn is_unsupported(errors: &ErrorStack) -> bool {
    errors.errors().iter().any(|error| error.reason().is_some_and(|reason| reason.contains("unsupported")))
}
