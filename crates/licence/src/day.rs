//! Days in UTC, as a licence names them.

use std::fmt;
use std::str::FromStr;

use fleet::time::Wall;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A day in UTC, written `2026-11-23` and in no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(Date);

/// The text is not a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a day must read like 2026-11-23")]
pub struct NotADay;

impl Day {
    /// The day of a moment.
    pub fn of(moment: Wall) -> Self {
        Self(TimeZone::UTC.to_datetime(timestamp(moment)).date())
    }

    /// Its first moment.
    pub fn begins(self) -> Wall {
        let moment = TimeZone::UTC.to_timestamp(self.0.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX);
        Wall(u64::try_from(moment.as_millisecond()).unwrap_or(0))
    }

    /// The first moment of the day after it.
    pub fn ends(self) -> Wall {
        Self(self.0.saturating_add(1.day())).begins()
    }
}

fn timestamp(moment: Wall) -> Timestamp {
    let milliseconds = i64::try_from(moment.0).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX)
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        let date: Date = text.parse().map_err(|_| NotADay)?;
        if date.to_string() == text { Ok(Self(date)) } else { Err(NotADay) }
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_begins_and_ends_at_midnight_in_utc() {
        let day: Day = "2026-11-30".parse().unwrap();
        assert_eq!((day.begins(), day.ends()), (Wall(1_795_996_800_000), Wall(1_796_083_200_000)));
        assert_eq!((Day::of(day.begins()), Day::of(Wall(day.ends().0 - 1))), (day, day));
        assert_ne!(Day::of(day.ends()), day);
        assert_eq!(Day::of(Wall(u64::MAX)).to_string(), "9999-12-30");
    }

    #[test]
    fn day_is_written_in_one_way() {
        for text in ["", "2026-11-31", "20261130", "2026-11-30T00:00", "30.11.2026", "+2026-11-30"] {
            assert_eq!(text.parse::<Day>(), Err(NotADay), "{text}");
        }
    }
}
