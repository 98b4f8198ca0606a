//! The settings of the machine: `machine.toml`, written at its installation and never by an upgrade.
//!
//! Tables of other programs are ignored; a misspelt setting of ours is refused.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use edge::listen::collide;
use fleet::policy::Policy;
use serde::Deserialize;
use thiserror::Error;

use crate::policy::{NUMBERS, named_after};

/// Largest accepted `machine.toml`, in bytes: far above any real one.
const SETTINGS_MAX: u64 = 1 << 20;

/// How many names a Management Node may have; enrolment files list them all.
const NAMES_MAX: usize = 8;

/// The settings cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("the settings {} cannot be read; check that the file is there and who may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file is larger than any real one.
    #[error("the settings {} are larger than {SETTINGS_MAX} bytes; shorten the file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is no TOML, or has an unknown setting of ours.
    #[error("the settings {} are wrong; correct the file", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The position and the error.
        source: Box<toml::de::Error>,
    },
    /// A setting has a value that is not allowed.
    #[error("the settings {} are wrong: {setting} {rule}; correct the file", path.display())]
    Senseless {
        /// The file.
        path: PathBuf,
        /// The setting.
        setting: String,
        /// What it must be.
        rule: String,
    },
}

/// The settings of this Management Node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The address for people and their tools.
    pub people: SocketAddr,
    /// The address for nodes.
    pub nodes: SocketAddr,
    /// The names and addresses under which the Management Node is reached; the first is its own.
    pub names: Vec<String>,
    /// How fast each node may fetch a package, in bytes per second.
    pub fetch_rate: Option<u64>,
    /// How many requests to the management API are answered in a minute; 0 is without a limit.
    pub requests_per_minute: u32,
    /// The default policy.
    pub policy: Policy,
}

/// The most requests that can be counted: one in a millisecond.
const REQUESTS_MAX: u32 = 60_000;

/// How many requests are answered in a minute unless the machine says otherwise, as in the compatible API.
const REQUESTS_PER_MINUTE: u32 = 1_000;

#[derive(Deserialize)]
struct MachineFile {
    manager: ManagerTable,
    #[serde(default)]
    api: ApiTable,
    #[serde(default)]
    policy: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManagerTable {
    people: SocketAddr,
    nodes: SocketAddr,
    names: Vec<String>,
    #[serde(default)]
    fetch_rate: Option<u64>,
}

/// A table of its own: release 34 refuses settings that it does not know in its own table, and ignores other tables.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ApiTable {
    requests_per_minute: u32,
}

impl Default for ApiTable {
    fn default() -> Self {
        Self { requests_per_minute: REQUESTS_PER_MINUTE }
    }
}

/// A setting, and the rule that it violates.
type Fault = (String, String);

impl Settings {
    /// Reads the settings of a machine.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = text_of(path)?;
        let file: MachineFile = toml::from_str(&text)
            .map_err(|source| SettingsError::Wrong { path: path.into(), source: Box::new(source) })?;
        Self::checked(file).map_err(|(setting, rule)| SettingsError::Senseless {
            path: path.into(),
            setting,
            rule,
        })
    }

    /// Checks the table that boot reads at its own start, before any release.
    ///
    /// # Errors
    /// The table is wrong. A file that cannot be read at all is reported by [`Settings::read`].
    pub fn check_boot_table(path: &Path) -> Result<(), SettingsError> {
        let Ok(text) = text_of(path) else { return Ok(()) };
        let Ok(Some(table)) = toml::from_str(&text).map(|mut file: toml::Table| file.remove("boot")) else {
            return Ok(());
        };
        let table: slots::BootTable = table
            .try_into()
            .map_err(|source| SettingsError::Wrong { path: path.into(), source: Box::new(source) })?;
        table.check().map_err(|rule| SettingsError::Senseless {
            path: path.into(),
            setting: "the table of pitlane-boot".into(),
            rule,
        })
    }

    fn checked(file: MachineFile) -> Result<Self, Fault> {
        let ManagerTable { people, nodes, names, fetch_rate } = file.manager;
        if !(1..=NAMES_MAX).contains(&names.len()) {
            return Err(("[manager] names".into(), format!("must list 1 to {NAMES_MAX} names or addresses")));
        }
        if collide(people, nodes) {
            let rule = format!("and people ({people}) cannot both be listened on; give one another port");
            return Err((format!("[manager] nodes ({nodes})"), rule));
        }
        if fetch_rate == Some(0) {
            return Err((
                "[manager] fetch_rate".into(),
                "must be at least 1; leave it out for no limit".into(),
            ));
        }
        let requests_per_minute = file.api.requests_per_minute;
        if requests_per_minute > REQUESTS_MAX {
            let rule = format!("must be at most {REQUESTS_MAX}; 0 is without a limit");
            return Err(("[api] requests_per_minute".into(), rule));
        }
        Ok(Self { people, nodes, names, fetch_rate, requests_per_minute, policy: policy(&file.policy)? })
    }
}

