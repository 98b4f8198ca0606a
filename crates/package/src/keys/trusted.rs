//! The public keys that a machine trusts, and the check of a signature against them. They are installed with the
//! machine (`trust/`); they never come from a Management Node or a package.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::file::{KeyError, read_small};
use super::id::KeyId;
use super::signature::{NotSigned, Signed, signer};
use crate::limits::MAX_KEYS;

/// The directory with the public keys that a machine trusts, below the root directory of the machine.
pub const TRUST_DIR: &str = "trust";

/// One public key, with the number by which signatures name it.
#[derive(Clone, Debug)]
struct TrustedKey {
    id: KeyId,
    key: minisign_verify::PublicKey,
}

impl TrustedKey {
    /// Reads a public key file as minisign writes it.
    fn parse(text: &str) -> Option<Self> {
        let id = KeyId::within(&STANDARD.decode(text.lines().nth(1)?).ok()?)?;
        Some(Self { id, key: minisign_verify::PublicKey::decode(text).ok()? })
    }
}

/// The keys that a machine trusts cannot be used, so no slot can be verified and boot starts none.
#[derive(Debug, thiserror::Error)]
#[error(
    "no release can be started: the keys in {} that this machine trusts cannot be used; as root, copy the \
     publisher's .pub files back there", trust.display()
)]
pub struct NoTrust {
    /// Where they lie.
    trust: PathBuf,
    /// What is wrong with them, and with which file.
    source: KeyError,
}

/// The public keys that this machine trusts. Never empty.
#[derive(Clone, Debug)]
pub struct TrustedKeys {
    keys: Vec<TrustedKey>,
}

impl TrustedKeys {
    /// Reads every `*.pub` file of `dir`, in the order of their names. Other files are passed over.
    ///
    /// # Errors
    /// [`KeyError::NoneTrusted`] when there is none, [`KeyError::NotAKey`] when one is damaged: a
    /// machine with a damaged key asks for help rather than trusting less than its owner thinks.
    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).map_err(KeyError::io(dir))? {
            let file = entry.map_err(KeyError::io(dir))?.path();
            if file.extension().is_some_and(|extension| extension == "pub") {
                files.push(file);
            }
        }
        if files.len() > MAX_KEYS {
            return Err(KeyError::TooMany { dir: dir.into() });
        }
        files.sort();
        let keys = files.iter().map(|file| load_one(file)).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::NoneTrusted { dir: dir.into() }) } else { Ok(Self { keys }) }
    }

    /// The key in the text of a public key file, as the only trusted one.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        TrustedKey::parse(text).map(|key| Self { keys: vec![key] })
    }

    /// The keys of the machine with this root directory, in its [`TRUST_DIR`].
    ///
    /// # Errors
    /// There is none, or one is damaged: what a start and the check before a start say of that.
    pub fn of_machine(root: &Path) -> Result<Self, NoTrust> {
        let trust = root.join(TRUST_DIR);
        Self::load(&trust).map_err(|source| NoTrust { trust, source })
    }

    /// The numbers of the keys, in the order of their files.
    pub fn ids(&self) -> Vec<KeyId> {
        self.keys.iter().map(|trusted| trusted.id).collect()
    }

    /// Verifies the signature of a text, and returns the key that has signed it.
    ///
    /// # Errors
    /// The signature is not in our form, by another key, or not of this text.
    pub fn verify(&self, what: Signed, text: &[u8], signature: &str) -> Result<KeyId, NotSigned> {
        let key = signer(what, signature).ok_or(NotSigned::Unreadable)?;
        let parsed = minisign_verify::Signature::decode(signature).map_err(|_| NotSigned::Unreadable)?;
        let candidates: Vec<&TrustedKey> = self.keys.iter().filter(|trusted| trusted.id == key).collect();
        if candidates.is_empty() {
            return Err(NotSigned::UntrustedKey { key, trusted: self.ids() });
        }
        if candidates.iter().any(|trusted| trusted.key.verify(text, &parsed, false).is_ok()) {
            Ok(key)
        } else {
            Err(NotSigned::Wrong { key })
        }
    }
}

fn load_one(file: &Path) -> Result<TrustedKey, KeyError> {
    let text = read_small(file)?;
    TrustedKey::parse(&text)
        .ok_or_else(|| KeyError::NotAKey { file: file.into(), kind: "a minisign public key" })
}
