//! Fingerprints of certificates: `a=fingerprint` (RFC 8122). Who shows a certificate in a handshake is who sent the
//! description if it has the fingerprint there.

use std::fmt::Write as _;

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};

use super::description::Medium;

/// The attribute.
const NAME: &str = "fingerprint";
/// The most fingerprints of a far end that count: one for each hash.
const MOST: usize = 3;
/// The longest digest, in bytes.
const MAX_BYTES: usize = 64;

/// A hash of a certificate. SHA-1 and those before it are not accepted: two certificates can be made to share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    const ALL: [Hash; 3] = [Hash::Sha256, Hash::Sha384, Hash::Sha512];

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Hash::Sha256 => &SHA256,
            Hash::Sha384 => &SHA384,
            Hash::Sha512 => &SHA512,
        }
    }

    /// Its name in descriptions.
    fn name(self) -> &'static str {
        match self {
            Hash::Sha256 => "sha-256",
            Hash::Sha384 => "sha-384",
            Hash::Sha512 => "sha-512",
        }
    }
}

/// The fingerprint of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    hash: Hash,
    /// As many bytes as the hash has; the rest is zero.
    digest: [u8; MAX_BYTES],
}

impl Fingerprint {
    /// That of a certificate in DER, by SHA-256, which everybody has.
    pub(crate) fn of(certificate: &[u8]) -> Fingerprint {
        Fingerprint::by(Hash::Sha256, certificate)
    }

    /// Whether it is that of this certificate, in DER.
    pub(crate) fn is_of(&self, certificate: &[u8]) -> bool {
        *self == Fingerprint::by(self.hash, certificate)
    }

    fn by(hash: Hash, certificate: &[u8]) -> Fingerprint {
        let digested = digest::digest(hash.algorithm(), certificate);
        let mut digest = [0; MAX_BYTES];
        digest[..digested.as_ref().len()].copy_from_slice(digested.as_ref());
        Fingerprint { hash, digest }
    }

    /// Reads `sha-256 AB:CD:…`.
    fn read(value: &str) -> Option<Fingerprint> {
        let (name, digits) = value.split_once([' ', '\t'])?;
        let hash = Hash::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        let byte = |pair: &str| {
            let is_pair = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_pair.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        };
        let bytes: Option<Vec<u8>> = digits.trim().split(':').take(MAX_BYTES + 1).map(byte).collect();
        let bytes = bytes.filter(|bytes| bytes.len() == hash.algorithm().output_len())?;
        let mut digest = [0; MAX_BYTES];
        digest[..bytes.len()].copy_from_slice(&bytes);
        Some(Fingerprint { hash, digest })
    }

    pub(super) fn write(&self, text: &mut String) {
        let bytes = &self.digest[..self.hash.algorithm().output_len()];
        let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let _ = write!(text, "a={NAME}:{} {}\r\n", self.hash.name(), pairs.join(":"));
    }
}

/// The fingerprints of a media line that can be checked, or else those of the session.
pub(super) fn known(medium: Medium<'_>) -> Vec<Fingerprint> {
    medium.inherited(NAME).filter_map(Fingerprint::read).take(MOST).collect()
}
