//! Builds the releases that the demo and the tests upgrade between: the recorded ones, each from its own commit;
//! the present one; and the present programs as the next release. Only builds and copies programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::run::{Failed, cargo, run, workspace};
use crate::tools;

/// The programs that are upgraded.
const UPGRADED: [&str; 2] = ["pitlane-manager", "pitlane-node"];
/// The programs outside the slots.
const OUTSIDE: [&str; 4] = ["pitlane", "pitlane-boot", "pitlane-demo", "pitlane-faults"];
/// The packages of a release. Both releases are built with all of them: cargo unites the features of what it builds
/// at once, so another selection would compile the libraries once more.
const PACKAGES: [&str; 10] = ["-p", "manager", "-p", "node", "-p", "boot", "-p", "ctl", "-p", "demo"];
/// What is kept of a recorded release: boot stays what a machine was installed with.
const RECORDED: [&str; 3] = ["pitlane-manager", "pitlane-node", "pitlane-boot"];
/// The folders of the present release and of the next.
const PRESENT: &str = "34.1";
const NEXT: &str = "34.2";

/// The folder of the releases: one folder for each with the programs that are upgraded, and beside them the
/// programs that are not.
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

/// A release that was shipped.
#[derive(Debug, Deserialize)]
struct Recorded {
    version: String,
    commit: String,
}

#[derive(Debug, Deserialize)]
struct Register {
    release: Vec<Recorded>,
}

/// The folder in which the releases are built.
pub(crate) fn dir() -> PathBuf {
    workspace().join("target/releases")
}

/// Builds the present release and the next with the profile of daily work.
pub(crate) fn build() -> Result<Releases, Failed> {
    tools::install_for_builds()?;
    let built = workspace().join("target/debug");
    let dir = dir();
    eprintln!("xtask: building the release after this one ({NEXT})");
    run(cargo(&["build"]).args(PACKAGES).env("PITLANE_NEXT", "1"))?;
    keep(&built, &dir.join(NEXT), &UPGRADED)?;
    eprintln!("xtask: building this release ({PRESENT})");
    run(cargo(&["build"]).args(PACKAGES))?;
    keep(&built, &dir.join(PRESENT), &UPGRADED)?;
    keep(&built, &dir, &OUTSIDE)?;
    Ok(Releases { dir })
}

/// Builds every recorded release from its commit, and the present ones.
pub(crate) fn build_all() -> Result<Releases, Failed> {
    let file = workspace().join("releases.toml");
    let text = fs::read_to_string(&file).map_err(|error| Failed::File(file.clone(), error))?;
    let register: Register =
        toml::from_str(&text).map_err(|error| Failed::Tool(format!("{}: {error}", file.display())))?;
    let dir = dir();
    for release in &register.release {
        build_recorded(release, &dir.join(&release.version))?;
    }
    build()
}

/// Builds a release from its commit, unless that was done. Dependencies of the same version are shared with the
/// present release.
fn build_recorded(release: &Recorded, to: &Path) -> Result<(), Failed> {
    let stamp = to.join("commit");
    if fs::read_to_string(&stamp).is_ok_and(|built| built == release.commit) {
        return Ok(());
    }
    let Recorded { version, commit } = release;
    eprintln!("xtask: building release {version} from commit {commit}");
    let source = workspace().join("target/recorded").join(version);
    unpack(commit, &source)?;
    let target = workspace().join("target");
    let arguments = ["build", "-p", "manager", "-p", "node", "-p", "boot", "--target-dir"];
    run(cargo(&arguments).arg(&target).current_dir(&source))?;
    keep(&target.join("debug"), to, &RECORDED)?;
    fs::write(&stamp, commit).map_err(|error| Failed::File(stamp, error))
}

/// Writes the tree of a commit into a folder.
fn unpack(commit: &str, to: &Path) -> Result<(), Failed> {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).map_err(|error| Failed::File(to.to_owned(), error))?;
    let mut git = Command::new("git");
    git.args(["archive", "--format=tar", commit]).current_dir(workspace()).stdout(Stdio::piped());
    let mut archive = git.spawn().map_err(|error| Failed::NotStarted("git archive".into(), error))?;
    let tree = archive.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let unpacked = run(Command::new("tar").arg("-x").arg("-C").arg(to).stdin(tree));
    if archive.wait().is_ok_and(|status| status.success()) {
        return unpacked;
    }
    Err(Failed::Tool(format!(
        "the tests build earlier releases from their commits, and {commit} is not in this checkout; fetch the \
         whole history with `git fetch --unshallow`, then run this again"
    )))
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
        // A running program cannot be overwritten, but its name can refer to a new file.
        let _ = fs::remove_file(&to);
        fs::copy(&from, &to).map_err(|error| Failed::File(from, error))?;
    }
    Ok(())
}
