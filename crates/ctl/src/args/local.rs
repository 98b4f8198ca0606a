//! Arguments of `pitlane package` and `pitlane machine`, which work on files of this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

/// Commands about packages.
#[derive(Debug, Subcommand)]
pub(crate) enum PackageCommand {
    /// Generates a publisher's key pair: NAME.key signs and stays secret, NAME.pub is installed on the machines.
    Keygen {
        /// Where to write them, without an ending: keys/release writes keys/release.key and keys/release.pub.
        #[arg(long, value_name = "NAME", value_hint = ValueHint::FilePath)]
        out: PathBuf,
        /// A comment in both files.
        #[arg(long, default_value = "pitlane release key", value_name = "TEXT")]
        comment: String,
        #[command(flatten)]
        protection: ProtectionArgs,
    },
    /// Builds a package, signs it and verifies it.
    Build(BuildArgs),
    /// Shows the manifest of a package.
    Inspect {
        /// The package file.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The directory of the trusted public keys. Without it, the manifest is shown without verification.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        trust: Option<PathBuf>,
    },
    /// Verifies a whole package, every byte of it.
    Verify {
        /// The package file.
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// The directory of the trusted public keys.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        trust: PathBuf,
    },
}

/// How the file of a new secret key is kept. Without either it is asked for on the terminal.
#[derive(Debug, Args)]
pub(crate) struct ProtectionArgs {
    /// A file whose first line is the passphrase of the key, for scripts.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Stores the key unencrypted: whoever copies the file can sign packages that every machine installs.
    #[arg(long, conflicts_with = "passphrase_file")]
    pub(crate) no_passphrase: bool,
}

/// The key that signs a package or a licence.
#[derive(Debug, Args)]
pub(crate) struct SignerArgs {
    /// The publisher's secret key.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key: PathBuf,
    /// A file whose first line is the passphrase of the key. Without it, it is asked for on the terminal.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// A package to build.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// What goes into it, in TOML. The paths in it are relative to its directory.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) spec: PathBuf,
    #[command(flatten)]
    pub(crate) signer: SignerArgs,
    /// The package file to write. One that is there is replaced.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Compresses less, for tests and demonstrations.
    #[arg(long)]
    pub(crate) quick: bool,
}

/// Commands about a machine.
#[derive(Debug, Subcommand)]
pub(crate) enum MachineCommand {
    /// Installs a machine for the first time. Later releases come as upgrades.
    Install(InstallArgs),
    /// Gives the trusted keys and the settings of a machine to root, and the rest to the user that its release runs
    /// as.
    ///
    /// For machines that were installed without --run-as. Stop the unit of the machine before.
    Protect {
        /// The machine's root directory, like /var/lib/pitlane.
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        root: PathBuf,
        /// The user that the release runs as.
        #[arg(long, value_name = "NAME")]
        run_as: String,
    },
}

/// A machine to install.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// The machine's root directory, like /var/lib/pitlane. It is created if it does not exist.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) root: PathBuf,
    /// The role of the machine.
    #[arg(long)]
    pub(crate) role: RoleArg,
    /// The package to install.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) package: PathBuf,
    /// The directory of the public keys that this machine will trust, now and for upgrades.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) trust: PathBuf,
    /// The machine's settings, which become its machine.toml.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) settings: Option<PathBuf>,
    /// The user that the release runs as, like pitlane. It owns what the release writes; the trusted keys and the
    /// settings are owned by root. Without it, everything is owned by the user who runs this command.
    #[arg(long, value_name = "NAME")]
    pub(crate) run_as: Option<String>,
}

/// What a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// A Management Node.
    Manager,
    /// A Conferencing Node.
    Node,
}

impl From<RoleArg> for package::Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Manager => Self::Manager,
            RoleArg::Node => Self::Node,
        }
    }
}
