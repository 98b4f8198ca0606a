//! Builds and signs upgrade packages with the command line.
//!
//! Relies on built releases. A program of a package can be a shell script, for releases that fail.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::cli::Pitlane;
use crate::error::Error;
use crate::releases::{Built, Releases};

/// The release notes of every package that is built here.
const NOTES: &str = "Conferencing Nodes report when they started, and the management API shows it.\n";

/// The program of a package for one role.
#[derive(Clone, Debug)]
pub enum Program {
    /// The program of a release.
    Of(Built),
    /// A shell script in its place: a release that fails at its start although its `check` succeeds.
    Script(&'static str),
}

/// The contents of a package.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The release in the manifest.
    pub release: Built,
    /// The Management Node's program.
    pub manager: Program,
    /// The Conferencing Node's program.
    pub node: Program,
}

impl Contents {
    /// Both programs of a release.
    pub fn of(release: Built) -> Self {
        Self { release, manager: Program::Of(release), node: Program::Of(release) }
    }

    /// The release after the present one.
    pub fn next() -> Self {
        Self::of(Built::NEXT)
    }
}

/// Builds packages into one folder, signed with one key.
#[derive(Debug)]
pub struct PackageBuilder<'a> {
    /// The built releases.
    pub releases: &'a Releases,
    /// The command line.
    pub pitlane: &'a Pitlane,
    /// The folder for keys, specifications and packages.
    pub folder: &'a Path,
}

impl PackageBuilder<'_> {
    /// Creates the signing key, and copies the public key into `trust/`.
    ///
    /// # Errors
    /// A file or the command line fails.
    pub fn make_key(&self) -> Result<(), Error> {
        let trust = self.folder.join("trust");
        fs::create_dir_all(&trust).map_err(Error::file(&trust))?;
        let name = self.folder.join("release");
        self.pitlane.run(&["package", "keygen", "--no-passphrase", "--out", &text(&name)])?;
        let public = self.folder.join("release.pub");
        fs::copy(&public, trust.join("release.pub")).map_err(Error::file(public))?;
        Ok(())
    }

    /// Builds and signs a package.
    ///
    /// # Errors
    /// A file or the command line fails.
    pub fn build(&self, name: &str, contents: &Contents) -> Result<PathBuf, Error> {
        let spec = self.folder.join(format!("{name}.toml"));
        fs::write(&spec, self.spec(name, contents)?).map_err(Error::file(&spec))?;
        let package = self.folder.join(format!("{name}.pitlane"));
        let key = self.folder.join("release.key");
        let arguments =
            ["package", "build", "--spec", &text(&spec), "--key", &text(&key), "--out", &text(&package)];
        self.pitlane.run(&arguments)?;
        Ok(package)
    }

    fn spec(&self, name: &str, contents: &Contents) -> Result<String, Error> {
        let manager = self.source(name, "pitlane-manager", &contents.manager)?;
        let node = self.source(name, "pitlane-node", &contents.node)?;
        let notes = self.folder.join(format!("{name}.md"));
        fs::write(&notes, NOTES).map_err(Error::file(&notes))?;
        let Built { version, build, wire } = contents.release;
        Ok(format!(
            r#"version = "{version}"
build = {build}
notes = "{name}.md"
protocols = {{ wire = {{ min = 1, max = {wire} }}, media = 1 }}

[[path]]
to = "{version}"
from = "34"
reason = "34 is the first release"

[manager]
program = "bin/pitlane-manager"
files = {{ "bin/pitlane-manager" = "{}" }}

[node]
program = "bin/pitlane-node"
files = {{ "bin/pitlane-node" = "{}" }}
"#,
            manager.display(),
            node.display()
        ))
    }

    fn source(&self, name: &str, program: &str, what: &Program) -> Result<PathBuf, Error> {
        match what {
            Program::Of(release) => Ok(self.releases.program_of(*release, program)),
            Program::Script(script) => {
                let file = self.folder.join(format!("{name}-{program}.sh"));
                let script = format!("#!/bin/sh\n[ \"$1\" = check ] && exit 0\n{script}");
                fs::write(&file, script).map_err(Error::file(&file))?;
                let executable = fs::Permissions::from_mode(0o755);
                fs::set_permissions(&file, executable).map_err(Error::file(&file))?;
                Ok(file)
            }
        }
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
