//! The entries of a package: the names of the files in it, and the role that each payload is for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of the first entry of a package.
pub const MANIFEST_FILE: &str = "manifest.json";

/// The name of the second entry of a package.
pub const SIGNATURE_FILE: &str = "manifest.json.minisig";

/// The machine that a payload is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The Management Node.
    Manager,
    /// A Conferencing Node.
    Node,
}

impl Role {
    /// Both, in the order of their payloads in the package.
    pub const ALL: [Self; 2] = [Self::Manager, Self::Node];

    /// The name of the payload's entry in the package.
    pub const fn payload_file(self) -> &'static str {
        match self {
            Self::Manager => "payload-manager.tar.zst",
            Self::Node => "payload-node.tar.zst",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manager => "manager",
            Self::Node => "node",
        })
    }
}
