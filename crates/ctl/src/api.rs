//! The answers of the management API that `answers` has no type for, as far as they are read here. Fields that are not
//! known are ignored, and those that a release may leave out are optional. Texts are printed as the Management Node sends
//! them.

use answers::UtcTime;
use serde::Deserialize;
use serde_json::Value;

/// A node, a room or a location in the configuration.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Configured {
    /// Its number.
    pub(crate) id: u64,
    /// Its name.
    pub(crate) name: String,
    /// What else is known about it.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// Its path in the API.
    #[serde(default)]
    pub(crate) resource_uri: Option<String>,
    /// A room's aliases.
    #[serde(default)]
    pub(crate) aliases: Vec<Alias>,
    /// A node's address.
    #[serde(default)]
    pub(crate) address: Option<String>,
    /// Whether a node is a cloud bursting node.
    #[serde(default)]
    pub(crate) cloud_bursting: bool,
}

/// An alias of a Virtual Meeting Room.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Alias {
    /// What people dial.
    pub(crate) alias: String,
}

/// A list.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct List<T> {
    /// What is in it.
    pub(crate) objects: Vec<T>,
}

/// An object of `configuration/v1/licence/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct InstalledLicence {
    /// The id that it gives itself.
    pub(crate) entitlement_id: String,
    /// How many calls it allows.
    pub(crate) concurrent: u64,
    /// Its last day; empty if it never ends.
    #[serde(default)]
    pub(crate) expiration_date: String,
    /// The versions that it is valid for.
    pub(crate) versions: String,
    /// Whether it is valid now, or why not.
    pub(crate) status: String,
}

/// The object of `status/v1/licensing/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LicenceUsage {
    /// How many calls there are.
    pub(crate) port_count: u64,
    /// How many there may be.
    pub(crate) port_total: u64,
    /// How many rooms are configured.
    pub(crate) vmr_count: u64,
    /// How many the licences allow.
    pub(crate) vmr_total: u64,
}

/// The state of an upload.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Upload {
    /// Its number.
    #[serde(default)]
    pub(crate) uuid: String,
    /// uploading, ready, failed, done.
    pub(crate) state: String,
    /// Bytes that have arrived.
    pub(crate) offset: u64,
    /// Bytes of the whole package.
    pub(crate) total_size: u64,
    /// What went wrong.
    #[serde(default)]
    pub(crate) error: Option<String>,
    /// The account that asked for it.
    #[serde(default)]
    pub(crate) owner: Option<String>,
    /// When bytes of it arrived last.
    #[serde(default)]
    pub(crate) last_activity: Option<UtcTime>,
    /// Whether another upload of the same account may replace it.
    #[serde(default)]
    pub(crate) idle: bool,
}

/// The moment on this machine's clock.
pub(crate) fn now() -> UtcTime {
    UtcTime(jiff::Timestamp::now())
}

/// `34.1 (34100)` from its parts; a version that has its build beside it stays as it is.
pub(crate) fn release(version: &str, build: Option<u32>) -> String {
    match build {
        Some(build) if !version.contains('(') => format!("{version} ({build})"),
        Some(_) | None => version.into(),
    }
}

/// A release in whichever shape an answer has it: a text, or an object with version and build.
pub(crate) fn release_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => {
            let version = fields.get("version")?.as_str()?;
            let build = ["build", "pseudo_version"].iter().find_map(|key| fields.get(*key)?.as_u64());
            Some(release(version, build.and_then(|build| build.try_into().ok())))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// Who is in a call.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Participant {
    /// Its id.
    pub(crate) id: String,
    /// The Virtual Meeting Room.
    #[serde(default)]
    pub(crate) conference: String,
    /// What it is shown as.
    #[serde(default)]
    pub(crate) display_name: String,
    /// Who has called.
    #[serde(default)]
    pub(crate) source_alias: String,
    /// The address of its node.
    #[serde(default)]
    pub(crate) media_node: String,
    /// Since when it takes part; none before its call is answered.
    #[serde(default)]
    pub(crate) connect_time: Option<String>,
    /// Whether it is muted.
    #[serde(default)]
    pub(crate) is_muted: bool,
    /// Whether it is on hold.
    #[serde(default)]
    pub(crate) is_on_hold: bool,
}

/// A conference that somebody is in.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Conference {
    /// Its id.
    pub(crate) id: String,
    /// The Virtual Meeting Room.
    pub(crate) name: String,
    /// Since when it lasts.
    #[serde(default)]
    pub(crate) start_time: Option<String>,
    /// Whether new callers are refused.
    #[serde(default)]
    pub(crate) is_locked: bool,
}

/// A backup in `configuration/v1/system_backup/`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Backup {
    /// Its name.
    pub(crate) filename: String,
    /// When it was made.
    pub(crate) date: UtcTime,
    /// The version that has made it.
    pub(crate) version: String,
    /// The build of that.
    pub(crate) build: String,
    /// Its bytes.
    pub(crate) size: u64,
    /// The SHA-256 of its file; empty when it is not known.
    #[serde(default)]
    pub(crate) sha256sum: String,
    /// Who has made it: manual, automatic.
    #[serde(default, rename = "type")]
    pub(crate) made_by: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn release_is_read_in_each_of_its_forms() {
        let check =
            |value: Value, expected: Option<&str>| assert_eq!(release_in(&value).as_deref(), expected);
        check(json!("34 (34000)"), Some("34 (34000)"));
        check(json!({"version": "34", "build": 34000}), Some("34 (34000)"));
        check(json!({"version": "34 (34000)", "build": 34000}), Some("34 (34000)"));
        check(json!({"version": "34"}), Some("34"));
        check(json!(null), None);
    }
}
