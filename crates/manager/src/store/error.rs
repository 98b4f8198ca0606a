//! Errors of the store, in sentences for the operator.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The store could not be opened, read or written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file cannot be opened as a store.
    #[error("the store {} cannot be opened; check the disk and the owner of the file", path.display())]
    Open {
        /// The store.
        path: PathBuf,
        /// The error of the database.
        source: rusqlite::Error,
    },
    /// The file cannot be created.
    #[error("the store {} cannot be made; check the directory and the space on the disk", path.display())]
    Create {
        /// The store.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A later release has written it.
    #[error(
        "the store {} has version {found} and this release knows versions up to {known}; start the release \
         that wrote it, or restore the store from before its upgrade", path.display()
    )]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version of this release.
        known: u32,
    },
    /// A migration failed; the store is unchanged.
    #[error("the store {} could not be migrated to version {version} ({title})", path.display())]
    Migration {
        /// The store.
        path: PathBuf,
        /// The version after the migration.
        version: u32,
        /// What the migration adds.
        title: &'static str,
        /// The error of the database.
        source: rusqlite::Error,
    },
    /// The file of a store cannot be copied.
    #[error("the store {} could not be copied to {}; check the disk and its free space", from.display(), to.display())]
    Copy {
        /// The store of the confirmed release.
        from: PathBuf,
        /// The store of this release.
        to: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The store of a backup is damaged, has no platform, or is of another version.
    #[error("it {why}")]
    NotRestorable {
        /// What is wrong with it.
        why: String,
    },
    /// A statement failed.
    #[error("the store refused a statement")]
    Sql(#[source] rusqlite::Error),
    /// A read took too long and was ended.
    #[error("the read took too long and was ended")]
    TooLong,
    /// The contents of a row cannot be parsed.
    #[error("a row of the store cannot be read")]
    Body(#[from] serde_json::Error),
    /// The transaction was not committed. Nothing of it is valid, and the Management Node stops.
    #[error("the store could not commit; the Management Node stops and continues from what is stored")]
    NotCommitted,
    /// The store is closed: the Management Node is about to end.
    #[error("the Management Node is about to end; try again in a moment")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(cause: rusqlite::Error) -> Self {
        let interrupted = cause.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted);
        if interrupted { Self::TooLong } else { Self::Sql(cause) }
    }
}
