//! `pitlane-boot`: verifies and starts the release in the selected slot of a machine, and falls back to the
//! other slot when a new release does not confirm itself.
//!
//! It is installed with the machine and no upgrade changes it, so it does as little as possible. It must not
//! know what a release does, fetch or unpack one, start anything that was not verified, or use the network.

mod decision;
mod events;
mod failed_starts;
mod locks;
mod notify;
mod once;
mod program;
mod report;
mod settings;
mod supervisor;
mod timers;
mod verify;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use slots::{MACHINE_FILE, Machine};

use crate::events::Events;
use crate::locks::Locks;
use crate::report::{Failure, failed, log, refused};
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use crate::verify::Verifier;

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
    /// Runs the program of the confirmed release once with these arguments instead, and ends with it.
    #[arg(last = true, value_name = "ARGUMENTS")]
    once: Vec<OsString>,
}

fn main() -> ExitCode {
    let Arguments { root, once } = Arguments::parse();
    match run(&root, &once) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log(&format!("pitlane-boot ends: {}", report::chain(&failure)));
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, once: &[OsString]) -> Result<(), Failure> {
    let root = root.canonicalize().map_err(failed("open", root))?;
    close_own_memory()?;
    if !once.is_empty() {
        return once::run(&root, once);
    }
    let settings = Settings::read(&root.join(MACHINE_FILE))?;
    let machine = Machine::open(&root);
    let events = Events::listen(&machine)?;
    let locks = Locks::take(&root, settings.stop_grace)?;
    let verifier = Verifier::of(&root)?;
    Supervisor { machine, settings, events, locks, verifier }.run()
}

/// A release runs as the same user. Without this it could attach to `boot` as a debugger does, and change the
/// verified program or the trusted keys in its memory.
fn close_own_memory() -> Result<(), Failure> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("close its own memory to others"))
}
