//! What `boot` tells the operator: one line an event, on stderr; and why it ends.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why `boot` cannot go on. It ends then, and whatever started it starts it again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The slots cannot say what to start.
    #[error(transparent)]
    Slots(#[from] slots::Error),
    /// The settings of the machine cannot be used.
    #[error(
        "the settings in {} cannot be used: {reason}; correct the file, and this machine is started again with \
         what it says then", path.display()
    )]
    Settings { path: PathBuf, reason: String },
    /// Nobody can say which releases may run here.
    #[error(transparent)]
    Trust(#[from] package::NoTrust),
    /// A program in memory has no other name than one in `/proc`.
    #[error("no release is started: /proc is not there, and releases are started from it; mount it")]
    NoProc { source: io::Error },
    /// The kernel is set to execute no memory.
    #[error(
        "no release is started: this machine does not execute memory, which releases are verified and started \
         in; allow it with `sysctl vm.memfd_noexec=0`, and where the machine keeps its settings of that kind"
    )]
    NoMemory { source: io::Error },
    /// Another `boot` has this machine.
    #[error("another pitlane-boot runs this machine: it holds {}; stop that one first", path.display())]
    Occupied { path: PathBuf },
    /// What an earlier `boot` left behind does not end.
    #[error(
        "a program that an earlier pitlane-boot started holds {} and does not end, even killed; see who has that \
         file open, as with `fuser -v {}`, and restart the machine when it cannot be ended",
        path.display(), path.display()
    )]
    LeftBehind { path: PathBuf },
    /// A file could not be used.
    #[error("could not {doing} {}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    /// The kernel refused something that `boot` cannot do without.
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
pub(crate) fn say(line: &str) {
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
