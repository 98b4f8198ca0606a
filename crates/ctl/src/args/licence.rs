//! Arguments of `pitlane licence`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::local::SignerArgs;

/// Commands about licences.
#[derive(Debug, Subcommand)]
pub(crate) enum LicenceCommand {
    /// Signs a licence and verifies it. Its key is made by `pitlane package keygen`, and is not that of the packages.
    Sign(SignArgs),
    /// Verifies a licence and shows what it says.
    Verify {
        /// The licence.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The directory of the public keys whose licences are accepted.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        trust: PathBuf,
    },
    /// Lists the licences that are installed on the Management Node, and whether each is valid now.
    List,
    /// Installs a licence on the Management Node, which verifies it.
    Add {
        /// The licence, as it was sent.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Deletes a licence from the Management Node. Calls that there are go on.
    Delete {
        /// The id of the licence.
        id: String,
    },
    /// Shows how many calls and rooms there are, and how many the licences allow.
    Usage,
}

/// A licence to sign.
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// What it says, in TOML.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) spec: PathBuf,
    #[command(flatten)]
    pub(crate) signer: SignerArgs,
    /// The licence file to write. One that is there is not replaced.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
}
