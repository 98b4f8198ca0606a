//! Upgrade packages for tests, laid out as a manager serves them.

use std::fs;
use std::path::{Path, PathBuf};

use fleet::desired::{Assignment, RunId};
use fleet::path::{Path as Steps, Step};
use fleet::version::{Build, Release, Version};
use package::{
    KeyPair, Level, Mode, PayloadSource, ProtocolRange, Protocols, Recipe, Role, SourceFile, Verified, build,
    extract_payload, generate_key,
};

/// A publisher, with a directory to build in.
pub struct Publisher {
    pair: KeyPair,
    dir: tempfile::TempDir,
    /// What the program of a node says to `check`.
    pub check: &'static str,
}

/// A package as a manager serves it.
pub struct Served {
    pub verified: Verified,
    pub dir: PathBuf,
    pub payload: Vec<u8>,
}

/// The release after the one under test.
pub fn next_release() -> Release {
    let Release { version, build } = Release::PRESENT;
    Release { version: Version::new(version.major, version.minor + 1), build: Build(build.0 + 100) }
}

impl Publisher {
    pub fn new() -> Self {
        Self { pair: generate_key("tests").unwrap(), dir: tempfile::tempdir().unwrap(), check: "exit 0" }
    }

    /// Makes a machine trust this publisher.
    pub fn install_key(&self, root: &Path) {
        self.install_key_as(root, "trust/publisher.pub");
    }

    /// The same, with the key in this file.
    pub fn install_key_as(&self, root: &Path, file: &str) {
        let (file, elsewhere) = (root.join(file), tempfile::tempdir().unwrap());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let (_, public) = self.pair.write(elsewhere.path(), "key").unwrap();
        fs::copy(public, file).unwrap();
    }

    /// Builds a package of a release whose node program has so many bytes that do not compress.
    pub fn publish(&self, release: Release, from: Version, bytes: usize) -> Served {
        let dir = self.dir.path().join(format!("{}-{bytes}", release.version));
        fs::create_dir(&dir).unwrap();
        let source = |name: &str, content: &[u8]| {
            fs::write(dir.join(name), content).unwrap();
            let path: package::SlotPath = format!("bin/{name}").parse().unwrap();
            let file = SourceFile { source: dir.join(name), path: path.clone(), mode: Mode::Executable };
            PayloadSource { files: vec![file], program: path }
        };
        let recipe = Recipe {
            version: release.version,
            build: release.build,
            released: jiff::civil::date(2026, 11, 23),
            valid_until: None,
            rules: None,
            path: Steps(vec![Step { to: release.version, from, reason: "tests".into() }]),
            protocols: Protocols { wire: ProtocolRange { min: 1, max: 1 }, media: 1 },
            notes: String::new(),
            manager: source("pitlane-manager", b"manager"),
            node: source("pitlane-node", &program(self.check, bytes)),
            level: Level::QUICK,
        };
        let out = dir.join("package");
        let verified = build(&recipe, &self.pair.signing, &out).unwrap();
        extract_payload(&out, &verified, Role::Node, &dir.join("payload")).unwrap();
        fs::write(dir.join("manifest.json"), verified.manifest_bytes()).unwrap();
        fs::write(dir.join("manifest.json.minisig"), verified.signature_text()).unwrap();
        let payload = fs::read(dir.join("payload")).unwrap();
        Served { verified, dir, payload }
    }
}

impl Served {
    pub fn assignment(&self) -> Assignment {
        let release = self.verified.manifest().release();
        Assignment { run: RunId(1), release, manifest: self.verified.hash() }
    }
}

/// A program that answers its check, crashes when it is started, and has so many bytes.
fn program(check: &str, length: usize) -> Vec<u8> {
    let mut bytes = format!("#!/bin/sh\n[ \"$1\" = check ] || exit 101\n{check}\nexit\n").into_bytes();
    bytes.extend(noise(length.saturating_sub(bytes.len())));
    bytes
}

/// Bytes that do not compress, the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}
