//! The settings of the machine: `machine.toml`, written at its installation and never by an upgrade.
//! Tables that belong to others are passed over; a misspelt setting of ours is refused.

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use fleet::policy::Policy;
use fleet::time::Span;
use serde::Deserialize;
use thiserror::Error;

/// Largest accepted `machine.toml`, in bytes: far above any real one.
const SETTINGS_MAX: u64 = 1 << 20;

/// How many names a Management Node may have; enrolment files list them all.
const NAMES_MAX: usize = 8;

/// The longest span of a policy, in seconds: a week. Nothing in a run is meant to take longer.
const LONGEST_SECONDS: u64 = 7 * 24 * 60 * 60;

/// The settings cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("the settings {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is no TOML, or has a setting of ours that is none.
    #[error("the settings {} are wrong; correct the file", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A setting has a value that makes no sense.
    #[error("the settings {} are wrong: {setting} {rule}", path.display())]
    Senseless {
        /// The file.
        path: PathBuf,
        /// The setting.
        setting: &'static str,
        /// What it must be.
        rule: String,
    },
}

/// How this Management Node is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where people and their tools are served.
    pub people: SocketAddr,
    /// Where nodes are served.
    pub nodes: SocketAddr,
    /// The names and addresses that the Management Node is reached under; the first is its own.
    pub names: Vec<String>,
    /// How fast each node may fetch a package, in bytes per second.
    pub fetch_rate: Option<u64>,
    /// The standing policy.
    pub policy: Policy,
}

#[derive(Deserialize)]
struct MachineFile {
    manager: ManagerTable,
    #[serde(default)]
    policy: PolicyTable,
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

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyTable {
    name: Option<String>,
    nodes_at_once: Option<u32>,
    drain_limit_seconds: Option<u64>,
    run_limit_seconds: Option<u64>,
    rest_seconds: Option<u64>,
    silent_after_seconds: Option<u64>,
    reboot_silent_after_seconds: Option<u64>,
    stuck_after_seconds: Option<u64>,
    absent_grace_seconds: Option<u64>,
    start_limit_seconds: Option<u64>,
}

/// A setting, and the rule that it breaks.
type Fault = (&'static str, String);

impl Settings {
    /// Reads the settings of a machine.
    ///
    /// # Errors
    /// What is wrong with which setting.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let unreadable = |source| SettingsError::Unreadable { path: path.into(), source };
        let mut text = String::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(SETTINGS_MAX).read_to_string(&mut text).map_err(unreadable)?;
        let file: MachineFile = toml::from_str(&text)
            .map_err(|source| SettingsError::Wrong { path: path.into(), source: Box::new(source) })?;
        Self::checked(file).map_err(|(setting, rule)| SettingsError::Senseless {
            path: path.into(),
            setting,
            rule,
        })
    }

    fn checked(file: MachineFile) -> Result<Self, Fault> {
        let ManagerTable { people, nodes, names, fetch_rate } = file.manager;
        if !(1..=NAMES_MAX).contains(&names.len()) {
            return Err(("[manager] names", format!("must list 1 to {NAMES_MAX} names or addresses")));
        }
        if fetch_rate == Some(0) {
            return Err(("[manager] fetch_rate", "must be at least 1; leave it out for no limit".into()));
        }
        Ok(Self { people, nodes, names, fetch_rate, policy: file.policy.over(Policy::standard())? })
    }
}

impl PolicyTable {
    /// The standard policy with what this machine overrides.
    fn over(self, mut policy: Policy) -> Result<Policy, Fault> {
        let spans: [(&'static str, u64, Option<u64>, &mut Span); 8] = [
            ("[policy] drain_limit_seconds", 1, self.drain_limit_seconds, &mut policy.drain_limit),
            ("[policy] run_limit_seconds", 1, self.run_limit_seconds, &mut policy.run_limit),
            ("[policy] rest_seconds", 0, self.rest_seconds, &mut policy.rest),
            ("[policy] silent_after_seconds", 1, self.silent_after_seconds, &mut policy.silent_after),
            (
                "[policy] reboot_silent_after_seconds",
                1,
                self.reboot_silent_after_seconds,
                &mut policy.reboot_silent_after,
            ),
            ("[policy] stuck_after_seconds", 1, self.stuck_after_seconds, &mut policy.stuck_after),
            ("[policy] absent_grace_seconds", 0, self.absent_grace_seconds, &mut policy.absent_grace),
            ("[policy] start_limit_seconds", 1, self.start_limit_seconds, &mut policy.start_limit),
        ];
        for (setting, least, given, span) in spans {
            let Some(seconds) = given else { continue };
            if !(least..=LONGEST_SECONDS).contains(&seconds) {
                return Err((setting, format!("must be {least} to {LONGEST_SECONDS}")));
            }
            *span = Span::seconds(seconds);
        }
        match self.nodes_at_once {
            Some(0) => return Err(("[policy] nodes_at_once", "must be at least 1".into())),
            Some(nodes) => policy.nodes_at_once = nodes,
            None => {}
        }
        policy.name = self.name.unwrap_or(policy.name);
        Ok(policy)
    }
}

#[cfg(test)]
mod tests {
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
    fn a_machine_without_a_policy_has_the_standard_one() {
        let settings = read(&format!("[boot]\ntries = 3\n{MANAGER}")).unwrap();
        assert_eq!(settings.policy, Policy::standard());
        assert_eq!(settings.names, ["127.0.0.10"]);
    }

    #[test]
    fn a_machine_may_override_the_policy() {
        let settings =
            read(&format!("{MANAGER}[policy]\ndrain_limit_seconds = 60\nnodes_at_once = 2")).unwrap();
        let expected = Policy { drain_limit: Span::seconds(60), nodes_at_once: 2, ..Policy::standard() };
        assert_eq!(settings.policy, expected);
    }

    #[test]
    fn a_misspelt_or_senseless_setting_is_refused_and_named() {
        let check = |text: &str, named: &str| {
            let refusal = crate::report::chain(&read(text).unwrap_err());
            assert!(refusal.contains(named), "{refusal}");
        };
        check("", "manager");
        check(&format!("{MANAGER}fetchrate = 3"), "fetchrate");
        check(&format!("{MANAGER}fetch_rate = 0"), "fetch_rate");
        check(&MANAGER.replace("[\"127.0.0.10\"]", "[]"), "names");
        check(&format!("{MANAGER}[policy]\nnodes_at_once = 0"), "nodes_at_once");
        check(&format!("{MANAGER}[policy]\ndrain_limit_seconds = 0"), "drain_limit_seconds");
        check(&format!("{MANAGER}[policy]\ndrain = 1"), "drain");
    }
}
