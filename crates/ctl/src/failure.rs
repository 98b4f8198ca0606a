//! What can go wrong with a command, how it is told, and the exit code that it gives.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use crate::no_answer::ClientError;
use crate::profile::ProfileError;
use crate::terminal;
use crate::trust::TrustError;

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
    /// The Management Node cannot be reached, is not trusted, or does not let this user in.
    NoManager = 5,
    /// It was interrupted, as a shell says it: 128 and the number of SIGINT.
    Interrupted = 130,
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The Management Node, or the way to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The authority or the fingerprint.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The saved profile.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A package is refused.
    #[error("{what} is refused")]
    Package {
        /// The package.
        what: String,
        /// Why.
        source: package::Refusal,
    },
    /// A package cannot be built.
    #[error("{what} was not built")]
    Build {
        /// The package.
        what: String,
        /// Why.
        source: package::BuildError,
    },
    /// Keys cannot be made, read or written.
    #[error(transparent)]
    Keys(#[from] package::KeyError),
    /// The machine's slots.
    #[error(transparent)]
    Slots(#[from] slots::Error),
    /// Arguments that contradict each other or lack something.
    #[error("{0}")]
    Usage(String),
    /// Something that was asked for by name is not there.
    #[error("{what}")]
    NotFound {
        /// What is missing.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// What was asked for is not done, for a reason of our own.
    #[error("{what}")]
    Declined {
        /// What is not done, and why.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// Somebody pressed Ctrl-C, or ended the program.
    #[error("interrupted: {what}")]
    Interrupted {
        /// What is left, and how it is.
        what: String,
        /// How to go on.
        hint: String,
    },
    /// A file or the terminal.
    #[error("cannot {doing}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file in TOML says something wrong.
    #[error("{} cannot be understood", file.display())]
    Toml {
        /// The file.
        file: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
}

impl Failure {
    /// Wraps an error of the operating system.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => error.exit(),
            Self::Trust(_) | Self::Usage(_) => Exit::Usage,
            Self::Profile(_) | Self::Io { .. } | Self::NotFound { .. } => Exit::Failure,
            Self::Toml { .. } | Self::Build { .. } => Exit::Failure,
            Self::Package { source: package::Refusal::Io { .. }, .. } => Exit::Failure,
            Self::Package { .. } | Self::Declined { .. } => Exit::Refused,
            Self::Interrupted { .. } => Exit::Interrupted,
            Self::Keys(package::KeyError::Exists { .. }) => Exit::Refused,
            Self::Keys(_) => Exit::Failure,
            Self::Slots(slots::Error::AlreadyInstalled { .. }) => Exit::Refused,
            Self::Slots(_) => Exit::Failure,
        }
    }

    /// What to do next, where the sentence itself does not say it.
    fn hint(&self) -> Option<String> {
        match self {
            Self::Client(error) => error.hint(),
            Self::NotFound { hint, .. } | Self::Declined { hint, .. } | Self::Interrupted { hint, .. } => {
                Some(hint.clone())
            }
            Self::Usage(_) => Some("see pitlane --help".into()),
            Self::Toml { .. } => Some("correct the file and try again".into()),
            Self::Io { .. } => Some("check the path, the permissions and the space on the disk".into()),
            Self::Trust(_)
            | Self::Profile(_)
            | Self::Package { .. }
            | Self::Build { .. }
            | Self::Keys(_)
            | Self::Slots(_) => None,
        }
    }
}

/// Tells a failure on standard error: what happened, because of what, and what to do next. With
/// `--json`, a refusal that the Management Node gave as an object is printed on standard output too.
pub(crate) fn report(failure: &Failure, json: bool) {
    eprint!("{}", story(failure));
    if let (true, Failure::Client(ClientError::Refused { body: Some(body), .. })) = (json, failure) {
        terminal::print_json(body);
    }
}

fn story(failure: &Failure) -> String {
    let mut story = format!("pitlane: {failure}\n");
    let mut cause = failure.source();
    while let Some(error) = cause {
        story.push_str(&format!("  because: {error}\n"));
        cause = error.source();
    }
    if let Some(hint) = failure.hint() {
        story.push_str(&format!("  next: {hint}\n"));
    }
    story
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_happened_why_and_what_to_do_next() {
        let failure = Failure::io("read release.toml")(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(
            story(&failure),
            "pitlane: cannot read release.toml\n  because: entity not found\n  \
             next: check the path, the permissions and the space on the disk\n"
        );
        assert_eq!(failure.exit(), Exit::Failure);
    }
}
