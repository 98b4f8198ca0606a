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

use crate::limits::{MAX_KEY_FILE, MAX_KEYS, MAX_PASSPHRASE, MIN_PASSPHRASE};
use crate::refusal::Refusal;

/// The untrusted comment of every signature. It is the one line that minisign does not sign, so it
/// is fixed: nothing in a package can be changed unnoticed.
const UNTRUSTED: &str = "untrusted comment: signature of a Pitlane upgrade package";

/// The directory with the public keys that a machine trusts, below the root directory of the machine.
pub const TRUST_DIR: &str = "trust";

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
    /// The passphrase is not that of the key.
    #[error("the passphrase does not open {}; give the one it was made with", file.display())]
    WrongPassphrase {
        /// The file.
        file: PathBuf,
    },
    /// The key is kept under a passphrase, and none was given.
    #[error("{} is kept under a passphrase; give it with --passphrase-file, or type it on a terminal", file.display())]
    PassphraseNeeded {
        /// The file.
        file: PathBuf,
    },
    /// A passphrase must be worth its name.
    #[error("a passphrase has {MIN_PASSPHRASE} to {MAX_PASSPHRASE} bytes; choose another one")]
    Passphrase,
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

/// What keeps the file of a secret key from whoever copies it. `Debug` does not show it.
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
    /// In clear: whoever reads the file signs packages that every machine installs.
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

/// Makes a pair of keys without a passphrase, for tests and for whoever keeps the file in a safe.
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
