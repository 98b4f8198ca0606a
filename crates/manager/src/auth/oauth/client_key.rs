//! The key of a client: made here, of which the client is given the private half once, or brought by the operator as a
//! public key.

use std::fmt;
use std::str::FromStr;

use jsonwebtoken::DecodingKey;
use openssl::pkey::{Id, PKey, Public};

use crate::trust::limits::{MAX_KEY_TEXT, MAX_RSA_BITS, MIN_RSA_BITS};
use crate::trust::{Fault, KeyKind, PrivateKey};

/// The algorithm with which a client signs. It is stored with the client: a header that names another one is refused, so
/// that no client chooses what its key is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA, PKCS#1 1.5, with SHA-256.
    Rs256,
}

/// The text names no algorithm that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the algorithm is ES256 or RS256")]
pub struct NotAnAlgorithm;

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        })
    }
}

impl FromStr for Algorithm {
    type Err = NotAnAlgorithm;

    fn from_str(text: &str) -> Result<Self, NotAnAlgorithm> {
        let known = [Self::Es256, Self::Rs256].into_iter().find(|known| known.to_string() == text);
        known.ok_or(NotAnAlgorithm)
    }
}

/// The public key of a client with its algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    algorithm: Algorithm,
    /// `SubjectPublicKeyInfo`, DER.
    public: Vec<u8>,
}

/// A key that was made for a client.
#[derive(Clone, Debug)]
pub struct NewClientKey {
    /// What is stored.
    pub key: ClientKey,
    /// What the client is given, once.
    pub private: PrivateKey,
}

impl NewClientKey {
    /// Makes a key for ES256.
    ///
    /// # Errors
    /// [`Fault::NotMade`].
    pub fn make() -> Result<Self, Fault> {
        let private = PrivateKey::make(KeyKind::P256)?;
        let public = private.public_der().ok_or(Fault::NotMade)?;
        Ok(Self { key: ClientKey { algorithm: Algorithm::Es256, public }, private })
    }
}

impl ClientKey {
    /// Reads a public key, PEM. Its kind decides the algorithm.
    ///
    /// # Errors
    /// It is none, or of a kind or size that is not taken.
    pub fn read(pem: &str) -> Result<Self, Fault> {
        if pem.len() > MAX_KEY_TEXT {
            return Err(Fault::NotAKey);
        }
        let key = PKey::public_key_from_pem(pem.trim().as_bytes()).map_err(|_| Fault::NotAKey)?;
        let other = || Fault::PrivateKeyKind { key: crate::trust::described(&key) };
        let algorithm = algorithm_of(&key).ok_or_else(other)?;
        let public = key.public_key_to_der().map_err(|_| Fault::NotAKey)?;
        Ok(Self { algorithm, public })
    }

    /// The key with its algorithm as it was stored.
    pub fn stored(algorithm: Algorithm, public: Vec<u8>) -> Self {
        Self { algorithm, public }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as it is stored: `SubjectPublicKeyInfo`, DER.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The key and its one algorithm, for a verification.
    pub(super) fn verifier(&self) -> (DecodingKey, jsonwebtoken::Algorithm) {
        match self.algorithm {
            Algorithm::Es256 => (DecodingKey::from_ec_der(&self.public), jsonwebtoken::Algorithm::ES256),
            Algorithm::Rs256 => (DecodingKey::from_rsa_der(&self.public), jsonwebtoken::Algorithm::RS256),
        }
    }
}

/// The algorithm of a public key; none for a kind or size that is not taken.
fn algorithm_of(key: &PKey<Public>) -> Option<Algorithm> {
    match key.id() {
        Id::EC if crate::trust::curve(key) == Some("P-256") => Some(Algorithm::Es256),
        Id::RSA if (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&key.bits()) => Some(Algorithm::Rs256),
        _ => None,
    }
}
