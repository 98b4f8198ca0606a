//! Versions, builds, and the hashes that identify packages: how they are ordered, written and read. Which version may
//! follow which is in [`crate::path`].

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A version of the platform's software, printed `34` for 34.0 and `31.4` otherwise.
///
/// The order is the order of releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The number before the dot.
    pub major: u16,
    /// The number after the dot; 0 when there is none.
    pub minor: u16,
}

impl Version {
    /// The version `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            0 => write!(f, "{}", self.major),
            minor => write!(f, "{}.{minor}", self.major),
        }
    }
}

/// The text is not a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAVersion(pub String);

impl fmt::Display for NotAVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a version; a version reads like 34 or 31.4", self.0)
    }
}

impl core::error::Error for NotAVersion {}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let refuse = || NotAVersion(text.chars().take(40).collect());
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        Ok(Self { major: decimal(major).ok_or_else(refuse)?, minor: decimal(minor).ok_or_else(refuse)? })
    }
}

/// A number of digits only: `+4` and ` 4` are not versions.
fn decimal(text: &str) -> Option<u16> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The number of one compilation of a version; it rises with every build that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Build(pub u32);

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A version and its build: of a running program, or of a package. Printed `34 (34000)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// The build of that version.
    pub build: Build,
}

impl Release {
    /// The release of this source.
    pub const PRESENT: Self = Self { version: Version::new(34, 1), build: Build(34_100) };

    /// The release after [`Self::PRESENT`], to which tests and the demo upgrade: the same source under other numbers.
    pub const NEXT: Self = Self { version: Version::new(34, 2), build: Build(34_200) };

    /// The release that a program is compiled as. `next` is the variable `PITLANE_NEXT` at its compilation
    /// (`option_env!`), with which it becomes [`Self::NEXT`]. Only programs read that variable, not libraries, so
    /// a second release costs no second compilation of the libraries.
    pub const fn compiled(next: Option<&str>) -> Self {
        if next.is_some() { Self::NEXT } else { Self::PRESENT }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, self.build)
    }
}

/// A SHA-256 hash, printed as 64 lower-case hexadecimal digits. A package is named by the hash of
/// its manifest, a payload by that of the hashes of its pieces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a SHA-256 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHash;

impl fmt::Display for NotAHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SHA-256 hash is 64 hexadecimal digits")
    }
}

impl core::error::Error for NotAHash {}

impl FromStr for Sha256 {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NotAHash);
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digits = core::str::from_utf8(digits).map_err(|_| NotAHash)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotAHash)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn version_is_printed_without_a_zero_after_the_dot() {
        for text in ["34", "31.4", "0", "65535.65535"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        assert_eq!("34.0".parse::<Version>().unwrap().to_string(), "34");
    }

    #[test]
    fn malformed_text_is_not_a_version() {
        for text in ["", ".", "34.", ".4", "+34", " 34", "34.0.1", "65536", "v34", "３４"] {
            assert!(text.parse::<Version>().is_err(), "{text:?} was taken for a version");
        }
    }

    #[test]
    fn versions_are_ordered_as_released() {
        assert!(Version::new(31, 4) < Version::new(34, 0));
        assert!(Version::new(31, 4) < Version::new(31, 10));
    }

    #[test]
    fn hash_reads_back_as_printed() {
        let hash = Sha256([0xab; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in [format!("{}g", &hash.to_string()[1..]), "ab".into(), format!("{hash}ab")] {
            assert_eq!(text.parse::<Sha256>(), Err(NotAHash), "{text}");
        }
    }
}
