//! Names of files in a backup. A value of this type, joined to a directory, is always below that directory. Checks text
//! only; it never looks at a disk.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::{MAX_NAME, MAX_NAME_DEPTH};
use crate::manifest::MANIFEST_FILE;

/// The name of a file: relative, parts joined by `/`, letters, digits and `.-_` only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is no name of a file in a backup.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no name for a file in a backup ({why})")]
pub struct NotAName {
    /// The text, cut to a printable length.
    pub text: String,
    /// The rule that it breaks.
    pub why: &'static str,
}

impl Name {
    /// The name as text, with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path below `dir`.
    pub fn below(&self, dir: &Path) -> PathBuf {
        dir.join(&self.0)
    }

    /// The directories that the file lies in, outermost first.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

/// The rule that the text breaks, if any.
fn broken_rule(text: &str) -> Option<&'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if text.len() > MAX_NAME {
        return Some("it is too long");
    }
    if text.split('/').count() > MAX_NAME_DEPTH {
        return Some("it lies too deep");
    }
    if text.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Some("a part of it is empty, a dot or two dots");
    }
    if !text.split('/').flat_map(str::bytes).all(plain) {
        return Some("it holds a character that is not allowed");
    }
    if text == MANIFEST_FILE {
        return Some("the manifest of the backup has this name");
    }
    None
}

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        match broken_rule(text) {
            None => Ok(Self(text.into())),
            Some(why) => Err(NotAName { text: text.chars().take(MAX_NAME).collect(), why }),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_names_are_names_in_a_backup() {
        for text in ["store.db", "state/authority.key", "a/b/c/d", "..a", "a.."] {
            assert_eq!(text.parse::<Name>().unwrap().as_str(), text);
        }
        let long = "a".repeat(MAX_NAME + 1);
        let strange =
            ["", "/etc/passwd", "../x", "a/../b", "a/..", ".", "./a", "a//b", "a/", "a\\b", "a b", "a\n"];
        for text in strange.into_iter().chain(["ä", "a\0", "a:b", "1/2/3/4/5", "manifest.json", &long]) {
            assert!(text.parse::<Name>().is_err(), "{text:?} was taken for a name");
        }
    }
}
