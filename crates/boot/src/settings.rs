//! The `[boot]` table of `machine.toml`. Other tables belong to the release and are skipped.

use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use slots::MACHINE_FILE_MAX;

use crate::report::{Failure, failed};

/// Allowed values. A release that needs a day to confirm itself needs a person.
const CONFIRM_WITHIN: RangeInclusive<u64> = 1..=24 * 60 * 60;
/// One try at least; more than a hundred is a loop and not a try.
const TRIES: RangeInclusive<u64> = 1..=100;
/// Zero kills at once; an hour is the longest a program may need to hang up its calls.
const STOP_GRACE: RangeInclusive<u64> = 0..=60 * 60;

/// How patient `boot` is.
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
    boot: Table,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Table {
    confirm_within_seconds: u64,
    tries: u64,
    stop_grace_seconds: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            confirm_within_seconds: slots::CONFIRM_WITHIN_SECONDS,
            tries: slots::TRIES,
            stop_grace_seconds: slots::STOP_GRACE_SECONDS,
        }
    }
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
        let MachineFile { boot } = toml::from_str(text).map_err(|error| error.to_string())?;
        let Table { confirm_within_seconds, tries, stop_grace_seconds } = boot;
        within("confirm_within_seconds", confirm_within_seconds, CONFIRM_WITHIN)?;
        within("tries", tries, TRIES)?;
        within("stop_grace_seconds", stop_grace_seconds, STOP_GRACE)?;
        Ok(Self {
            confirm_within: Duration::from_secs(confirm_within_seconds),
            tries: u32::try_from(tries).map_err(|error| error.to_string())?,
            stop_grace: Duration::from_secs(stop_grace_seconds),
        })
    }
}

fn within(name: &str, value: u64, allowed: RangeInclusive<u64>) -> Result<(), String> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(format!("[boot] {name} is {value}; it may be {} to {}", allowed.start(), allowed.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_boot_table_has_the_defaults() {
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
    fn a_misspelt_or_senseless_setting_is_refused_and_named() {
        let check = |text: &str, named: &str| {
            let reason = Settings::parse(text).unwrap_err();
            assert!(reason.contains(named), "{reason}");
        };
        check("[boot]\ntrys = 3", "trys");
        check("[boot]\ntries = 0", "tries");
        check("[boot]\nconfirm_within_seconds = 0", "confirm_within_seconds");
        check("[boot]\nstop_grace_seconds = 3601", "stop_grace_seconds");
        check("[boot", "boot");
    }
}
