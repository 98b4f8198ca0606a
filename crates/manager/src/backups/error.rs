//! Why a backup is not made, and why one is not restored: sentences for the operator.

use std::io;
use std::path::{Path, PathBuf};

use fleet::version::Release;
use thiserror::Error;

use crate::authority::AuthorityError;
use crate::store::StoreError;

/// Why a backup is not made, or those that there are cannot be read.
#[derive(Debug, Error)]
pub(crate) enum BackupError {
    /// There is no space for another.
    #[error("the disk of the Management Node has {} MiB free, and the backup needs {} MiB", free >> 20, (needed >> 20) + 1)]
    NoSpace {
        /// Free bytes.
        free: u64,
        /// Needed bytes, with a reserve.
        needed: u64,
    },
    /// An upgrade is under way: restored, the backup would go on with it.
    #[error("an upgrade is under way, and a backup would begin it again when it is restored")]
    RunUnderWay,
    /// The authority of the platform cannot be read.
    #[error("the authority of the platform cannot be read")]
    Authority(#[from] AuthorityError),
    /// There is no authority.
    #[error("there is no authority of the platform in {}", state.display())]
    NoAuthority {
        /// The directory of the state.
        state: PathBuf,
    },
    /// The store cannot be copied.
    #[error("the store cannot be copied")]
    Store(#[from] StoreError),
    /// The file cannot be made.
    #[error(transparent)]
    Make(#[from] backup::MakeError),
    /// The disk reported an error.
    #[error("cannot {doing} {}; check the disk and the space on it", path.display())]
    Disk {
        /// The operation.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// Why a backup is not restored. Nothing was changed.
#[derive(Debug, Error)]
pub(crate) enum RestoreError {
    /// It is no backup, it is damaged, or its passphrase is another one.
    #[error(transparent)]
    Refused(#[from] backup::Refusal),
    /// Another release has made it.
    #[error("the backup was made by {made_by}, and this Management Node runs {runs}")]
    OtherRelease {
        /// The release that has made it.
        made_by: Release,
        /// The release of this process.
        runs: Release,
    },
    /// It is of another platform, and this one has nodes.
    #[error(
        "the backup is of the platform {of}, and this Management Node is that of the platform {here} with {nodes} \
         Conferencing Nodes, which would be lost"
    )]
    OtherPlatform {
        /// The platform of the backup.
        of: String,
        /// This platform.
        here: String,
        /// How many nodes this one has.
        nodes: usize,
    },
    /// It has other files than a backup of a Management Node.
    #[error("the backup has not the files of one of a Management Node: {found}")]
    OtherFiles {
        /// The files that it has.
        found: String,
    },
    /// Its authority is not that of the platform that it names, or cannot be used.
    #[error("the authority in the backup is not that of its platform")]
    OtherAuthority,
    /// Its store cannot be used.
    #[error("the store in the backup cannot be used")]
    Store(#[source] StoreError),
    /// This platform's own authority cannot be read.
    #[error("the authority of this platform cannot be read")]
    Authority(#[from] AuthorityError),
    /// A restore was accepted, and the process ends for it.
    #[error("a backup was accepted already, and the Management Node is about to restart with it")]
    Accepted,
    /// There is no space for it, or the disk failed.
    #[error(transparent)]
    Disk(#[from] BackupError),
}

/// Wraps an error of the operating system.
pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_path_buf();
    move |source| BackupError::Disk { doing, path, source }
}
