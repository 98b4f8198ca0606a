//! The one clock of the callers: when something happened on our side.
//!
//! Times are milliseconds since the Unix epoch so that a ledger can be laid beside the times of a
//! manager or a log; they advance with the monotonic clock, so a jump of the wall clock during a
//! run cannot lengthen or shorten a gap.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// The time from `earlier` to this one; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Time) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    /// This moment and `span` more.
    #[must_use]
    pub fn plus(self, span: Millis) -> Time {
        Time(self.0.saturating_add(span.0))
    }

    /// This moment less `span`.
    #[must_use]
    pub fn minus(self, span: Millis) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// So many whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Millis {
        Millis(seconds * 1000)
    }

    /// The same span for `std` and tokio.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 1000 {
            write!(f, "{} ms", self.0)
        } else {
            write!(f, "{}.{} s", self.0 / 1000, self.0 % 1000 / 100)
        }
    }
}

/// Tells the time: the wall clock as it stood when the clock was made, plus the monotonic time
/// elapsed since.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    wall: Time,
}

impl Clock {
    /// A clock set by the machine's wall clock.
    #[must_use]
    pub fn start() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Time(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        Clock { began: Instant::now(), wall }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.wall.plus(Millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)))
    }
}
