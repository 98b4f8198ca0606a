//! The errors of reading: why a backup is refused. Each message is a sentence for the operator: what happened, to what,
//! and what to do next.

use std::io;
use std::path::PathBuf;

use crate::limits::{FORMAT, MAX_WORK};
use crate::name::Name;

/// Why a backup is refused. Nothing of a refused backup is used.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file does not begin as a backup does.
    #[error("this file is not a backup; choose the file as it was downloaded")]
    NotABackup,
    /// The file is one of age, but not for a passphrase.
    #[error(
        "this file is not encrypted with a passphrase, so it is not a backup of a Management Node; choose another"
    )]
    OtherRecipient,
    /// The passphrase would take too much memory and time.
    #[error(
        "the passphrase of this file needs 2^{work} rounds, and at most 2^{MAX_WORK} are made; it was not made by a \
         Management Node"
    )]
    TooMuchWork {
        /// The work factor, a power of two.
        work: u8,
    },
    /// The passphrase does not open the backup.
    #[error("the passphrase does not open this backup; give the one with which it was made")]
    WrongPassphrase,
    /// The file ends too early, or its end was changed, which looks the same.
    #[error(
        "the backup ends after {at} bytes, before its end, or its end was changed; copy it again from where it was made"
    )]
    Cut {
        /// The bytes that there are.
        at: u64,
    },
    /// Bytes of the file were changed.
    #[error(
        "the backup was changed or damaged within its first {at} bytes; copy it again from where it was made"
    )]
    Damaged {
        /// The bytes that were read when it was noticed.
        at: u64,
    },
    /// It opens with the passphrase, but its contents are not those of a backup.
    #[error("this file is encrypted with this passphrase, but {why}; it was not made by a Management Node")]
    OtherContents {
        /// What is wrong with them.
        why: String,
    },
    /// The manifest's format is not the one that this program reads.
    #[error(
        "the backup has format {format}, and this software reads format {FORMAT}; restore it with the version that made it"
    )]
    OtherFormat {
        /// The format of the backup.
        format: u32,
    },
    /// A limit of [`crate::limits`] is passed.
    #[error("{what} is {is}, and at most {limit} is read; the backup was not made by a Management Node")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// How large it is.
        is: u64,
        /// The limit.
        limit: u64,
    },
    /// A file differs from what the manifest says of it.
    #[error(
        "{name} in the backup is not what its manifest says; the backup was not made by a Management Node"
    )]
    FileDiffers {
        /// The file.
        name: Name,
    },
    /// The directory to unpack into holds something.
    #[error("{} is not empty; remove what is in it", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// The disk failed, or there is too little space on it.
    #[error("cannot {doing}; check the disk and the space on it")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl Refusal {
    /// Wraps an error of the operating system.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// The refusal within an error that came through a reader, or what `otherwise` makes of it.
    pub(crate) fn unwrapped(error: io::Error, otherwise: impl FnOnce(io::Error) -> Self) -> Self {
        match error.downcast::<Self>() {
            Ok(refusal) => refusal,
            Err(error) => otherwise(error),
        }
    }

    pub(crate) fn contents(why: impl Into<String>) -> Self {
        Self::OtherContents { why: why.into() }
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::other(refusal)
    }
}

/// Refuses what passes a limit.
pub(crate) fn at_most(what: &'static str, is: u64, limit: u64) -> Result<(), Refusal> {
    if is <= limit { Ok(()) } else { Err(Refusal::TooLarge { what, is, limit }) }
}