fn text_of(path: &Path) -> Result<String, SettingsError> {
    let unreadable = |source| SettingsError::Unreadable { path: path.into(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(SETTINGS_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > SETTINGS_MAX {
        return Err(SettingsError::TooLarge { path: path.into() });
    }
    Ok(text)
}

/// The standard policy with what this machine overrides.
fn policy(given: &toml::Table) -> Result<Policy, Fault> {
    let standard = Policy::standard();
    let (mut policy, mut name) = (standard.clone(), None);
    for (key, value) in given {
        let wrong = |rule: String| (format!("[policy] {key}"), rule);
        if key == "name" {
            name = Some(value.as_str().ok_or_else(|| wrong("must be a text".into()))?);
            continue;
        }
        let number = NUMBERS.into_iter().find(|number| number.name == key);
        let number = number.ok_or_else(|| wrong("is no number of a policy".into()))?;
        let set = value.as_integer().and_then(|value| number.set(&mut policy, value.try_into().ok()?).ok());
        let (least, most) = (number.least, number.most());
        set.ok_or_else(|| wrong(format!("must be a whole number from {least} to {most}")))?;
    }
    Ok(match name {
        Some(name) => Policy { name: name.into(), ..policy },
        None => named_after(&standard, policy),
    })
}

#[cfg(test)]
mod tests {
    use fleet::time::Span;

    use super::*;

    fn read(text: &str) -> Result<Settings, SettingsError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("machine.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path)
    }

    const MANAGER: &str =
        "[manager]\npeople = \"127.0.0.10:8443\"\nnodes = \"127.0.0.10:8444\"\nnames = [\"127.0.0.10\"]\n";

    #[test]
    fn machine_without_a_policy_has_the_standard_one() {
        let settings = read(&format!("[boot]\ntries = 3\n{MANAGER}")).unwrap();
        assert_eq!(settings.policy, Policy::standard());
        assert_eq!(settings.names, ["127.0.0.10"]);
        assert_eq!(settings.requests_per_minute, 1_000);
        assert_eq!(read(&format!("{MANAGER}[api]\nrequests_per_minute = 0")).unwrap().requests_per_minute, 0);
    }

    #[test]
    fn machine_may_override_the_policy() {
        let settings =
            read(&format!("{MANAGER}[policy]\ndrain_limit_seconds = 60\nnodes_at_once = 2")).unwrap();
        let name = "standard, adapted".into();
        let expected =
            Policy { name, drain_limit: Span::seconds(60), nodes_at_once: 2, ..Policy::standard() };
        assert_eq!(settings.policy, expected);
        let named = read(&format!("{MANAGER}[policy]\nname = \"gentle\"\nnodes_at_once = 2")).unwrap();
        assert_eq!((named.policy.name.as_str(), named.policy.nodes_at_once), ("gentle", 2));
    }

    #[test]
    fn a_misspelt_or_senseless_setting_is_refused_and_named() {
        let check = |text: &str, named: &str| {
            let refusal = edge::error_chain::chain(&read(text).unwrap_err());
            assert!(refusal.contains(named), "{refusal}");
        };
        check("", "manager");
        check(&format!("{MANAGER}fetchrate = 3"), "fetchrate");
        check(&format!("{MANAGER}fetch_rate = 0"), "fetch_rate");
        check(&format!("{MANAGER}[api]\nrequests = 3"), "requests");
        check(&format!("{MANAGER}[api]\nrequests_per_minute = 60001"), "requests_per_minute");
        check(&MANAGER.replace("[\"127.0.0.10\"]", "[]"), "names");
        check(&MANAGER.replace(":8444", ":8443"), "nodes (127.0.0.10:8443) and people");
        check(&MANAGER.replace("127.0.0.10:8444", "0.0.0.0:8443"), "cannot both be listened on");
        check(&format!("{MANAGER}[policy]\nnodes_at_once = 0"), "nodes_at_once");
        check(&format!("{MANAGER}[policy]\ndrain_limit_seconds = 0"), "drain_limit_seconds");
        let most = fleet::platform::NODES_AT_MOST;
        let rule = format!("from 1 to {most}");
        check(&format!("{MANAGER}[policy]\nnodes_at_once = {}", most + 1), &rule);
        check(&format!("{MANAGER}[policy]\nnodes_at_once = \"2\""), "nodes_at_once");
        check(&format!("{MANAGER}[policy]\nrest_seconds = -1"), "rest_seconds");
        check(&format!("{MANAGER}[policy]\nname = 1"), "name");
        check(&format!("{MANAGER}[policy]\ndrain = 1"), "drain");
        check(&format!("{MANAGER}[policy]\ndrain = 1"), "correct the file");
    }

    #[test]
    fn settings_that_are_too_large_are_refused_and_not_cut() {
        let fill = |length: u64| {
            let missing = usize::try_from(length).unwrap() - MANAGER.len();
            read(&format!("{MANAGER}{}", "\n".repeat(missing)))
        };
        fill(SETTINGS_MAX).unwrap();
        assert!(matches!(fill(SETTINGS_MAX + 1), Err(SettingsError::TooLarge { .. })));
    }
}
