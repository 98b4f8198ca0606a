//! Times of the API: read, and printed with their zone and how long ago they were. Reads this machine's clock only in
//! [`UtcTime::now`].

use std::fmt;

use fleet::time::Span;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, de};

/// A time of the API: UTC, written without a zone there and printed with one here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UtcTime(pub(crate) Timestamp);

impl UtcTime {
    /// The moment on this machine's clock.
    pub(crate) fn now() -> Self {
        Self(Timestamp::now())
    }

    /// How long after `earlier`; zero if it was before.
    pub(crate) fn since(self, earlier: Self) -> Span {
        let millis = self.0.as_millisecond().saturating_sub(earlier.0.as_millisecond());
        Span(u64::try_from(millis).unwrap_or(0))
    }

    /// `2026-11-23 18:05:52Z (3 min ago)`.
    pub(crate) fn ago(self, now: Self) -> String {
        if self > now {
            format!("{self} (in {})", self.since(now))
        } else {
            format!("{self} ({} ago)", now.since(self))
        }
    }

    /// The time of day alone, for lines that follow each other: `18:05:52Z`.
    pub(crate) fn clock(self) -> String {
        self.0.strftime("%H:%M:%SZ").to_string()
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%d %H:%M:%SZ"))
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
}
