//! The machine of the Management Node: a root directory with this release in slot a, and the package of the next one. The
//! programs in them are scripts: the process that runs is this benchmark.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use fleet::path::{self, Step};
use fleet::version::{Build, Release, Version};
use manager::layout::Layout;
use package::{
    Level, Mode, PayloadSource, ProtocolRange, Protocols, Recipe, Role, SigningKey, SourceFile, Verified,
};
use slots::{Machine, SlotIdentity};
use tempfile::TempDir;

use crate::Failure;

/// A release that may be upgraded to this one.
const BEFORE: Version = Version::new(33, 0);

/// Where operators reach the Management Node.
pub(crate) const PEOPLE: u16 = 8443;

/// Where nodes reach it.
pub(crate) const NODES: u16 = 8444;

/// The machine in a temporary directory.
pub(crate) struct BenchMachine {
    dir: TempDir,
    /// Its address, which no other process has.
    pub(crate) address: IpAddr,
    /// The package of the next release, as it is uploaded.
    pub(crate) upload: PathBuf,
}

impl BenchMachine {
    /// Installs this release.
    pub(crate) fn install() -> Result<Self, Failure> {
        let dir = TempDir::new()?;
        let address = own_address();
        fs::create_dir(dir.path().join("trust"))?;
        let pair = package::generate_key("a key of the benchmark")?;
        pair.write(&dir.path().join("trust"), "bench")?;
        let settings = format!(
            "[manager]\npeople = \"{address}:{PEOPLE}\"\nnodes = \"{address}:{NODES}\"\nnames = [\"{address}\"]\n\
             [api]\nrequests_per_minute = 0\n"
        );
        fs::write(dir.path().join("machine.toml"), settings)?;
        let file = dir.path().join("present.pitlane");
        let verified = build(dir.path(), &pair.signing, (Release::PRESENT, BEFORE), &file)?;
        install(dir.path(), &file, &verified)?;
        let upload = dir.path().join("next.pitlane");
        build(dir.path(), &pair.signing, (next(), Release::PRESENT.version), &upload)?;
        Ok(Self { dir, address, upload })
    }

    /// Its root directory.
    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    /// The paths of its files.
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.root())
    }
}

/// The release after this one.
pub(crate) fn next() -> Release {
    let Release { version, build } = Release::PRESENT;
    Release { version: Version::new(version.major, version.minor + 1), build: Build(build.0 + 100) }
}

fn own_address() -> IpAddr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64, high, low.max(1)).into()
}

fn install(root: &Path, file: &Path, verified: &Verified) -> Result<(), Failure> {
    let (staging, payload) = (Machine::open(root).install_first()?, root.join("payload"));
    package::extract_payload(file, verified, Role::Manager, &payload)?;
    package::unpack_release(&payload, verified, Role::Manager, &staging.dir())?;
    let package::Installed { manifest, version, build, program } = verified.installed(Role::Manager);
    staging.finish(&SlotIdentity::new(manifest, version, build, program))?;
    Ok(())
}

fn build(
    root: &Path,
    key: &SigningKey,
    (release, from): (Release, Version),
    file: &Path,
) -> Result<Verified, Failure> {
    let recipe = Recipe {
        rules: None,
        version: release.version,
        build: release.build,
        released: jiff::civil::date(2026, 11, 23),
        valid_until: None,
        path: path::Path(vec![Step { to: release.version, from, reason: "the store changed".into() }]),
        protocols: Protocols { wire: ProtocolRange { min: 1, max: 2 }, media: 1 },
        notes: "For the benchmark.".into(),
        manager: payload(root, "pitlane-manager")?,
        node: payload(root, "pitlane-node")?,
        level: Level::QUICK,
    };
    Ok(package::build(&recipe, key, file)?)
}

fn payload(root: &Path, name: &str) -> Result<PayloadSource, Failure> {
    let source = root.join(name);
    fs::write(&source, format!("#!/bin/sh\n# {name}\nexit 0\n"))?;
    let program: package::SlotPath = format!("bin/{name}").parse()?;
    let file = SourceFile { source, path: program.clone(), mode: Mode::Executable };
    Ok(PayloadSource { files: vec![file], program })
}
