//! The exit codes of `pitlane`. Which failure has which code is decided where the failure is defined.

use std::process::ExitCode;

/// The exit code, as `--help` documents it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// It failed.
    Failure = 1,
    /// The command was not understood.
    Usage = 2,
    /// Refused or blocked; nothing was changed.
    Refused = 3,
    /// The run ended, but not with every node upgraded.
    RunIncomplete = 4,
    /// The Management Node cannot be reached, is not trusted, or does not accept the user.
    NoManager = 5,
    /// It was interrupted; as in a shell, 128 and the number of SIGINT.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
