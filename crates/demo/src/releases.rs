//! Where the programs lie that are installed and upgraded.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// A folder with two releases, `34/` and `34.1/`, and beside them the programs outside the slots.
#[derive(Clone, Debug)]
pub struct Releases {
    dir: PathBuf,
}

impl Releases {
    /// The version that a platform is set up with.
    pub const FIRST: &str = "34";
    /// The version that it is upgraded to.
    pub const NEXT: &str = "34.1";

    /// The releases in a folder.
    ///
    /// # Errors
    /// [`Error::NotBuilt`] names the program that is missing.
    pub fn in_folder(dir: &Path) -> Result<Self, Error> {
        let dir = std::path::absolute(dir).map_err(Error::file(dir))?;
        let releases = Self { dir };
        let upgraded = [Self::FIRST, Self::NEXT].map(|version| {
            ["pitlane-manager", "pitlane-node"].map(|program| releases.program_of(version, program))
        });
        let outside = ["pitlane", "pitlane-boot"].map(|program| releases.program(program));
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
    pub fn of_the_gate() -> Result<Self, Error> {
        let dir = std::env::var_os("PITLANE_RELEASES").map(PathBuf::from);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned);
        let dir = dir.or_else(|| workspace.map(|workspace| workspace.join("target/releases")));
        Self::in_folder(&dir.unwrap_or_default())
    }

    /// A program outside the slots.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A program of a release.
    pub fn program_of(&self, version: &str, name: &str) -> PathBuf {
        self.dir.join(version).join(name)
    }
}
