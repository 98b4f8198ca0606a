//! `command/v1/platform/upgrade_check/`, and the packages that can be started.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::UtcTime;

/// What an upgrade with a package would meet now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// The package that was checked.
    pub package: Package,
    /// What the platform runs.
    #[serde(default)]
    pub current: Option<ReleaseRow>,
    /// What keeps it from being started.
    #[serde(default)]
    pub blockers: Vec<Finding>,
    /// What should be known.
    #[serde(default)]
    pub warnings: Vec<Finding>,
    /// The limits and numbers that it would have; spans in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Value>,
}

/// A blocker or a warning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What it is, with its token under `blocker` or `warning`.
    #[serde(flatten)]
    pub reason: Map<String, Value>,
    /// The operator's rule that it holds, if one asks for it.
    #[serde(default)]
    pub rule: Option<String>,
    /// What it is about: a name.
    #[serde(default)]
    pub object: Option<String>,
    /// Where it is put right.
    #[serde(default)]
    pub uri: Option<String>,
    /// In words, with what to do next.
    pub text: String,
}

/// A release.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseRow {
    /// Its version.
    pub version: String,
    /// Its build.
    pub build: u32,
    /// Both as they are shown everywhere: `34.1 (34100)`.
    #[serde(default)]
    pub release_text: String,
}

/// A package that the Management Node holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Package {
    /// Its name: the hash of its manifest.
    pub manifest: String,
    /// The version that it installs.
    pub version: String,
    /// The build of that.
    pub build: u32,
    /// Both as they are shown everywhere: `34.1 (34100)`.
    #[serde(default)]
    pub release_text: String,
    /// The day of the release.
    #[serde(default)]
    pub released: Option<String>,
    /// What is new.
    #[serde(default)]
    pub notes: String,
    /// Its bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// When it was uploaded.
    #[serde(default)]
    pub uploaded_at: Option<UtcTime>,
    /// Why it cannot be removed.
    #[serde(default)]
    pub needed_for: Option<String>,
    /// Its path in the API.
    #[serde(default)]
    pub resource_uri: String,
}

impl Package {
    /// `34.1 (34100)`.
    pub fn release(&self) -> String {
        format!("{} ({})", self.version, self.build)
    }
}
