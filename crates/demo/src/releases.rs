//! Finds the built programs of the releases that a platform is installed with and upgraded to.
//!
//! Relies on the folder layout of `cargo xtask releases`. Builds nothing.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// A built release that a machine can be installed with or upgraded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its version, and the name of its folder.
    pub version: &'static str,
    /// Its build.
    pub build: u32,
    /// The newest version of the messages between Management Node and Conferencing Nodes that it supports.
    pub wire: u16,
}

impl Built {
    /// The first release, built from its recorded commit.
    pub const RECORDED: Self = Self { version: "34", build: 34_000, wire: 1 };
    /// The present release.
    pub const PRESENT: Self = Self { version: "34.1", build: 34_100, wire: 2 };
    /// The present programs under the next release's version.
    pub const NEXT: Self = Self { version: "34.2", build: 34_200, wire: 2 };
}

/// The releases before and after an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The release that a platform is installed with.
    pub from: Built,
    /// The release that it is upgraded to.
    pub to: Built,
}

impl Step {
    /// From the present programs to the same programs under the next release's version.
    pub const TO_NEXT: Self = Self { from: Built::PRESENT, to: Built::NEXT };
    /// From the first release to the present one: the programs differ.
    pub const FROM_RECORDED: Self = Self { from: Built::RECORDED, to: Built::PRESENT };
}

/// A folder with one folder for each release, and the programs that no upgrade replaces beside them.
#[derive(Clone, Debug)]
pub struct Releases {
    dir: PathBuf,
}

impl Releases {
    /// The releases in a folder, which must contain those of `step`.
    ///
    /// # Errors
    /// [`Error::NotBuilt`] with the program that is missing.
    pub fn in_folder(dir: &Path, step: Step) -> Result<Self, Error> {
        let dir = std::path::absolute(dir).map_err(Error::file(dir))?;
        let releases = Self { dir };
        let upgraded = [step.from, step.to].map(|built| {
            ["pitlane-manager", "pitlane-node"].map(|program| releases.program_of(built, program))
        });
        let outside = [releases.program("pitlane"), releases.boot(step.from)];
        for program in upgraded.into_iter().flatten().chain(outside) {
            if !program.is_file() {
                return Err(Error::NotBuilt(program));
            }
        }
        Ok(releases)
    }

    /// The releases that the gate has built.
    ///
    /// # Errors
    /// [`Error::NotBuilt`]. To run a test without the gate, set `PITLANE_RELEASES` to the folder that
    /// `cargo xtask releases` prints.
    pub fn of_the_gate(step: Step) -> Result<Self, Error> {
        let dir = std::env::var_os("PITLANE_RELEASES").map(PathBuf::from);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned);
        let dir = dir.or_else(|| workspace.map(|workspace| workspace.join("target/releases")));
        Self::in_folder(&dir.unwrap_or_default(), step)
    }

    /// A program that no upgrade replaces.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A program of a release.
    pub fn program_of(&self, built: Built, name: &str) -> PathBuf {
        self.dir.join(built.version).join(name)
    }

    /// The boot program of a machine that is installed with a release.
    pub fn boot(&self, built: Built) -> PathBuf {
        let name = "pitlane-boot";
        if built == Built::RECORDED { self.program_of(built, name) } else { self.program(name) }
    }
}
