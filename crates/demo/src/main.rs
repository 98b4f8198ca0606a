//! The demo: upgrades a platform of one Management Node and its Conferencing Nodes on this machine while calls go
//! on. It fails if a call is lost, if a caller is not heard, or if a node does not run the new release.
//!
//! Relies on built releases (`cargo xtask releases`) and on loopback addresses. Needs no root privileges.

mod history;
mod scenario;
mod table;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use demo::{Error, Releases, Step};

/// Sets up a platform, places calls on it, and upgrades it while they go on.
#[derive(Debug, Parser)]
#[command(name = "pitlane-demo")]
pub(crate) struct Options {
    /// The folder with the releases: the folders 34.1 and 34.2, and beside them the other programs. Default: the
    /// folder of this program.
    #[arg(long, value_name = "FOLDER")]
    releases: Option<PathBuf>,
    /// The number of Conferencing Nodes.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u8).range(2..=60))]
    nodes: u8,
    /// The number of calls that are kept alive.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(4..=400))]
    calls: u16,
    /// How long a node waits for its calls to clear; an hour in the policy `standard`.
    #[arg(long, default_value = "2m")]
    drain_limit: String,
    /// How long the run may take; 24 hours in the policy `standard`.
    #[arg(long, default_value = "20m")]
    run_limit: String,
    /// How long a node rests after a drain that timed out; 10 minutes in the policy `standard`.
    #[arg(long, default_value = "20s")]
    rest: String,
    /// The seed of the callers' random choices: the same seed gives the same choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave the platform running afterwards, and print how to use it.
    #[arg(long)]
    keep: bool,
}

impl Options {
    fn releases_folder(&self) -> PathBuf {
        let own = || std::env::current_exe().ok()?.parent().map(Path::to_owned);
        self.releases.clone().or_else(own).unwrap_or_default()
    }
}

fn main() -> ExitCode {
    match demo(&Options::parse()) {
        Ok(verdict) => verdict.exit_code(),
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo(options: &Options) -> Result<verdict::Verdict, Error> {
    let releases = Releases::in_folder(&options.releases_folder(), Step::TO_NEXT)?;
    let folder = tempfile::Builder::new()
        .prefix("pitlane-demo-")
        .tempdir()
        .map_err(|source| Error::File { path: std::env::temp_dir(), source })?;
    let (mut platform, verdict) = scenario::run(options, releases, folder.path())?;
    println!("{}", verdict.text());
    if options.keep {
        scenario::keep(&mut platform, folder.keep());
    } else if verdict.is_good() {
        platform.stop();
    } else {
        println!("The logs are kept in {}.", folder.keep().join("logs").display());
    }
    Ok(verdict)
}
