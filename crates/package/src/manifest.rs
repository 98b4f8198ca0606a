//! The manifest of a package: its contents, and the versions that it may be installed on. Types, parsing and the
//! rules that hold within a manifest. It is trusted only after its signature was verified, which is not done here;
//! nothing here reads or writes files.

use std::collections::BTreeSet;

use fleet::path;
use fleet::version::{Build, Release, Sha256, Version};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::entries::Role;
use crate::hash;
use crate::limits::{FORMAT, MAX_FILES, MAX_PAYLOAD, MAX_UNPACKED, PIECE_SIZE};
use crate::refusal::{Refusal, at_most, quoted};
use crate::rules::{self, Rule};
use crate::slot_path::SlotPath;

/// The product that the manifest must name.
pub(crate) const PRODUCT: &str = "pitlane";

/// The manifest of a package, format 1. Fields that a later release added are ignored; a later release that
/// changes the meaning of a field raises `format`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The number of this format, [`FORMAT`].
    pub format: u32,
    /// Always `pitlane`.
    pub product: String,
    /// The version that the package installs.
    pub version: Version,
    /// The build of that version.
    pub build: Build,
    /// The day of the release.
    #[serde(with = "day")]
    pub released: Date,
    /// The last day, in UTC, on which the package is accepted for an upgrade; without one it never expires.
    /// It concerns uploads and new runs only: an installed release starts for ever. Read since release 34.1.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_day")]
    pub valid_until: Option<Date>,
    /// The versions that it may be installed on, with the reason of each floor (R15).
    pub path: path::Path,
    /// What else must hold before an upgrade; without it, [`rules::built_in`]. Read since release 34.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Rule>>,
    /// The versions of the protocols that the release speaks.
    pub protocols: Protocols,
    /// What is new, for the operator.
    pub notes: String,
    /// The files to install.
    pub payloads: Payloads,
}

/// The versions of the protocols that a release speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocols {
    /// Between manager and nodes.
    pub wire: ProtocolRange,
    /// Between nodes; nodes of different media versions have separate conferences (R13).
    pub media: u32,
}

/// The oldest and the newest version of a protocol that a release speaks, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolRange {
    /// The oldest.
    pub min: u32,
    /// The newest.
    pub max: u32,
}

/// One payload for each role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payloads {
    /// For the Management Node.
    pub manager: Payload,
    /// For every Conferencing Node.
    pub node: Payload,
}

/// A payload: a compressed archive of files, in pieces that can be verified one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The role that the payload is for. It also determines the name of the entry in the package.
    pub role: Role,
    /// Bytes of the compressed payload.
    pub size: u64,
    /// Bytes of all its files together, unpacked.
    pub unpacked_size: u64,
    /// The file that is started, relative to the slot.
    pub program: SlotPath,
    /// Every file, in the order of the paths.
    pub files: Vec<File>,
    /// The SHA-256 of each piece of [`PIECE_SIZE`] bytes of the compressed payload; the last piece
    /// may be shorter.
    pub pieces: Vec<Sha256>,
}

/// A file that a payload installs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its path in the slot.
    pub path: SlotPath,
    /// Its bytes.
    pub size: u64,
    /// The SHA-256 of its content.
    pub sha256: Sha256,
    /// Whether it is a program.
    pub mode: Mode,
}

/// Whether a file can be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Read only by programs: mode 0644.
    Plain,
    /// A program: mode 0755.
    Executable,
}

impl Mode {
    /// The permission bits of the file.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Plain => 0o644,
            Self::Executable => 0o755,
        }
    }
}

impl Payloads {
    /// The payload of `role`.
    pub fn get(&self, role: Role) -> &Payload {
        match role {
            Role::Manager => &self.manager,
            Role::Node => &self.node,
        }
    }
}

