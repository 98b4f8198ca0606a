//! The failures of a command, how they are printed, and their exit codes. Errors of requests to the Management Node
//! are in `client_error`.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use crate::client_error::ClientError;
use crate::exit::Exit;
use crate::profile::ProfileError;
use crate::terminal;
use crate::trust::TrustError;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A request to the Management Node.
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
    /// A licence is refused or cannot be signed.
    #[error("{what} is refused")]
    Licence {
        /// The file.
        what: String,
        /// Why.
        source: licence::Refusal,
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
    /// The command is not carried out, for a reason found here.
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
        /// What remains, and in which state.
        what: String,
        /// How to go on.
        hint: String,
    },
    /// A file or the terminal.
    #[error("cannot {doing}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file is not valid TOML, or not of the expected form.
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
            Self::Licence { source: licence::Refusal::Key(_), .. } => Exit::Failure,
            Self::Package { .. } | Self::Licence { .. } | Self::Declined { .. } => Exit::Refused,
            Self::Interrupted { .. } => Exit::Interrupted,
            Self::Keys(package::KeyError::Exists { .. }) => Exit::Refused,
            Self::Keys(_) => Exit::Failure,
            Self::Slots(slots::Error::AlreadyInstalled { .. }) => Exit::Refused,
            Self::Slots(_) => Exit::Failure,
        }
    }

    /// What to do next, if the message itself does not contain it.
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
            | Self::Licence { .. }
            | Self::Keys(_)
            | Self::Slots(_) => None,
        }
    }
}

/// Prints a failure on standard error: what happened, the causes, and what to do next. With `--json`, a refusal that
/// the Management Node sent as an object is printed on standard output, too.
pub(crate) fn report(failure: &Failure, json: bool) {
    eprint!("{}", message(failure));
    if let (true, Failure::Client(ClientError::Refused { body: Some(body), .. })) = (json, failure) {
        terminal::print_json(body);
    }
}

fn message(failure: &Failure) -> String {
    let mut text = format!("pitlane: {failure}\n");
    let mut cause = failure.source();
    while let Some(error) = cause {
        text.push_str(&format!("  because: {error}\n"));
        cause = error.source();
    }
    if let Some(hint) = failure.hint() {
        text.push_str(&format!("  next: {hint}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_names_what_happened_why_and_what_to_do_next() {
        let failure = Failure::io("read release.toml")(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(
            message(&failure),
            "pitlane: cannot read release.toml\n  because: entity not found\n  \
             next: check the path, the permissions and the space on the disk\n"
        );
        assert_eq!(failure.exit(), Exit::Failure);
    }
}
