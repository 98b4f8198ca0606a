//! Keys: the publisher's secret key that signs, and the public keys that a machine trusts. Files are
//! minisign's own, so the stock tool reads them too. The keys a machine trusts are installed with
//! the machine; they never come from a manager or a package.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::limits::{MAX_KEY_FILE, MAX_KEYS};
use crate::refusal::Refusal;

/// The untrusted comment of every signature. It is the one line that minisign does not sign, so it
/// is fixed: nothing in a package can be changed unnoticed.
const UNTRUSTED: &str = "untrusted comment: signature of a Pitlane upgrade package";

/// The number of a key, printed as minisign prints it: 16 upper-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// The number that stands in a decoded key or signature, after two bytes of algorithm.
    fn within(decoded: &[u8]) -> Option<Self> {
        let bytes = decoded.get(2..10)?;
        Some(Self(u64::from_le_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

/// Why keys cannot be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The directory of trusted keys holds none.
    #[error(
        "{} holds no public key, so no package can be trusted; put the publisher's .pub file there", dir.display()
    )]
    NoneTrusted {
        /// The directory.
        dir: PathBuf,
    },
    /// There are more keys than a machine can have use for.
    #[error("{} holds more than {MAX_KEYS} public keys; remove those that are not in use", dir.display())]
    TooMany {
        /// The directory.
        dir: PathBuf,
    },
    /// A file is not a minisign key of the expected kind.
    #[error("{} is not {kind}; replace or remove it", file.display())]
    NotAKey {
        /// The file.
        file: PathBuf,
        /// What it should be.
        kind: &'static str,
    },
    /// A key file must not be replaced by accident.
    #[error("{} exists already; choose another name, or move the old key away", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The comment of a key must fit one line.
    #[error("the comment of a key is one line of text; leave line breaks out")]
    Comment,
    /// The operating system has no randomness to give, or the signature could not be computed.
    #[error("minisign failed; try again")]
    Minisign(#[source] minisign::PError),
    /// The file system failed.
    #[error("cannot read or write {}; check that it exists and who may read it", file.display())]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl KeyError {
    fn io(file: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { file: file.into(), source }
    }
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
    /// Reads a secret key without a password.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`] when the file is something else, or a key with a password.
    pub fn load(file: &Path) -> Result<Self, KeyError> {
        let text = read_small(file)?;
        let refuse =
            || KeyError::NotAKey { file: file.into(), kind: "a minisign secret key without a password" };
        let secret = minisign::SecretKeyBox::from_string(&text)
            .and_then(minisign::SecretKeyBox::into_unencrypted_secret_key)
            .map_err(|_| refuse())?;
        let public = minisign::PublicKey::from_secret_key(&secret).map_err(|_| refuse())?;
        Ok(Self { secret, public })
    }

    /// The number of the key.
    pub fn id(&self) -> KeyId {
        KeyId(self.public.keynum().iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The text of the signature entry for a manifest.
    pub(crate) fn sign(&self, manifest: &[u8], trusted_comment: &str) -> Result<String, KeyError> {
        let untrusted = UNTRUSTED.trim_start_matches("untrusted comment: ");
        minisign::sign(Some(&self.public), &self.secret, manifest, Some(trusted_comment), Some(untrusted))
            .map(minisign::SignatureBox::into_string)
            .map_err(KeyError::Minisign)
    }

    /// The key as the only trusted one: what a build checks its own work with.
    pub(crate) fn as_trusted(&self) -> Option<TrustedKeys> {
        TrustedKey::parse(&format!("untrusted comment:\n{}\n", self.public.to_base64()))
            .map(|key| TrustedKeys { keys: vec![key] })
    }
}

/// A new pair of keys, not yet on disk.
#[derive(Debug)]
pub struct KeyPair {
    /// The half that signs.
    pub signing: SigningKey,
    comment: String,
}

/// Makes a pair of keys without a password.
///
/// # Errors
/// When the comment is more than one line, or the operating system gives no randomness.
pub fn generate_key(comment: &str) -> Result<KeyPair, KeyError> {
    if comment.chars().any(char::is_control) {
        return Err(KeyError::Comment);
    }
    let pair = minisign::KeyPair::generate_unencrypted_keypair().map_err(KeyError::Minisign)?;
    Ok(KeyPair { signing: SigningKey { secret: pair.sk, public: pair.pk }, comment: comment.into() })
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
        let secret_text =
            self.signing.secret.to_box(Some(&self.comment)).map_err(KeyError::Minisign)?.into_string();
        let public_text =
            format!("untrusted comment: {}\n{}\n", self.comment, self.signing.public.to_base64());
        write_new(&secret, &secret_text, 0o600)?;
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

/// Reads a key file, no further than a key can be long.
fn read_small(file: &Path) -> Result<String, KeyError> {
    let mut bytes = Vec::new();
    let handle = fs::File::open(file).map_err(KeyError::io(file))?;
    handle.take(MAX_KEY_FILE).read_to_end(&mut bytes).map_err(KeyError::io(file))?;
    // Bytes that are no text make it no key either, and the caller says so.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// One public key, with the number that its holder's signatures carry.
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

    /// The numbers of the keys, in the order of their files.
    pub fn ids(&self) -> Vec<KeyId> {
        self.keys.iter().map(|trusted| trusted.id).collect()
    }

    /// Checks the signature of a manifest.
    pub(crate) fn check(&self, manifest: &[u8], signature: &str) -> Result<KeyId, Refusal> {
        let key = signer(signature).ok_or(Refusal::SignatureUnreadable)?;
        let parsed =
            minisign_verify::Signature::decode(signature).map_err(|_| Refusal::SignatureUnreadable)?;
        let candidates: Vec<&TrustedKey> = self.keys.iter().filter(|trusted| trusted.id == key).collect();
        if candidates.is_empty() {
            return Err(Refusal::UntrustedKey { key, trusted: self.ids() });
        }
        if candidates.iter().any(|trusted| trusted.key.verify(manifest, &parsed, false).is_ok()) {
            Ok(key)
        } else {
            Err(Refusal::SignatureWrong { key })
        }
    }
}

fn load_one(file: &Path) -> Result<TrustedKey, KeyError> {
    let text = read_small(file)?;
    TrustedKey::parse(&text)
        .ok_or_else(|| KeyError::NotAKey { file: file.into(), kind: "a minisign public key" })
}

/// The key that a signature names, if the signature has exactly our form: four lines, each with its
/// line end, the first one fixed, strict base64. Only this form is accepted, so that there is one
/// way to write a signature and no byte of it can be changed unnoticed.
fn signer(signature: &str) -> Option<KeyId> {
    let lines: Vec<&str> = signature.strip_suffix('\n')?.split('\n').collect();
    let [untrusted, first, trusted, second] = lines.as_slice() else { return None };
    let printable = !trusted.chars().any(|c| c.is_control() && c != '\t');
    if *untrusted != UNTRUSTED || !trusted.starts_with("trusted comment: ") || !printable {
        return None;
    }
    STANDARD.decode(second).ok()?;
    KeyId::within(&STANDARD.decode(first).ok()?)
}