impl Payload {
    /// The name of the payload's entry in the package.
    pub fn file(&self) -> &'static str {
        self.role.payload_file()
    }

    /// The name of the payload: the SHA-256 of its concatenated piece hashes. It depends on every byte of the
    /// payload and needs no second pass over them.
    pub fn name(&self) -> Sha256 {
        let joined: Vec<u8> = self.pieces.iter().flat_map(|piece| piece.0).collect();
        hash::sha256(&joined)
    }

    /// The bytes of the piece at `index`; 0 when there is no such piece.
    pub fn piece_size(&self, index: usize) -> u64 {
        let start = (index as u64).saturating_mul(PIECE_SIZE);
        self.size.saturating_sub(start).min(PIECE_SIZE)
    }

    /// Checks every rule that holds within one payload.
    fn check(&self, role: Role) -> Result<(), Refusal> {
        let wrong = |why: &str| Refusal::BadManifest { why: format!("in the {role} payload, {why}") };
        if self.role != role {
            return Err(wrong("the role is another one"));
        }
        at_most("the compressed size of a payload in bytes", self.size, MAX_PAYLOAD)?;
        at_most("the number of files in a payload", self.files.len() as u64, MAX_FILES as u64)?;
        let unpacked = self.files.iter().fold(0u64, |sum, file| sum.saturating_add(file.size));
        at_most("the unpacked size of a payload in bytes", unpacked, MAX_UNPACKED)?;
        if unpacked != self.unpacked_size {
            return Err(wrong("the unpacked size is not the sum of the files' sizes"));
        }
        if self.size == 0 || self.pieces.len() as u64 != self.size.div_ceil(PIECE_SIZE) {
            return Err(wrong("the number of pieces does not match the size"));
        }
        if !self.files.is_sorted_by(|a, b| a.path < b.path) {
            return Err(wrong("a file is listed twice or out of order"));
        }
        let paths: BTreeSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        if self.files.iter().flat_map(|file| file.path.directories()).any(|dir| paths.contains(dir)) {
            return Err(wrong("a file lies where another needs a directory"));
        }
        let program = |file: &File| file.path == self.program && file.mode == Mode::Executable;
        if !self.files.iter().any(program) {
            return Err(Refusal::ProgramMissing { role, program: self.program.clone() });
        }
        Ok(())
    }
}

/// The fields that are read first; the rest is read only if these two are as expected.
#[derive(Deserialize)]
struct Kind {
    format: u32,
    product: String,
}

impl Manifest {
    /// The version and build that the package installs.
    pub fn release(&self) -> Release {
        Release { version: self.version, build: self.build }
    }

    /// What must hold before an upgrade beside the version path.
    pub fn rules(&self) -> Vec<Rule> {
        self.rules.clone().unwrap_or_else(rules::built_in)
    }

    /// The bytes of the manifest in the package: indented JSON with fields in fixed order and a line end. The
    /// same manifest gives the same bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a manifest is plain data with text as keys");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a manifest and checks every rule.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let bad = |error: serde_json::Error| Refusal::BadManifest { why: quoted(&error.to_string()) };
        let Kind { format, product } = serde_json::from_slice(bytes).map_err(bad)?;
        if product != PRODUCT {
            return Err(Refusal::OtherProduct { product: product.chars().take(40).collect() });
        }
        if format != FORMAT {
            return Err(Refusal::OtherFormat { format, known: FORMAT });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(bad)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks the rules that parsing alone does not enforce.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.protocols.wire.min > self.protocols.wire.max {
            return Err(Refusal::BadManifest { why: "the wire protocol's min is above its max".into() });
        }
        if self.valid_until.is_some_and(|last| last < self.released) {
            return Err(Refusal::BadManifest { why: "it expires before the day of its release".into() });
        }
        if !self.path.leads_to(self.version) {
            return Err(Refusal::PathLeadsElsewhere { version: self.version });
        }
        rules::check(self.rules.as_deref().unwrap_or_default())?;
        Role::ALL.into_iter().try_for_each(|role| self.payloads.get(role).check(role))
    }
}

/// A day in text, as `2026-11-23` and in no other way.
mod day {
    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(date)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        let text = String::deserialize(deserializer)?;
        let date: Option<Date> = text.parse().ok();
        date.filter(|date| date.to_string() == text)
            .ok_or_else(|| de::Error::custom("a day must read like 2026-11-23"))
    }
}

/// A day that may be missing, in the same form.
mod optional_day {
    use jiff::civil::Date;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
        match date {
            Some(date) => super::day::serialize(date, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
        super::day::deserialize(deserializer).map(Some)
    }
}
