//! The rules that a package sets for upgrades to it, beside its version path: data in the manifest, so that a release can
//! ask for something that the release before did not know when it was made. What a rule means for a platform is decided
//! by the Management Node.

use fleet::version::Version;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use crate::refusal::{Refusal, at_most};

/// Most rules of a package. There is one kind so far.
const MAX_RULES: u64 = 32;

/// Most hashes of a rule: twice as many as have ever been in use.
const MAX_HASHES: u64 = 32;

/// The field that names a rule.
const NAME: &str = "rule";

/// A rule for upgrades to a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No certificate may be signed with certain hashes (R16).
    CertificateHash(CertificateHash),
    /// One of a later release, of which this one knows the name alone.
    Unknown {
        /// Its name.
        name: String,
        /// Its fields.
        fields: Map<String, Value>,
    },
}

/// No certificate but a root may be signed with one of these hashes when a platform of an older version is upgraded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateHash {
    /// The rule concerns upgrades from a version below this one to this one or a later one.
    pub from_below: Version,
    /// The hashes, such as `md5` and `sha1`.
    pub hashes: Vec<String>,
}

/// The name of [`Rule::CertificateHash`].
const CERTIFICATE_HASH: &str = "certificate_hash";

/// What holds for upgrades to a package without rules of its own: the one rule of the time before packages had any.
pub fn built_in() -> Vec<Rule> {
    let hashes = ["md5", "sha1"].map(String::from).into();
    vec![Rule::CertificateHash(CertificateHash { from_below: Version::new(32, 0), hashes })]
}

/// Checks the numbers of rules and of what they name.
pub(crate) fn check(rules: &[Rule]) -> Result<(), Refusal> {
    at_most("the number of rules", rules.len() as u64, MAX_RULES)?;
    rules.iter().try_for_each(|rule| match rule {
        Rule::CertificateHash(rule) => {
            at_most("the number of hashes of a rule", rule.hashes.len() as u64, MAX_HASHES)
        }
        Rule::Unknown { .. } => Ok(()),
    })
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Named<'r, T> {
            rule: &'r str,
            #[serde(flatten)]
            fields: &'r T,
        }
        match self {
            Self::CertificateHash(fields) => Named { rule: CERTIFICATE_HASH, fields }.serialize(serializer),
            Self::Unknown { name, fields } => Named { rule: name, fields }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::deserialize(deserializer)?;
        match fields.remove(NAME) {
            Some(Value::String(name)) if name == CERTIFICATE_HASH => {
                let rule = serde_json::from_value(Value::Object(fields)).map_err(de::Error::custom)?;
                Ok(Self::CertificateHash(rule))
            }
            Some(Value::String(name)) => Ok(Self::Unknown { name, fields }),
            Some(_) | None => Err(de::Error::custom("a rule has no name in its field rule")),
        }
    }
}
