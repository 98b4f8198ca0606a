//! The publisher's secret key: made, kept in a minisign file, and used to sign a manifest. It is never printed.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::file::{KeyError, read_small};
use super::id::KeyId;
use super::signature::Signed;
use super::trusted::TrustedKeys;
use crate::limits::{MAX_PASSPHRASE, MIN_PASSPHRASE};

/// The passphrase that encrypts the file of a secret key. `Debug` does not show it.
#[derive(Clone)]
pub struct Passphrase(String);

impl Passphrase {
    /// Takes a text for a passphrase.
    ///
    /// # Errors
    /// [`KeyError::Passphrase`] when it is shorter or longer than a passphrase may be.
    pub fn new(text: impl Into<String>) -> Result<Self, KeyError> {
        let text = text.into();
        let fits = (MIN_PASSPHRASE..=MAX_PASSPHRASE).contains(&text.len());
        if fits { Ok(Self(text)) } else { Err(KeyError::Passphrase) }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// How the file of a new secret key is kept.
#[derive(Clone, Debug)]
pub enum Protection {
    /// Encrypted, as minisign does it (scrypt).
    Passphrase(Passphrase),
    /// In clear: anyone who can read the file can sign packages that every machine installs.
    Nothing,
}

/// The publisher's secret key. It is never printed.
pub struct SigningKey {
    secret: minisign::SecretKey,
    public: minisign::PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id())
    }
}

impl SigningKey {
    /// Reads a secret key that is kept in clear.
    ///
    /// # Errors
    /// [`KeyError::PassphraseNeeded`] when it is not, [`KeyError::NotAKey`] when the file is something else.
    pub fn load(file: &Path) -> Result<Self, KeyError> {
        let text = read_small(file)?;
        if is_protected(&text) {
            return Err(KeyError::PassphraseNeeded { file: file.into() });
        }
        let secret = minisign::SecretKeyBox::from_string(&text)
            .and_then(minisign::SecretKeyBox::into_unencrypted_secret_key)
            .map_err(|_| not_secret(file))?;
        Self::of(secret).map_err(|_| not_secret(file))
    }

    /// Reads a secret key that is kept under a passphrase.
    ///
    /// # Errors
    /// [`KeyError::WrongPassphrase`], and [`KeyError::NotAKey`] when the file is something else.
    pub fn load_protected(file: &Path, passphrase: &Passphrase) -> Result<Self, KeyError> {
        let text = read_small(file)?;
        if !is_protected(&text) {
            return Err(not_secret(file));
        }
        let secret = minisign::SecretKeyBox::from_string(&text).map_err(|_| not_secret(file))?;
        let secret = secret.into_secret_key(Some(passphrase.0.clone()));
        let secret = secret.map_err(|_| KeyError::WrongPassphrase { file: file.into() })?;
        Self::of(secret).map_err(|_| not_secret(file))
    }

