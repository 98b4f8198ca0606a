//! Paths of files inside a slot. A value of this type, joined to a directory, is always below that directory.
//! Checks text only; it never looks at a disk.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::entries::{MANIFEST_FILE, SIGNATURE_FILE};
use crate::limits::{MAX_PATH, MAX_PATH_DEPTH};

/// Files that the slot itself has in its root directory; no payload may contain a file of these names.
pub(crate) const RESERVED: [&str; 3] = ["slot.json", MANIFEST_FILE, SIGNATURE_FILE];

/// The path of a file in a slot: relative, parts joined by `/`, letters, digits and `.-_+@` only.
/// The order is that of the bytes, which is the order of the files in a payload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotPath(String);

/// Why a text is not a path in a slot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no path for a file in a slot ({why}); use a relative path like bin/pitlane-node, \
     of letters, digits and .-_+@"
)]
pub struct NotASlotPath {
    /// The text, cut to a printable length.
    pub text: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl SlotPath {
    /// The path as text, with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below `dir`.
    pub fn below(&self, dir: &Path) -> PathBuf {
        dir.join(&self.0)
    }

    /// The directories that the file lies in, outermost first: `a/b/c` lies in `a` and `a/b`.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

/// The rule that the text breaks, if any.
fn broken_rule(text: &str) -> Option<&'static str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_+@".contains(&b);
    if text.is_empty() {
        return Some("it is empty");
    }
    if text.len() > MAX_PATH {
        return Some("it is too long");
    }
    if text.split('/').count() > MAX_PATH_DEPTH {
        return Some("it lies too deep");
    }
    if text.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Some("a part of it is empty, a dot or two dots");
    }
    if !text.split('/').flat_map(str::bytes).all(plain) {
        return Some("it holds a character that is not allowed");
    }
    if RESERVED.contains(&text) {
        return Some("the slot keeps a file of its own there");
    }
    None
}

impl FromStr for SlotPath {
    type Err = NotASlotPath;

    fn from_str(text: &str) -> Result<Self, NotASlotPath> {
        match broken_rule(text) {
            None => Ok(Self(text.to_string())),
            Some(why) => Err(NotASlotPath { text: text.chars().take(MAX_PATH).collect(), why }),
        }
    }
}

impl fmt::Display for SlotPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SlotPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SlotPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_are_paths_in_a_slot() {
        for text in ["bin/pitlane-node", "a", "web/htmx-4.0.1.min.js", "a/b/c/d/e/f/g/h", "..a", "a.."] {
            assert_eq!(text.parse::<SlotPath>().unwrap().as_str(), text);
        }
        let long = "a".repeat(MAX_PATH + 1);
        let strange =
            ["", "/etc/passwd", "../x", "a/../b", "a/..", ".", "./a", "a//b", "a/", "a\\b", "a b", "a\n"];
        for text in strange.into_iter().chain(["ä", "a\0", "a:b", "1/2/3/4/5/6/7/8/9", "slot.json", &long]) {
            assert!(text.parse::<SlotPath>().is_err(), "{text:?} was taken for a path in a slot");
        }
    }

    #[test]
    fn directories_of_a_file_come_outermost_first() {
        let path: SlotPath = "a/b/c".parse().unwrap();
        assert_eq!(path.directories().collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
