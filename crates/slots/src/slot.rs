//! The names of the two slots, and the identity of the release in one (`slot.json`). Only types and their checks.

use std::fmt;
use std::path::{Component, Path};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the two places a release can be installed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// `slots/a`, where the first release of a machine goes.
    A,
    /// `slots/b`.
    B,
}

impl Slot {
    /// The slot beside this one.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The name of its directory, and of the files kept beside it such as `store-a.db`: `a` or `b`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not the name of a slot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a slot; a slot is a or b")]
pub struct NotASlot(pub String);

impl FromStr for Slot {
    type Err = NotASlot;

    fn from_str(text: &str) -> Result<Self, NotASlot> {
        match text {
            "a" => Ok(Self::A),
            "b" => Ok(Self::B),
            other => Err(NotASlot(other.chars().take(40).collect())),
        }
    }
}

/// The identity of the release in a slot: the contents of `slots/x/slot.json`.
///
/// It is written last, so a slot that has it is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotIdentity {
    /// The format of this file; [`SlotIdentity::FORMAT`] today.
    pub format: u32,
    /// SHA-256 of the release's signed manifest, 64 lower-case hexadecimal digits.
    pub manifest: String,
    /// The version as the operator reads it: `34` or `31.4`.
    pub version: String,
    /// The build of that version.
    pub build: u32,
    /// The program that `boot` starts, relative to the slot: `bin/pitlane-node`.
    pub program: String,
}

impl SlotIdentity {
    /// The format that this release writes and reads.
    pub const FORMAT: u32 = 1;

    /// Longest accepted version text, in bytes: `65535.65535` needs eleven.
    const VERSION_MAX: usize = 32;

    /// An identity in today's format.
    pub fn new(manifest: String, version: String, build: u32, program: String) -> Self {
        Self { format: Self::FORMAT, manifest, version, build, program }
    }

    /// Why this identity cannot be used, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self { format, manifest, version, build: _, program } = self;
        if *format != Self::FORMAT {
            return Some(format!("its format is {format} and this program reads format {}", Self::FORMAT));
        }
        if !is_sha256(manifest) {
            return Some("its manifest is not a SHA-256 of 64 lower-case hexadecimal digits".into());
        }
        if version.is_empty() || version.len() > Self::VERSION_MAX || version.contains(char::is_control) {
            return Some("its version is empty, too long or not printable".into());
        }
        if !stays_inside(program) {
            return Some(format!("its program {program:?} is not a plain path inside the slot"));
        }
        None
    }
}

/// In the operator's form: `34.1 (34100)`.
impl fmt::Display for SlotIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, self.build)
    }
}

/// Whether `text` is a SHA-256 in the one accepted spelling, so that hashes can be compared as text.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// A path of names only: nothing absolute, no `..`, not empty.
fn stays_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> SlotIdentity {
        SlotIdentity::new("0".repeat(64), "34.1".into(), 34100, "bin/pitlane-node".into())
    }

    #[test]
    fn slot_prints_and_reads_its_own_name() {
        for slot in [Slot::A, Slot::B] {
            assert_eq!(slot.to_string().parse(), Ok(slot));
            assert_eq!(slot.other().other(), slot);
        }
        assert!("c".parse::<Slot>().is_err());
    }

    #[test]
    fn program_outside_its_slot_is_a_fault() {
        assert_eq!(identity().fault(), None);
        for program in ["", "/bin/sh", "../b/bin/x", "bin/../../x", "bin/\0"] {
            let wrong = SlotIdentity { program: program.into(), ..identity() };
            assert!(wrong.fault().is_some(), "{program:?} was accepted");
        }
    }

    #[test]
    fn hash_in_another_spelling_is_a_fault() {
        for manifest in ["", "00", &"A".repeat(64), &"0".repeat(65)] {
            let wrong = SlotIdentity { manifest: manifest.into(), ..identity() };
            assert!(wrong.fault().is_some(), "{manifest:?} was accepted");
        }
    }
    #[test]
    fn version_that_is_empty_too_long_or_not_printable_is_a_fault() {
        let fault = |version: &str| SlotIdentity { version: version.into(), ..identity() }.fault();
        assert_eq!(fault(&"3".repeat(32)), None);
        for version in ["", "34\n1", &"3".repeat(33)] {
            assert!(fault(version).is_some(), "{version:?} was accepted");
        }
    }
}
