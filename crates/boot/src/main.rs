//! `pitlane-boot`: starts the release in the selected slot of a machine, and goes back to the other slot
//! when a new release does not prove itself.
//!
//! It is installed with the machine and no upgrade changes it, so it does as little as possible: it must not
//! know what a release does, must not fetch or unpack one, and must not talk to any other machine.

mod events;
mod failed_starts;
mod locks;
mod notify;
mod program;
mod report;
mod settings;
mod supervisor;
mod verdict;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use slots::{MACHINE_FILE, Machine};

use crate::events::Events;
use crate::locks::Locks;
use crate::report::{Failure, failed, say};
use crate::settings::Settings;
use crate::supervisor::Supervisor;

/// What `--version` says. The version is that of this program, which upgrades do not change; which
/// release a machine runs is in its slots.
const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (of pitlane-boot itself, installed with the machine; it is not the version of the release in a slot)"
);

/// Starts the release in the selected slot of this machine and keeps it running.
#[derive(Parser)]
#[command(name = "pitlane-boot", version, long_version = LONG_VERSION)]
struct Arguments {
    /// The machine's root directory, such as /var/lib/pitlane.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse().root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("pitlane-boot ends: {}", report::chain(&failure)));
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path) -> Result<(), Failure> {
    let root = root.canonicalize().map_err(failed("open", root))?;
    let settings = Settings::read(&root.join(MACHINE_FILE))?;
    let events = Events::listen()?;
    let locks = Locks::take(&root, settings.stop_grace)?;
    Supervisor { machine: Machine::open(&root), settings, events, locks }.run()
}
