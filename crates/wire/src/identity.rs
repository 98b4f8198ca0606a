//! The names in certificates: URIs among the subject alternative names. Since release 34.1 a node's certificate
//! has two of them, one with the node's number and one with its registration. Text only; certificates themselves
//! are issued and verified by `manager` and `node`.

use std::fmt;
use std::str::FromStr;

use fleet::node::NodeId;
use thiserror::Error;

/// The subject of a certificate of the platform's authority.
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

/// One registration of a node, from its enrolment until it enrols anew or is removed. Random, so that it
/// is never used again, while a node's number is after the Management Node's store was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegistrationId(pub u128);

/// The prefix of a registration in a certificate. Release 34 ignores such a name.
const REGISTRATION: &str = "pitlane:registration:";

/// The text names no registration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} names no registration")]
pub struct NotARegistration(pub String);

impl RegistrationId {
    /// The name in a certificate.
    pub fn name(self) -> String {
        format!("{REGISTRATION}{self}")
    }

    /// The registration that a name in a certificate stands for; none when it is no such name.
    pub fn of_name(name: &str) -> Option<Self> {
        name.strip_prefix(REGISTRATION)?.parse().ok()
    }
}

impl fmt::Display for RegistrationId {
    /// 32 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for RegistrationId {
    type Err = NotARegistration;

    fn from_str(text: &str) -> Result<Self, NotARegistration> {
        let id = u128::from_str_radix(text, 16).ok().map(Self);
        id.filter(|id| id.to_string() == text)
            .ok_or_else(|| NotARegistration(text.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registration_has_one_spelling_and_is_no_name_of_a_node() {
        for id in [0, 7, u128::MAX].map(RegistrationId) {
            assert_eq!(RegistrationId::of_name(&id.name()), Some(id));
            assert!(id.name().parse::<IdentityName>().is_err(), "release 34 would take it for a node");
        }
        for text in ["", "7", "+0000000000000000000000000000007", &"F".repeat(32), &"0".repeat(33)] {
            assert!(text.parse::<RegistrationId>().is_err(), "{text:?} was taken for a registration");
        }
        assert_eq!(RegistrationId::of_name("pitlane:node:7"), None);
    }

    #[test]
    fn name_has_one_spelling() {
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
