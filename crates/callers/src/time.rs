//! The clock of the callers.
//!
//! Times are milliseconds since the Unix epoch, so that they can be compared with times of a manager. They advance with
//! the monotonic clock, so that a step of the wall clock never changes the length of a gap.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A time in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// The duration since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Time) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }

    /// This time plus `span`.
    #[must_use]
    pub fn plus(self, span: Millis) -> Time {
        Time(self.0.saturating_add(span.0))
    }

    /// This time minus `span`.
    #[must_use]
    pub fn minus(self, span: Millis) -> Time {
        Time(self.0.saturating_sub(span.0))
    }
}

/// A duration in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// A number of seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Millis {
        Millis(seconds * 1000)
    }

    /// The same duration for `std` and tokio.
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

/// A clock: the wall clock at its start, plus the monotonic time since then.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Instant,
    wall: Time,
}

impl Clock {
    /// Starts a clock at the wall clock's time.
    #[must_use]
    pub fn start() -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Time(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        Clock { began: Instant::now(), wall }
    }

    /// The present time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.wall.plus(Millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)))
    }
}
