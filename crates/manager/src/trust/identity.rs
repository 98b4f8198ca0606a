//! An identity to use in TLS: a leaf, its key, and the certificates between it and a root, in order. Whether the root is
//! trusted by anybody, and whether the leaf has expired, are questions of the callers.

use super::certificate::{self, Certificate, Kind};
use super::fault::{Fault, Field};
use super::limits::{MAX_CHAIN, MAX_TEXT};
use super::pem;
use super::private_key::PrivateKey;

/// What the operator gives.
#[derive(Clone, Copy)]
pub struct Given<'t> {
    /// The certificates, PEM, in any order.
    pub certificate: &'t str,
    /// The private key, PEM.
    pub private_key: &'t str,
    /// Its passphrase; empty without one.
    pub passphrase: &'t str,
}

/// A leaf with its key and its chain.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The leaf first, each issued by the next; never empty.
    chain: Vec<Certificate>,
    key: PrivateKey,
}

impl Identity {
    /// Reads certificates and their key from fields of their own.
    ///
    /// # Errors
    /// What is wrong, with its field.
    pub fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let certificates = certificate::read_certificates(given.certificate)?;
        Self::of(certificates, PrivateKey::read(given.private_key, given.passphrase)?)
    }

    /// Reads a text that has certificates and key together.
    ///
    /// # Errors
    /// What is wrong, with the field that it would belong to.
    pub fn read_bundle(bundle: &str, passphrase: &str) -> Result<Self, Fault> {
        let blocks = pem::blocks(bundle, Field::Certificate, MAX_TEXT)?;
        let certificates = certificate::of_blocks(&blocks)?;
        Self::of(certificates, PrivateKey::of_blocks(&blocks, passphrase)?)
    }

    /// The identity of these certificates and this key.
    ///
    /// # Errors
    /// [`Fault::KeyFitsNone`], [`Fault::Leftover`] or [`Fault::ChainTooLong`].
    pub fn of(certificates: Vec<Certificate>, key: PrivateKey) -> Result<Self, Fault> {
        let Some(leaf) = certificates.iter().position(|one| one.is_for(key.inner())) else {
            return Err(Fault::KeyFitsNone { subjects: subjects(&certificates) });
        };
        Ok(Self { chain: ordered(certificates, leaf)?, key })
    }

    /// The same with those of `authorities` that are missing between the end of its chain and a root. Those who trust the
    /// root have it, so it is not added.
    pub fn completed(mut self, authorities: &[Certificate]) -> Self {
        while self.chain.len() < MAX_CHAIN {
            let last = &self.chain[self.chain.len() - 1];
            let issues = |one: &&Certificate| {
                one.kind() == Kind::Intermediate && last.is_issued_by(one) && !self.chain.contains(one)
            };
            let Some(next) = authorities.iter().find(issues).cloned() else { break };
            self.chain.push(next);
        }
        self
    }

    /// The certificate that is for the key.
    pub fn leaf(&self) -> &Certificate {
        &self.chain[0]
    }

    /// The leaf first, each issued by the next; never empty.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The chain in PEM.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(Certificate::pem).collect()
    }
}

/// The subjects of certificates, for a fault.
pub(super) fn subjects(certificates: &[Certificate]) -> Vec<String> {
    certificates.iter().map(Certificate::subject).collect()
}

/// The certificates as a chain from the one at `leaf` on, all of them.
fn ordered(mut rest: Vec<Certificate>, leaf: usize) -> Result<Vec<Certificate>, Fault> {
    let mut chain = vec![rest.remove(leaf)];
    loop {
        let last = &chain[chain.len() - 1];
        let issuer = rest.iter().position(|candidate| last.is_issued_by(candidate));
        let Some(issuer) = issuer else { break };
        if chain.len() == MAX_CHAIN {
            return Err(Fault::ChainTooLong { leaf: chain[0].subject() });
        }
        chain.push(rest.remove(issuer));
    }
    match rest.first() {
        None => Ok(chain),
        Some(left) => {
            let last = &chain[chain.len() - 1];
            Err(Fault::Leftover {
                subject: left.subject(),
                leaf: chain[0].subject(),
                last: last.subject(),
                issuer: last.issuer(),
            })
        }
    }
}
