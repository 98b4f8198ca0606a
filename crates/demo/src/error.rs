//! What can go wrong while a platform is set up or watched.

use std::path::PathBuf;

use thiserror::Error;

/// Why a platform could not be set up, or did not do what was waited for.
#[derive(Debug, Error)]
pub enum Error {
    /// A program is not where it should be.
    #[error("{0} is not there; `cargo xtask releases` builds it")]
    NotBuilt(PathBuf),
    /// A file or folder could not be read or made.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("{program} could not be started")]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A command of the operating system failed.
    #[error("`{command}` failed: {said}")]
    System {
        /// The command.
        command: String,
        /// What it said.
        said: String,
    },
    /// The command line answered with a failure.
    #[error("`pitlane {command}` ended with {code}: {said}")]
    Command {
        /// What was asked.
        command: String,
        /// Its exit code; -1 when it was killed.
        code: i32,
        /// What it said on standard error.
        said: String,
    },
    /// The command line did not answer with JSON.
    #[error("`pitlane {command}` did not answer with JSON: {said}")]
    NotJson {
        /// What was asked.
        command: String,
        /// What it said.
        said: String,
    },
    /// What was waited for did not come.
    #[error(
        "{what} did not happen within {seconds} s; the logs are in {logs}; the last that was seen: {last}"
    )]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// Where to look.
        logs: PathBuf,
        /// What was seen instead.
        last: String,
    },
    /// Cables are pulled and disks filled with the rights of root only.
    #[error(
        "this pulls cables and fills disks in namespaces of its own, which needs the rights of root; run it as root"
    )]
    NotRoot,
    /// A disk cannot be made that fails.
    #[error(transparent)]
    NotMounted(#[from] faultfs::NotMounted),
    /// A disk was to fail that cannot.
    #[error("the disk at {0} cannot refuse a change; make it a frail one")]
    Sturdy(PathBuf),
    /// The moment for a fault was missed.
    #[error("the moment was missed: {0}")]
    Missed(&'static str),
    /// A promise was broken.
    #[error("{0}")]
    Broken(String),
    /// The people on the phone could not begin, or were refused.
    #[error(transparent)]
    Crowd(#[from] callers::CrowdError),
}

impl Error {
    /// A failure with a file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
