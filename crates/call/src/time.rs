//! Time as a value for the pure parts: milliseconds since the engine started. Only [`Clock`] reads a clock; the I/O
//! parts pass its time on.

use std::ops::Add;
use std::time::{Duration, Instant};

/// A moment, in milliseconds since the engine started. Never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// The monotonic clock, the only source of [`Time`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        Time::default() + self.start.elapsed()
    }

    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.start + Duration::from_millis(time.0)
    }
}
