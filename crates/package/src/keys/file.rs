//! Key files in minisign's format: their errors, and the limited read.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::limits::{MAX_KEY_FILE, MAX_KEYS, MAX_PASSPHRASE, MIN_PASSPHRASE};

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
    pub(super) fn io(file: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { file: file.into(), source }
    }
}

/// Reads a key file, up to the size limit of keys.
pub(super) fn read_small(file: &Path) -> Result<String, KeyError> {
    let mut bytes = Vec::new();
    let handle = fs::File::open(file).map_err(KeyError::io(file))?;
    handle.take(MAX_KEY_FILE).read_to_end(&mut bytes).map_err(KeyError::io(file))?;
    // A file that is not text is not a key either; the caller reports that.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
