//! Tests of the whole library: small packages that are built, damaged, forged and unpacked.

mod admission;
mod damage;
mod forged_archives;
mod forged_manifests;
mod keys;
mod resume;
mod round_trip;
mod rules;
mod stock_tool;

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use fleet::path::{Path, Step};
use fleet::version::{Build, Sha256, Version};
use tempfile::TempDir;

use crate::build::PieceWriter;
use crate::*;

/// A directory with a key, the files of a release, and what is built of them.
struct Kit {
    dir: TempDir,
    key: SigningKey,
    trusted: TrustedKeys,
    recipe: Recipe,
}

impl Kit {
    /// A release whose files are a few hundred bytes.
    fn small() -> Self {
        Self::with_node_program(b"#!/bin/sh\nexec true\n")
    }

    /// A release whose node program is of that content.
    fn with_node_program(node: &[u8]) -> Self {
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("trust")).unwrap();
        let pair = generate_key("a key for tests").unwrap();
        pair.write(&dir.path().join("trust"), "test").unwrap();
        let file = |name: &str, content: &[u8], path: &str, mode| {
            let source = dir.path().join(name);
            fs::write(&source, content).unwrap();
            SourceFile { source, path: path.parse().unwrap(), mode }
        };
        let manager = PayloadSource {
            files: vec![
                file("manager", b"the manager", "bin/pitlane-manager", Mode::Executable),
                file("empty", b"", "web/empty.css", Mode::Plain),
            ],
            program: "bin/pitlane-manager".parse().unwrap(),
        };
        let node = PayloadSource {
            files: vec![
                file("readme", b"read me", "share/doc/readme", Mode::Plain),
                file("node", node, "bin/pitlane-node", Mode::Executable),
            ],
            program: "bin/pitlane-node".parse().unwrap(),
        };
        let trusted = TrustedKeys::load(&dir.path().join("trust")).unwrap();
        let step =
            Step { to: Version::new(34, 1), from: Version::new(34, 0), reason: "the store changed".into() };
        let recipe = Recipe {
            version: Version::new(34, 1),
            build: Build(34_100),
            released: jiff::civil::date(2026, 11, 23),
            valid_until: None,
            rules: None,
            path: Path(vec![step]),
            protocols: Protocols { wire: ProtocolRange { min: 1, max: 2 }, media: 1 },
            notes: "Nothing is lost any more.".into(),
            manager,
            node,
            level: Level::QUICK,
        };
        Self { dir, key: pair.signing, trusted, recipe }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Builds the package, and returns where it is and what it is.
    fn build(&self) -> (PathBuf, Verified) {
        let out = self.at("release.pkg");
        let verified = build(&self.recipe, &self.key, &out).unwrap();
        (out, verified)
    }

    /// The bytes of the package.
    fn bytes(&self) -> Vec<u8> {
        fs::read(self.build().0).unwrap()
    }

    /// Unpacks the node payload in `from`, and checks that a refusal leaves nothing behind.
    fn unpack(&self, from: &std::path::Path, payload: &Payload) -> Result<PathBuf, Refusal> {
        let into = self.at("staging");
        let before = self.names();
        match unpack(from, payload, &into, &mut |_| {}) {
            Ok(()) => Ok(into),
            Err(refusal) => {
                assert_eq!(fs::read_dir(&into).unwrap().count(), 0, "a refusal left files behind");
                fs::remove_dir(&into).unwrap();
                assert_eq!(self.names(), before, "a refusal left files elsewhere");
                Err(refusal)
            }
        }
    }

    /// What lies in the directory of the test.
    fn names(&self) -> Vec<PathBuf> {
        let mut names: Vec<_> =
            fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    }
}

/// Bytes that do not compress, the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Size and pieces of a payload of these bytes.
fn pieces_of(bytes: &[u8]) -> (u64, Vec<Sha256>) {
    let mut writer = PieceWriter::new(std::io::sink());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// What is said when the package must be refused but is not.
fn refused<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> String {
    answer.expect_err("this must be refused").to_string()
}
