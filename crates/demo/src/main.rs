//! The demo: a platform of one Management Node and its Conferencing Nodes on this machine, people
//! talking on it, and an upgrade under their calls. It fails when a call was lost, when somebody was
//! not heard, or when a node is not on the new release.

mod history;
mod story;
mod table;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use demo::{Error, Releases, Step};

/// Brings up a platform with people talking on it and upgrades it under their calls.
#[derive(Debug, Parser)]
#[command(name = "pitlane-demo")]
pub(crate) struct Options {
    /// Where the releases are: the folders 34.1 and 34.2, and beside them the other programs. The folder of
    /// this program when not given.
    #[arg(long, value_name = "FOLDER")]
    releases: Option<PathBuf>,
    /// How many Conferencing Nodes.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u8).range(2..=60))]
    nodes: u8,
    /// How many calls are alive at any time.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(4..=400))]
    calls: u16,
    /// How long a node waits for its calls to clear; the policy `standard` says an hour.
    #[arg(long, default_value = "2m")]
    drain_limit: String,
    /// How long the run may take; the policy `standard` says 24 hours.
    #[arg(long, default_value = "20m")]
    run_limit: String,
    /// How long a node rests after a drain that timed out; the policy `standard` says 10 minutes.
    #[arg(long, default_value = "20s")]
    rest: String,
    /// Makes all choices of the callers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave the platform up afterwards and say how to look at it.
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
    let (mut platform, verdict) = story::tell(options, releases, folder.path())?;
    println!("{}", verdict.text());
    if options.keep {
        story::keep(&mut platform, folder.keep());
    } else if verdict.is_good() {
        platform.stop();
    } else {
        println!("The logs are kept in {}.", folder.keep().join("logs").display());
    }
    Ok(verdict)
}
