//! Times of the API: UTC, ISO 8601 without a zone there, printed with their zone and how long ago they were.

use std::fmt;

use fleet::time::{Span, Wall};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtcTime(pub Timestamp);

impl UtcTime {
    /// A time of the wall clock. The platform's own time must not be shown: `Fleet::shown` converts it.
    pub fn of(wall: Wall) -> Self {
        let milliseconds = i64::try_from(wall.0).unwrap_or(i64::MAX);
        Self(Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX))
    }

    /// As the API has it, such as `2026-11-23T18:05:27.000000`: always with six digits of fraction, so that clients that
    /// parse strictly can read it.
    pub fn text(self) -> String {
        self.0.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }

    /// How long after `earlier`; zero if it was before.
    pub fn since(self, earlier: Self) -> Span {
        let millis = self.0.as_millisecond().saturating_sub(earlier.0.as_millisecond());
        Span(u64::try_from(millis).unwrap_or(0))
    }

    /// `2026-11-23 18:05:52Z (3 min ago)`.
    pub fn ago(self, now: Self) -> String {
        if self > now {
            format!("{self} (in {})", self.since(now))
        } else {
            format!("{self} ({} ago)", now.since(self))
        }
    }

    /// The time of day alone, for lines that follow each other: `18:05:52Z`.
    pub fn clock(self) -> String {
        self.0.strftime("%H:%M:%SZ").to_string()
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%d %H:%M:%SZ"))
    }
}

impl Serialize for UtcTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for UtcTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is not a time in UTC")))
    }
}

/// Reads a time with or without a zone; without one it is UTC.
fn parse(text: &str) -> Option<UtcTime> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(UtcTime(timestamp));
    }
    let timestamp = TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok()?;
    Some(UtcTime(timestamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_without_a_zone_is_utc_and_printed_with_its_zone() {
        let then = parse("2026-11-23T18:05:52.123456").unwrap();
        assert_eq!(then.to_string(), "2026-11-23 18:05:52Z");
        assert_eq!(parse("2026-11-23T19:05:52.123456+01:00"), Some(then));
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn time_is_printed_with_its_distance() {
        let then = parse("2026-11-23T18:05:52").unwrap();
        let now = parse("2026-11-23T18:08:52.5").unwrap();
        assert_eq!(then.ago(now), "2026-11-23 18:05:52Z (3 min ago)");
        assert_eq!(now.ago(then), "2026-11-23 18:08:52Z (in 3 min)");
        assert_eq!(then.clock(), "18:05:52Z");
    }

    #[test]
    fn time_has_six_digits_of_fraction_and_no_zone_and_is_read_back() {
        let check = |milliseconds, expected: &str| {
            let time = UtcTime::of(Wall(milliseconds));
            assert_eq!(time.text(), expected);
            assert_eq!(parse(expected).unwrap().text(), expected);
        };
        check(0, "1970-01-01T00:00:00.000000");
        check(1_606_509_644_605, "2020-11-27T20:40:44.605000");
        check(u64::MAX, "9999-12-30T22:00:00.999999");
    }
}
