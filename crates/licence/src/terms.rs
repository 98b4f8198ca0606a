//! What a licence says: its types, their form in JSON, and the rules that hold within it. Nothing here is signed.

use std::collections::BTreeSet;
use std::fmt;

use fleet::time::Wall;
use fleet::version::Version;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::day::Day;
use crate::limits::{FORMAT, MAX_CUSTOMER, MAX_FEATURE, MAX_FEATURES, MAX_ID};
use crate::refusal::Refusal;

/// What the text must say that it is, so that nothing else that the same key has signed is taken for a licence.
const KIND: &str = "pitlane-licence";

/// The terms of a licence. Fields that a later release added are passed over; a later release that changes the meaning
/// of a field raises `format`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Names the licence; two licences with the same id are one.
    pub id: String,
    /// Whom it is for.
    pub customer: String,
    /// What is counted.
    #[serde(default)]
    pub counts: Counts,
    /// Features that are there or not.
    #[serde(default)]
    pub features: BTreeSet<String>,
    /// The first day; without one it is valid from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Day>,
    /// The last day; without one it never ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
    /// The versions that it is valid for.
    pub versions: Versions,
}

/// How much of what is counted a licence allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Concurrent calls.
    #[serde(default)]
    pub port: Amount,
    /// Virtual Meeting Rooms.
    #[serde(default)]
    pub vmr: Amount,
}

/// How much of something. In JSON a number, or the text `unlimited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So much.
    Of(u32),
    /// Any.
    Unlimited,
}

/// The major versions that a licence is valid for, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The first.
    pub from: u16,
    /// The last; without one all later ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u16>,
}

/// Whether a licence counts at a time and for a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It does.
    Valid,
    /// Its first day is to come.
    NotYet {
        /// The first day.
        from: Day,
    },
    /// Its last day is over.
    Expired {
        /// The last day.
        last: Day,
    },
    /// It is for other versions.
    OtherVersions {
        /// Those that it is for.
        versions: Versions,
    },
}

impl Terms {
    /// Whether the licence counts at `now` for a version.
    pub fn validity(&self, now: Wall, version: Version) -> Validity {
        let today = Day::of(now);
        if !self.versions.include(version) {
            return Validity::OtherVersions { versions: self.versions };
        }
        match (self.not_before, self.expires) {
            (Some(from), _) if today < from => Validity::NotYet { from },
            (_, Some(last)) if today > last => Validity::Expired { last },
            _ => Validity::Valid,
        }
    }

    /// Checks the rules that parsing alone does not enforce.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_text =
            |text: &str, most| !text.is_empty() && text.len() <= most && !text.contains(char::is_control);
        let is_feature = |name: &String| (1..=MAX_FEATURE).contains(&name.len()) && name.bytes().all(is_id);
        if !is_text(&self.id, MAX_ID) || !self.id.bytes().all(is_id) {
            return wrong("its id is empty, too long, or has other characters than letters, digits and .-_");
        }
        if !is_text(&self.customer, MAX_CUSTOMER) {
            return wrong("its customer is empty, too long, or has control characters");
        }
        if self.features.len() > MAX_FEATURES || !self.features.iter().all(is_feature) {
            return wrong(
                "it has too many features, or one with a name that is too long or has other characters",
            );
        }
        if self.versions.to.is_some_and(|last| last < self.versions.from) {
            return wrong("its last version is before its first");
        }
        if self.expires.zip(self.not_before).is_some_and(|(last, first)| last < first) {
            return wrong("its last day is before its first");
        }
        Ok(())
    }

    /// The text that is signed: indented JSON with fields in fixed order and a line end.
    pub(crate) fn to_text(&self) -> String {
        let document = Document { kind: KIND.into(), format: FORMAT, terms: self.clone() };
        let json = serde_json::to_string_pretty(&document).expect("terms are plain data with text as keys");
        json + "\n"
    }

    /// Reads a text whose signature was verified.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let bad =
            |error: serde_json::Error| Refusal::Wrong { why: error.to_string().escape_debug().to_string() };
        let Kind { kind, format } = serde_json::from_str(text).map_err(bad)?;
        if kind != KIND {
            return wrong("it is a text of another kind");
        }
        if format != FORMAT {
            return Err(Refusal::OtherFormat { format });
        }
        let Document { terms, .. } = serde_json::from_str(text).map_err(bad)?;
        terms.check()?;
        Ok(terms)
    }
}

fn wrong<T>(why: &str) -> Result<T, Refusal> {
    Err(Refusal::Wrong { why: why.into() })
}

/// The fields that are read first; the rest is read only if these two are as expected.
#[derive(Deserialize)]
struct Kind {
    kind: String,
    format: u32,
}

/// The signed text.
#[derive(Serialize, Deserialize)]
struct Document {
    kind: String,
    format: u32,
    #[serde(flatten)]
    terms: Terms,
}

impl Versions {
    /// Whether a version is among them.
    pub fn include(self, version: Version) -> bool {
        self.from <= version.major && self.to.is_none_or(|last| version.major <= last)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            None => write!(f, "{} and later", self.from),
            Some(last) if last == self.from => write!(f, "{last}"),
            Some(last) => write!(f, "{} to {last}", self.from),
        }
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid => f.write_str("valid"),
            Self::NotYet { from } => write!(f, "valid from {from} on"),
            Self::Expired { last } => write!(f, "expired: its last day was {last}"),
            Self::OtherVersions { versions } => write!(f, "valid for version {versions}"),
        }
    }
}

impl Default for Amount {
    fn default() -> Self {
        Self::Of(0)
    }
}

impl Amount {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Of(one), Self::Of(other)) => Self::Of(one.saturating_add(other)),
            (Self::Unlimited, _) | (_, Self::Unlimited) => Self::Unlimited,
        }
    }

    /// Whether so many are allowed.
    pub fn allows(self, count: u32) -> bool {
        match self {
            Self::Of(most) => count <= most,
            Self::Unlimited => true,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(count) => write!(f, "{count}"),
            Self::Unlimited => f.write_str(UNLIMITED),
        }
    }
}

/// The text of an amount without a limit.
const UNLIMITED: &str = "unlimited";

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Of(count) => serializer.serialize_u32(*count),
            Self::Unlimited => serializer.serialize_str(UNLIMITED),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u32),
            Text(String),
        }
        match Form::deserialize(deserializer) {
            Ok(Form::Number(count)) => Ok(Self::Of(count)),
            Ok(Form::Text(text)) if text == UNLIMITED => Ok(Self::Unlimited),
            Ok(Form::Text(_)) | Err(_) => {
                Err(de::Error::custom("an amount is a number below 4294967296 or \"unlimited\""))
            }
        }
    }
}
