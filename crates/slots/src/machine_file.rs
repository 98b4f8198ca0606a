//! `machine.toml`: its file name, its size limit and its `[boot]` table with defaults, which boot reads and every
//! release checks. Its other tables belong to the programs that read them.

use std::ops::{Range, RangeInclusive};

use serde::Deserialize;

/// Its name in the root directory.
pub const MACHINE_FILE: &str = "machine.toml";

/// Largest accepted `machine.toml`, in bytes (1 MiB): far above any real one, far below what would hurt.
pub const MACHINE_FILE_MAX: u64 = 1_048_576;

/// `[boot] confirm_within_seconds` where it is not set. Five minutes cover the migration of a large
/// store on a slow disk.
pub const CONFIRM_WITHIN_SECONDS: u64 = 300;

/// `[boot] tries` where it is not set. Three cover two power cuts.
pub const TRIES: u64 = 3;

/// `[boot] stop_grace_seconds` where it is not set. Ten seconds cover hanging up all calls of a node.
pub const STOP_GRACE_SECONDS: u64 = 10;

/// Allowed values. A release that needs a day to confirm itself needs a person.
const CONFIRM_WITHIN_ALLOWED: RangeInclusive<u64> = 1..=24 * 60 * 60;
/// One try at least; more than a hundred is a loop and not a try.
const TRIES_ALLOWED: RangeInclusive<u64> = 1..=100;
/// Zero kills at once; an hour is the longest a program may need to hang up its calls.
const STOP_GRACE_ALLOWED: RangeInclusive<u64> = 0..=60 * 60;

/// The `[boot]` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootTable {
    /// How long a new release has to confirm itself, in seconds.
    pub confirm_within_seconds: u64,
    /// How often a new release is started before it is left.
    pub tries: u64,
    /// How long a program has between SIGTERM and SIGKILL, in seconds.
    pub stop_grace_seconds: u64,
}

impl Default for BootTable {
    fn default() -> Self {
        Self {
            confirm_within_seconds: CONFIRM_WITHIN_SECONDS,
            tries: TRIES,
            stop_grace_seconds: STOP_GRACE_SECONDS,
        }
    }
}

impl BootTable {
    /// Refuses values that are not allowed.
    ///
    /// # Errors
    /// Which setting, its value, and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let Self { confirm_within_seconds, tries, stop_grace_seconds } = *self;
        within("confirm_within_seconds", confirm_within_seconds, CONFIRM_WITHIN_ALLOWED)?;
        within("tries", tries, TRIES_ALLOWED)?;
        within("stop_grace_seconds", stop_grace_seconds, STOP_GRACE_ALLOWED)
    }
}

/// What is wrong in the text of a `machine.toml`, in which line, and with which setting, without its value: that may be a
/// password.
#[must_use]
pub fn describe_fault(text: &str, place: Option<Range<usize>>, message: &str) -> String {
    let Some(before) = place.and_then(|place| text.get(..place.start)) else { return message.to_owned() };
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text[begin..].lines().next().unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    match setting(line) {
        Some(name) => format!("line {number}, {name}: {message}"),
        None => format!("line {number}: {message}"),
    }
}

/// The name of the setting in a line, if it has one.
fn setting(line: &str) -> Option<&str> {
    let name = line.split_once('=')?.0.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
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
    fn fault_is_described_without_its_line() {
        let text = "[node]\npassword = 5\n";
        assert_eq!(describe_fault(text, Some(7..19), "no text"), "line 2, password: no text");
        assert_eq!(describe_fault(text, Some(18..19), "no text"), "line 2, password: no text");
        assert_eq!(describe_fault("a b = 5", Some(0..1), "no text"), "line 1: no text");
        assert_eq!(describe_fault(text, Some(0..6), "no text"), "line 1: no text");
        assert_eq!(describe_fault(text, Some(999..1000), "no text"), "no text");
        assert_eq!(describe_fault(text, None, "no text"), "no text");
    }

    #[test]
    fn boot_table_is_refused_beyond_the_allowed_values() {
        let check = |confirm_within_seconds: u64, tries: u64, stop_grace_seconds: u64, expected: &str| {
            let refused = BootTable { confirm_within_seconds, tries, stop_grace_seconds }.check().err();
            assert_eq!(refused.unwrap_or_default(), expected);
        };
        assert_eq!(BootTable::default().check(), Ok(()));
        check(1, 1, 0, "");
        check(86_400, 100, 3_600, "");
        check(0, 1, 0, "[boot] confirm_within_seconds is 0; it may be 1 to 86400");
        check(86_401, 1, 0, "[boot] confirm_within_seconds is 86401; it may be 1 to 86400");
        check(1, 0, 0, "[boot] tries is 0; it may be 1 to 100");
        check(1, 101, 0, "[boot] tries is 101; it may be 1 to 100");
        check(1, 1, 3_601, "[boot] stop_grace_seconds is 3601; it may be 0 to 3600");
    }
}
