//! Time as a value for the pure parts. Only [`Clock`] reads a clock; the I/O
//! parts pass its time on.

use std::ops::Add;
use std::time::{Duration, Instant};

/// A moment, in milliseconds since [`BEFORE`] the start of the engine. Never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// So long before; the first moment there is when that lies further back.
    #[must_use]
    pub fn before(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// How long before the start of the engine its time begins: calls that it takes over from another process may have begun
/// earlier. One that is older counts as so old.
const BEFORE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

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
        Time::default() + BEFORE + self.start.elapsed()
    }

    pub(crate) fn instant(&self, time: Time) -> Instant {
        let since_start = time.since(Time::default() + BEFORE);
        let until_start = (Time::default() + BEFORE).since(time);
        // A machine that started less than seven days ago may have no such moment.
        (self.start + since_start).checked_sub(until_start).unwrap_or(self.start)
    }
}
