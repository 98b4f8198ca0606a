//! The log of `boot`, one line for each event on stderr, and the errors with which it ends.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why `boot` cannot go on. It ends then, and whatever started it starts it again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The slots do not determine what to start.
    #[error(transparent)]
    Slots(#[from] slots::Error),
    /// The settings of the machine cannot be used.
    #[error(
        "the settings in {} cannot be used: {reason}; correct the file, and this machine starts again with the new \
         settings", path.display()
    )]
    Settings { path: PathBuf, reason: String },
    /// The trusted keys cannot be used, so no release can be verified.
    #[error(transparent)]
    Trust(#[from] package::NoTrust),
    /// A program in memory can be started only by its path in `/proc`.
    #[error("no release is started: /proc is not there, and releases are started from it; mount it")]
    NoProc { source: io::Error },
    /// The kernel is set to execute no memory.
    #[error(
        "no release is started: this machine refuses to execute memory, in which releases are verified and started; \
         allow it with `sysctl vm.memfd_noexec=0`, and in /etc/sysctl.d for the next start of the machine"
    )]
    NoMemory { source: io::Error },
    /// Another `boot` runs on this machine.
    #[error("another pitlane-boot runs this machine: it holds {}; stop that one first", path.display())]
    Occupied { path: PathBuf },
    /// A program that an earlier `boot` started does not end.
    #[error(
        "a program that an earlier pitlane-boot started holds {} and does not end even when killed; find out which \
         process has that file open, for example with `fuser -v {}`, and restart the machine if it cannot be ended",
        path.display(), path.display()
    )]
    LeftBehind { path: PathBuf },
    /// A file could not be used.
    #[error("could not {doing} {}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    /// The kernel refused an operation that `boot` needs.
    #[error("could not {doing}")]
    Kernel { doing: &'static str, source: io::Error },
}

/// Names the file and the operation in an error of the file system.
pub(crate) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure + use<> {
    let path = path.to_path_buf();
    move |source| Failure::File { doing, path, source }
}

/// Names the operation in an error of the kernel.
pub(crate) fn refused<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> Failure {
    move |source| Failure::Kernel { doing, source: source.into() }
}

/// Writes one line to stderr. A closed stderr does not end the machine.
pub(crate) fn log(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line = format!("{line}: {error}");
        cause = error.source();
    }
    line
}
