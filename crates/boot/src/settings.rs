//! Reads the `[boot]` table of `machine.toml`. Other tables belong to the release and are skipped.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use slots::{BootTable, MACHINE_FILE_MAX, describe_fault};

use crate::report::{Failure, failed};

/// The time limits and the number of tries by which `boot` treats a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// How long a new release has to confirm itself.
    pub(crate) confirm_within: Duration,
    /// How often a new release is started before it is left.
    pub(crate) tries: u32,
    /// How long a program has between SIGTERM and SIGKILL.
    pub(crate) stop_grace: Duration,
}

#[derive(Deserialize)]
struct MachineFile {
    #[serde(default)]
    boot: BootTable,
}

impl Settings {
    /// Reads the settings of a machine.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let mut text = String::new();
        let file = File::open(path).map_err(failed("read the settings", path))?;
        let length = file.take(MACHINE_FILE_MAX + 1).read_to_string(&mut text);
        let unusable = |reason| Failure::Settings { path: path.to_path_buf(), reason };
        if length.map_err(failed("read the settings", path))? as u64 > MACHINE_FILE_MAX {
            return Err(unusable(format!("the file has more than {MACHINE_FILE_MAX} bytes")));
        }
        Self::parse(&text).map_err(unusable)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let described = |error: toml::de::Error| describe_fault(text, error.span(), error.message());
        let MachineFile { boot } = toml::from_str(text).map_err(described)?;
        boot.check()?;
        let BootTable { confirm_within_seconds, tries, stop_grace_seconds } = boot;
        Ok(Self {
            confirm_within: Duration::from_secs(confirm_within_seconds),
            tries: u32::try_from(tries).map_err(|error| error.to_string())?,
            stop_grace: Duration::from_secs(stop_grace_seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_without_a_boot_table_has_the_defaults() {
        let settings = Settings::parse("[node]\nname = \"x\"\n").unwrap();
        assert_eq!(settings.confirm_within, Duration::from_secs(300));
        assert_eq!((settings.tries, settings.stop_grace), (3, Duration::from_secs(10)));
    }

    #[test]
    fn each_setting_can_be_set() {
        let settings =
            Settings::parse("[boot]\nconfirm_within_seconds=7\ntries=5\nstop_grace_seconds=0").unwrap();
        assert_eq!(settings.confirm_within, Duration::from_secs(7));
        assert_eq!((settings.tries, settings.stop_grace), (5, Duration::ZERO));
    }

    #[test]
    fn misspelt_or_invalid_setting_is_refused_and_named() {
        let check = |text: &str, named: &str| {
            let reason = Settings::parse(text).unwrap_err();
            assert!(reason.contains(named), "{reason}");
        };
        check("[boot]\ntrys = 3", "trys");
        check("[boot]\ntries = 0", "tries");
        check("[boot]\nconfirm_within_seconds = 0", "confirm_within_seconds");
        check("[boot]\nstop_grace_seconds = 3601", "stop_grace_seconds");
        check("[boot", "line 1: ");
    }

    #[test]
    fn reason_shows_nothing_of_a_line_that_may_hold_a_password() {
        let reason = Settings::parse("[[accounts]]\npassword = \"geheim\n").unwrap_err();
        assert!(reason.starts_with("line 2") && !reason.contains("geheim"), "{reason}");
    }
}
