//! Builds the two releases that the demo and the tests upgrade between: the present one, and the one
//! after it with the changes that it brings to the store and to the messages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Failed, cargo, run, workspace};

/// The programs that are upgraded.
const UPGRADED: [&str; 2] = ["pitlane-manager", "pitlane-node"];
/// The programs that lie outside the slots.
const OUTSIDE: [&str; 3] = ["pitlane", "pitlane-boot", "pitlane-demo"];

/// Where the releases lie: `34/` and `34.1/` with the programs that are upgraded, and beside them
/// those that are not.
pub(crate) struct Releases {
    /// Their folder.
    pub(crate) dir: PathBuf,
}

impl Releases {
    /// The demo, ready to be run.
    pub(crate) fn demo(&self) -> Command {
        Command::new(self.dir.join("pitlane-demo"))
    }
}

/// Builds both releases with the profile of daily work.
pub(crate) fn build() -> Result<Releases, Failed> {
    let built = workspace().join("target/debug");
    let dir = workspace().join("target/releases");
    eprintln!("xtask: building the release after this one (34.1)");
    run(&mut cargo(&["build", "-p", "manager", "-p", "node", "--features", "manager/next,node/next"]))?;
    keep(&built, &dir.join("34.1"), &UPGRADED)?;
    eprintln!("xtask: building this release (34)");
    run(&mut cargo(&["build", "-p", "manager", "-p", "node", "-p", "boot", "-p", "ctl", "-p", "demo"]))?;
    keep(&built, &dir.join("34"), &UPGRADED)?;
    keep(&built, &dir, &OUTSIDE)?;
    Ok(Releases { dir })
}

/// Builds the programs as they are shipped.
pub(crate) fn dist() -> Result<PathBuf, Failed> {
    run(&mut cargo(&["build", "--release", "-p", "manager", "-p", "node", "-p", "boot", "-p", "ctl"]))?;
    Ok(workspace().join("target/release"))
}

/// Copies programs to where the next build does not replace them.
fn keep(from: &Path, to: &Path, programs: &[&str]) -> Result<(), Failed> {
    fs::create_dir_all(to).map_err(|error| Failed::File(to.to_owned(), error))?;
    for program in programs {
        let (from, to) = (from.join(program), to.join(program));
        // A program that runs cannot be written over; a new file in its place can.
        let _ = fs::remove_file(&to);
        fs::copy(&from, &to).map_err(|error| Failed::File(from, error))?;
    }
    Ok(())
}
