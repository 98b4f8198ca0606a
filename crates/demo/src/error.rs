//! The errors of setting up a platform and of waiting for what it does.
//!
//! Each names the program, file or condition, and where the logs are.

use std::path::PathBuf;

use thiserror::Error;

/// Why a platform could not be set up, or why a condition was not met.
#[derive(Debug, Error)]
pub enum Error {
    /// A program does not exist.
    #[error("{0} does not exist; `cargo xtask releases` builds it")]
    NotBuilt(PathBuf),
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("{program} could not be started")]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A command of the operating system failed.
    #[error("`{command}` failed: {output}")]
    System {
        /// The command.
        command: String,
        /// What it printed.
        output: String,
    },
    /// The command line failed.
    #[error("`pitlane {command}` ended with {code}: {output}")]
    Command {
        /// Its arguments.
        command: String,
        /// Its exit code; -1 when it was killed.
        code: i32,
        /// Its standard error.
        output: String,
    },
    /// The command line did not answer with JSON.
    #[error("`pitlane {command}` did not answer with JSON: {output}")]
    NotJson {
        /// Its arguments.
        command: String,
        /// What it printed.
        output: String,
    },
    /// A condition was not met in time.
    #[error("timed out after {seconds} s waiting for: {what}; the logs are in {logs}; last seen: {last}")]
    Timeout {
        /// The condition.
        what: String,
        /// The time limit.
        seconds: u64,
        /// The logs of the machines.
        logs: PathBuf,
        /// The last state seen.
        last: String,
    },
    /// Links can be cut and disks filled by root only.
    #[error(
        "this cuts network links and fills disks in namespaces of its own, which needs root privileges; run it as root"
    )]
    NotRoot,
    /// The file system for fault injection could not be mounted.
    #[error(transparent)]
    NotMounted(#[from] faultfs::NotMounted),
    /// Writes cannot be made to fail on this disk.
    #[error("the disk at {0} cannot fail writes; create it as a faultfs")]
    NotFaultFs(PathBuf),
    /// The phase had ended before the fault was injected.
    #[error("the phase was missed: {0}")]
    Missed(&'static str),
    /// An invariant was violated.
    #[error("{0}")]
    Broken(String),
    /// The callers could not start, or were refused.
    #[error(transparent)]
    Crowd(#[from] callers::CrowdError),
}

impl Error {
    /// An error of a file operation.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
