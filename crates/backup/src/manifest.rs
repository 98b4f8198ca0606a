//! The manifest of a backup: what made it, and its files. It is trusted as far as its passphrase is. Types, parsing and
//! the rules that hold within it; nothing here reads or writes files.

use std::collections::BTreeSet;

use fleet::time::Wall;
use fleet::version::{Release, Sha256};
use serde::{Deserialize, Serialize};

use crate::limits::{FORMAT, MAX_FILE, MAX_FILES, MAX_PLATFORM, MAX_TOTAL};
use crate::name::Name;
use crate::refusal::{Refusal, at_most};

/// The name of the first entry.
pub(crate) const MANIFEST_FILE: &str = "manifest.json";

/// The product that the manifest must name.
const PRODUCT: &str = "pitlane";

/// The manifest of a backup, format 1. Fields that a later release added are ignored; a later release that changes the
/// meaning of a field raises `format`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The number of this format, [`FORMAT`].
    format: u32,
    /// Always `pitlane`.
    product: String,
    /// What made the backup, and when.
    #[serde(flatten)]
    pub origin: Origin,
    /// Every file, in the order of the names.
    pub files: Vec<File>,
}

/// What made a backup, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The release that made it, and that can restore it.
    #[serde(flatten)]
    pub release: Release,
    /// The platform that it is of.
    pub platform: String,
    /// When it was made, in milliseconds since 1970 by the wall clock of the Management Node.
    pub made: Wall,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    pub name: Name,
    /// Its bytes.
    pub size: u64,
    /// The SHA-256 of its content.
    pub sha256: Sha256,
}

/// The fields that are read first; the rest is read only if these two are as expected.
#[derive(Deserialize)]
struct Kind {
    format: u32,
    product: String,
}

impl Manifest {
    /// The manifest of these files, which are put in order.
    pub(crate) fn new(origin: Origin, mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Self { format: FORMAT, product: PRODUCT.into(), origin, files }
    }

    /// The bytes of all files together.
    pub fn total(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| file.size.saturating_add(sum))
    }

    /// The bytes of the manifest in the backup.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("a manifest is plain data with text as keys");
        bytes.push(b'\n');
        bytes
    }

    /// Reads a manifest and checks every rule.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let bad = |error: serde_json::Error| {
            Refusal::contents(format!("its manifest cannot be read ({})", error.to_string().escape_debug()))
        };
        let Kind { format, product } = serde_json::from_slice(bytes).map_err(bad)?;
        if product != PRODUCT {
            return Err(Refusal::contents("it is of another product"));
        }
        if format != FORMAT {
            return Err(Refusal::OtherFormat { format });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(bad)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks the rules that parsing alone does not enforce.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        at_most("the number of files", self.files.len() as u64, MAX_FILES as u64)?;
        at_most("the name of the platform in bytes", self.origin.platform.len() as u64, MAX_PLATFORM as u64)?;
        let largest = self.files.iter().map(|file| file.size).max().unwrap_or(0);
        at_most("the size of a file in bytes", largest, MAX_FILE)?;
        at_most("the size of all files in bytes", self.total(), MAX_TOTAL)?;
        if !self.files.is_sorted_by(|a, b| a.name < b.name) {
            return Err(Refusal::contents("a file is listed twice or out of order"));
        }
        let names: BTreeSet<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        if self.files.iter().flat_map(|file| file.name.directories()).any(|dir| names.contains(dir)) {
            return Err(Refusal::contents("a file lies where another needs a directory"));
        }
        Ok(())
    }
}