    /// Whether the secret key in that file is kept under a passphrase.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_protected(file: &Path) -> Result<bool, KeyError> {
        read_small(file).map(|text| is_protected(&text))
    }

    fn of(secret: minisign::SecretKey) -> minisign::Result<Self> {
        let public = minisign::PublicKey::from_secret_key(&secret)?;
        Ok(Self { secret, public })
    }

    /// The number of the key.
    pub fn id(&self) -> KeyId {
        KeyId(self.public.keynum().iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The text of the signature of a text. The trusted comment is signed with it.
    ///
    /// # Errors
    /// [`KeyError::Comment`] when the trusted comment is more than one line, [`KeyError::Minisign`] when it fails.
    pub fn sign_text(&self, what: Signed, text: &[u8], trusted_comment: &str) -> Result<String, KeyError> {
        if trusted_comment.chars().any(|c| c.is_control() && c != '\t') {
            return Err(KeyError::Comment);
        }
        minisign::sign(Some(&self.public), &self.secret, text, Some(trusted_comment), Some(what.comment()))
            .map(minisign::SignatureBox::into_string)
            .map_err(KeyError::Minisign)
    }

    /// The key as the only trusted one, with which a build verifies its own package.
    pub(crate) fn as_trusted(&self) -> Option<TrustedKeys> {
        TrustedKeys::of_text(&format!("untrusted comment:\n{}\n", self.public.to_base64()))
    }
}

/// A new pair of keys, not yet on disk.
#[derive(Debug)]
pub struct KeyPair {
    /// The half that signs.
    pub signing: SigningKey,
    comment: String,
    /// The text of the secret key's file.
    file: SecretText,
}

/// A text that `Debug` does not show.
struct SecretText(String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// Makes a pair of keys without a passphrase, for tests and for files that are protected otherwise.
///
/// # Errors
/// As [`generate_kept_key`].
pub fn generate_key(comment: &str) -> Result<KeyPair, KeyError> {
    generate_kept_key(comment, &Protection::Nothing)
}

/// Makes a pair of keys whose secret half is kept as `protection` says.
///
/// # Errors
/// When the comment is more than one line, or the operating system gives no randomness.
pub fn generate_kept_key(comment: &str, protection: &Protection) -> Result<KeyPair, KeyError> {
    if comment.chars().any(char::is_control) {
        return Err(KeyError::Comment);
    }
    let (kept, signing) = match protection {
        Protection::Nothing => {
            let pair = minisign::KeyPair::generate_unencrypted_keypair().map_err(KeyError::Minisign)?;
            let kept = pair.sk.to_box(Some(comment)).map_err(KeyError::Minisign)?.into_string();
            (kept, SigningKey { secret: pair.sk, public: pair.pk })
        }
        Protection::Passphrase(Passphrase(text)) => {
            let pair = minisign::KeyPair::generate_encrypted_keypair(Some(text.clone()))
                .map_err(KeyError::Minisign)?;
            let kept = pair.sk.to_box(Some(comment)).map_err(KeyError::Minisign)?;
            let file = kept.clone().into_string();
            let secret = kept.into_secret_key(Some(text.clone())).map_err(KeyError::Minisign)?;
            (file, SigningKey { secret, public: pair.pk })
        }
    };
    Ok(KeyPair { signing, comment: comment.into(), file: SecretText(kept) })
}

impl KeyPair {
    /// Writes `NAME.key` (readable by its owner alone) and `NAME.pub` into `dir`, and returns their
    /// paths in this order. Existing files are never replaced.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when there is such a key, [`KeyError::Io`] when the disk fails.
    pub fn write(&self, dir: &Path, name: &str) -> Result<(PathBuf, PathBuf), KeyError> {
        let (secret, public) = (dir.join(format!("{name}.key")), dir.join(format!("{name}.pub")));
        for file in [&secret, &public] {
            if file.symlink_metadata().is_ok() {
                return Err(KeyError::Exists { file: file.clone() });
            }
        }
        let public_text =
            format!("untrusted comment: {}\n{}\n", self.comment, self.signing.public.to_base64());
        write_new(&secret, &self.file.0, 0o600)?;
        write_new(&public, &public_text, 0o644)?;
        Ok((secret, public))
    }
}

/// Writes a file that must not exist, durably.
fn write_new(file: &Path, text: &str, mode: u32) -> Result<(), KeyError> {
    let refuse = |source: io::Error| {
        let file = file.into();
        let exists = source.kind() == io::ErrorKind::AlreadyExists;
        if exists { KeyError::Exists { file } } else { KeyError::Io { file, source } }
    };
    let mut options = fs::OpenOptions::new();
    let mut handle = options.write(true).create_new(true).mode(mode).open(file).map_err(refuse)?;
    handle.write_all(text.as_bytes()).and_then(|()| handle.sync_all()).map_err(KeyError::io(file))
}

fn not_secret(file: &Path) -> KeyError {
    KeyError::NotAKey { file: file.into(), kind: "a minisign secret key" }
}

/// Whether the text of a secret key's file names a key derivation: bytes 2 and 3 of the decoded key.
fn is_protected(text: &str) -> bool {
    let decoded = text.lines().nth(1).and_then(|line| STANDARD.decode(line).ok());
    decoded.is_some_and(|key| key.get(2..4) == Some(b"Sc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_that_exists_is_distinguished_from_a_disk_that_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("test.key");
        write_new(&file, "secret", 0o600).unwrap();
        assert!(matches!(write_new(&file, "another", 0o600), Err(KeyError::Exists { .. })));
        assert_eq!(fs::read_to_string(&file).unwrap(), "secret");
        assert!(matches!(write_new(&dir.path().join("x/y"), "", 0o600), Err(KeyError::Io { .. })));
    }
}
