//! Arguments of `pitlane account`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// Commands about the user's own account.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Changes your password on the Management Node.
    ///
    /// The old password is taken as for every command: from --password-file, PITLANE_PASSWORD or the saved
    /// profile, and is asked for otherwise. The new one is asked for twice and not shown. A saved profile of
    /// the same user is changed, too.
    Password(PasswordArgs),
}

/// The source of the new password.
#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// A file whose first line is the new password, - for standard input. It is asked for when this is not
    /// given.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) new_password_file: Option<PathBuf>,
}
