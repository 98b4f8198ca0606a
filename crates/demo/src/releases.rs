//! Where the programs lie that are installed and upgraded.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// A release that a machine can be installed with or upgraded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Built {
    /// Its version, and the name of its folder.
    pub version: &'static str,
    /// Its build.
    pub build: u32,
    /// The newest messages between Management Node and Conferencing Nodes that it speaks.
    pub wire: u16,
}

impl Built {
    /// The first release, built from the commit that is recorded of it.
    pub const RECORDED: Self = Self { version: "34", build: 34_000, wire: 1 };
    /// The present release.
    pub const PRESENT: Self = Self { version: "34.1", build: 34_100, wire: 2 };
    /// The present programs under the next release's name.
    pub const NEXT: Self = Self { version: "34.2", build: 34_200, wire: 2 };
}

/// From which release to which a platform is upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is set up with.
    pub from: Built,
    /// What it is upgraded to.
    pub to: Built,
}

impl Step {
    /// From the present programs to the same under the next release's name.
    pub const TO_NEXT: Self = Self { from: Built::PRESENT, to: Built::NEXT };
    /// From the first release to the present one: programs that really differ.
    pub const FROM_RECORDED: Self = Self { from: Built::RECORDED, to: Built::PRESENT };
}

/// A folder with one folder for each release, and beside them the programs outside the slots.
#[derive(Clone, Debug)]
pub struct Releases {
    dir: PathBuf,
}

impl Releases {
    /// The releases in a folder, of which those of `step` are needed.
    ///
    /// # Errors
    /// [`Error::NotBuilt`] names the program that is missing.
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
    /// [`Error::NotBuilt`]; whoever runs a test by hand sets `PITLANE_RELEASES` to what
    /// `cargo xtask releases` prints.
    pub fn of_the_gate(step: Step) -> Result<Self, Error> {
        let dir = std::env::var_os("PITLANE_RELEASES").map(PathBuf::from);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned);
        let dir = dir.or_else(|| workspace.map(|workspace| workspace.join("target/releases")));
        Self::in_folder(&dir.unwrap_or_default(), step)
    }

    /// A program outside the slots.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A program of a release.
    pub fn program_of(&self, built: Built, name: &str) -> PathBuf {
        self.dir.join(built.version).join(name)
    }

    /// The boot program of a machine that is installed with a release: no upgrade replaces it.
    pub fn boot(&self, built: Built) -> PathBuf {
        let name = "pitlane-boot";
        if built == Built::RECORDED { self.program_of(built, name) } else { self.program(name) }
    }
}
