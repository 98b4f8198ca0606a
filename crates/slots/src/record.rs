//! The slot record, the contents of `boot.json`: selection, tries, confirmation and the last fall-back.
//! Only the types and their texts; [`crate::Machine`] reads and writes the file.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::Slot;

/// The contents of `boot.json`.
///
/// `boot` is not part of a release, so a release may run with an older or a newer `boot`: unknown fields are
/// skipped, and a change that cannot be skipped needs a new format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The format of this file; [`Record::FORMAT`] today.
    pub format: u32,
    /// The slot whose release has confirmed itself, and to which a fall-back goes.
    pub confirmed: Slot,
    /// The release that was selected and has not confirmed itself yet.
    pub trying: Option<Trying>,
    /// The last fall-back; cleared by the next selection.
    pub fell_back: Option<FellBack>,
}

impl Record {
    /// The format that this release writes and reads.
    pub const FORMAT: u32 = 1;

    /// A record with a confirmed slot and nothing else.
    pub const fn confirmed(slot: Slot) -> Self {
        Self { format: Self::FORMAT, confirmed: slot, trying: None, fell_back: None }
    }

    /// The slot that starts next: the one being tried, else the confirmed one.
    pub fn selected(&self) -> Slot {
        self.trying.as_ref().map_or(self.confirmed, |trying| trying.slot)
    }

    /// Why this record cannot be used, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.format != Self::FORMAT {
            return Some(format!(
                "its format is {} and this program reads format {}",
                self.format,
                Self::FORMAT
            ));
        }
        let trying = self.trying.as_ref()?;
        (trying.slot == self.confirmed)
            .then(|| format!("slot {} is both confirmed and being tried", trying.slot))
    }
}

/// A release that has to confirm itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trying {
    /// Where it is; never the confirmed slot.
    pub slot: Slot,
    /// SHA-256 of its manifest, as in its [`crate::SlotIdentity`].
    pub manifest: String,
    /// How many times it was started; counted durably before each start.
    pub tries: u32,
}

/// A fall-back: a release was tried and did not confirm itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FellBack {
    /// SHA-256 of the manifest of the release that did not confirm itself.
    pub manifest: String,
    /// The reason.
    pub why: Why,
    /// When, by the machine's wall clock.
    pub at: UnixMillis,
    /// Set when the confirmed release did not start either: the machine ran none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stranded: Option<Stranded>,
}

/// A confirmed release that does not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranded {
    /// How its last start ended at that time, such as `exit status 1`.
    pub exit: String,
}

impl FellBack {
    /// The text with which a release that starts after the fall-back, at `now`, reports it.
    pub fn sentence(&self, now: UnixMillis) -> String {
        let Self { manifest: _, why, at, stranded } = self;
        let Some(Stranded { exit }) = stranded else { return format!("the release {why}") };
        let minutes = now.0.saturating_sub(at.0) / 60_000;
        format!(
            "the release {why}; the release before it did not start either ({exit}), so that this machine ran \
             none for {minutes} min"
        )
    }
}

/// The reason of a fall-back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Why {
    /// It ran, and did not confirm itself in time.
    NeverConfirmed {
        /// The time it had, in seconds, since its start or since it last asked for more.
        within_seconds: u64,
    },
    /// It ended by itself before it confirmed itself, as often as it may.
    EndedAtStart {
        /// How many times it was started.
        tries: u32,
        /// How the last one ended, such as `exit status 101` or `signal 11`.
        exit: String,
    },
    /// Its tries were used up by starts whose end `boot` did not observe, such as power cuts.
    TriesUsedUp {
        /// How many times it was started.
        tries: u32,
    },
    /// Its slot does not hold the release that was selected.
    Damaged {
        /// What is wrong with the slot.
        reason: String,
    },
    /// A reason that a newer `boot` knows and this release does not.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverConfirmed { within_seconds } => {
                write!(f, "did not confirm itself in {within_seconds} s")
            }
            Self::EndedAtStart { tries: 1, exit } => write!(f, "crashed at start, {exit}, in its only try"),
            Self::EndedAtStart { tries, exit } => {
                write!(f, "crashed at start, {exit}, in the last of {tries} tries")
            }
            Self::TriesUsedUp { tries } => {
                write!(f, "was started {tries} times and interrupted each time before it confirmed itself")
            }
            Self::Damaged { reason } => write!(f, "could not be started: {reason}"),
            Self::Unknown => {
                f.write_str("did not confirm itself, for a reason that this release does not know")
            }
        }
    }
}

/// A moment of the wall clock: milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The machine's wall clock now; 0 when it stands before 1970.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_of_a_newer_release_with_more_fields_is_read() {
        let text = r#"{"format":1,"confirmed":"a","trying":null,"later":7,
            "fell_back":{"manifest":"x","why":{"kind":"struck_by_lightning","volts":9},"at":5}}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.fault(), None);
        assert_eq!(record.fell_back.unwrap().why, Why::Unknown);
    }

    #[test]
    fn every_reason_reads_back_as_written() {
        let reasons = [
            Why::NeverConfirmed { within_seconds: 300 },
            Why::EndedAtStart { tries: 3, exit: "exit status 1".into() },
            Why::TriesUsedUp { tries: 3 },
            Why::Damaged { reason: "no program".into() },
        ];
        for why in reasons {
            let text = serde_json::to_string(&why).unwrap();
            assert_eq!(serde_json::from_str::<Why>(&text).unwrap(), why);
        }
    }

    #[test]
    fn fall_back_to_a_release_that_did_not_start_either_is_reported_with_its_duration() {
        let text = r#"{"manifest":"x","why":{"kind":"tries_used_up","tries":3},"at":60000}"#;
        let mut fell_back: FellBack = serde_json::from_str(text).unwrap();
        let now = UnixMillis(60_000 * 13);
        let usual = fell_back.sentence(now);
        assert!(usual.starts_with("the release was started 3 times") && !usual.contains("either"), "{usual}");
        assert!(!serde_json::to_string(&fell_back).unwrap().contains("stranded"));
        fell_back.stranded = Some(Stranded { exit: "exit status 1".into() });
        let said = fell_back.sentence(now);
        assert!(
            said.ends_with("did not start either (exit status 1), so that this machine ran none for 12 min")
        );
        let again = serde_json::from_str::<FellBack>(&serde_json::to_string(&fell_back).unwrap()).unwrap();
        assert_eq!(again, fell_back);
    }

    #[test]
    fn slot_cannot_be_confirmed_and_tried_at_once() {
        let trying = Trying { slot: Slot::A, manifest: "0".repeat(64), tries: 0 };
        let record = Record { trying: Some(trying), ..Record::confirmed(Slot::A) };
        assert!(record.fault().is_some());
        let newer = Record { format: 2, ..Record::confirmed(Slot::A) };
        assert!(newer.fault().is_some());
    }
}
