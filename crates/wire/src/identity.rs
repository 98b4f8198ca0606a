//! The names in certificates: a URI among the subject's alternative names.

use std::fmt;
use std::str::FromStr;

use fleet::node::NodeId;
use thiserror::Error;

/// Whom a certificate of the platform's authority names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityName {
    /// The Management Node.
    Manager,
    /// A Conferencing Node.
    Node(NodeId),
}

/// The text names nobody on a platform.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} names neither a Management Node nor a Conferencing Node")]
pub struct NotAnIdentity(pub String);

impl fmt::Display for IdentityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manager => f.write_str("pitlane:manager"),
            Self::Node(id) => write!(f, "pitlane:node:{id}"),
        }
    }
}

impl FromStr for IdentityName {
    type Err = NotAnIdentity;

    fn from_str(text: &str) -> Result<Self, NotAnIdentity> {
        if text == "pitlane:manager" {
            return Ok(Self::Manager);
        }
        let id = text.strip_prefix("pitlane:node:").and_then(|id| id.parse().ok());
        let name = id.map(|id| Self::Node(NodeId(id)));
        name.filter(|name| name.to_string() == text)
            .ok_or_else(|| NotAnIdentity(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        for name in [IdentityName::Manager, IdentityName::Node(NodeId(12))] {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        for text in [
            "",
            "pitlane:node:",
            "pitlane:node:+1",
            "pitlane:node:01",
            "pitlane:node:-1",
            "pitlane:manager:1",
        ] {
            assert!(text.parse::<IdentityName>().is_err(), "{text:?} was taken for a name");
        }
    }
}
