//! Arguments of `pitlane backup`.

use std::path::PathBuf;

use clap::{Subcommand, ValueHint};

/// Commands about backups of the Management Node.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Makes a backup on the Management Node: configuration, history, and what its nodes know it by.
    Create {
        /// A file whose first line is the passphrase, or - for standard input. Nobody can restore the backup without.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        passphrase_file: Option<PathBuf>,
    },
    /// Lists the backups that the Management Node keeps.
    List,
    /// Downloads a backup and compares its hash.
    Download {
        /// The name of the backup; the newest one if not given.
        name: Option<String>,
        /// Where to write it; its name in this directory if not given. A file that is there is not replaced.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        out: Option<PathBuf>,
    },
    /// Deletes a backup from the Management Node, after asking.
    Delete {
        /// The name of the backup.
        name: String,
        /// Does not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Restarts the Management Node with what is in a backup, after asking.
    ///
    /// It must run the release that made the backup. Its accounts, configuration and history are then those of the
    /// backup, and Conferencing Nodes of the backup go on with it without being enrolled again.
    Restore {
        /// The file of the backup.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// A file whose first line is the passphrase, or - for standard input.
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        passphrase_file: Option<PathBuf>,
        /// Does not ask.
        #[arg(long, short)]
        yes: bool,
    },
}
