//! The hash functions of digest authentication (RFC 7616 section 6.1), by the libraries that have them.

use std::fmt::{self, Write as _};

use aws_lc_rs::digest;
use md5::{Digest as _, Md5};
use serde::Deserialize;

/// A hash function of digest authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Algorithm {
    /// SHA-256, which is asked for unless the settings say otherwise.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// SHA-512/256.
    #[serde(rename = "SHA-512-256")]
    Sha512Over256,
    /// MD5, for phones that know nothing newer: who hears an answer can guess the password in little time.
    #[serde(rename = "MD5")]
    Md5,
}

impl Algorithm {
    const ALL: [Algorithm; 3] = [Algorithm::Sha256, Algorithm::Sha512Over256, Algorithm::Md5];

    /// Its name in headers and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512Over256 => "SHA-512-256",
            Algorithm::Md5 => "MD5",
        }
    }

    /// The algorithm of a name in any case; without one it is MD5 (RFC 7616 section 3.3).
    pub(super) fn named(name: Option<&[u8]>) -> Option<Algorithm> {
        let Some(name) = name else { return Some(Algorithm::Md5) };
        Algorithm::ALL.into_iter().find(|algorithm| name.eq_ignore_ascii_case(algorithm.as_str().as_bytes()))
    }

    /// The hash of values with colons between them, in hexadecimal digits.
    pub(crate) fn hash(self, values: &[&[u8]]) -> String {
        let joined = values.join(&b':');
        match self {
            Algorithm::Sha256 => hex(digest::digest(&digest::SHA256, &joined).as_ref()),
            Algorithm::Sha512Over256 => hex(digest::digest(&digest::SHA512_256, &joined).as_ref()),
            Algorithm::Md5 => hex(&Md5::digest(&joined)),
        }
    }

    /// How many hexadecimal digits a hash has.
    pub(crate) fn digits(self) -> usize {
        match self {
            Algorithm::Sha256 | Algorithm::Sha512Over256 => 64,
            Algorithm::Md5 => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Bytes in hexadecimal digits, in lower case as RFC 7616 section 3.1 has them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
