//! The time: what was stored last, plus the time spent down by the wall clock, plus what a monotonic
//! clock counts since. A jump of the wall clock while the Management Node runs changes nothing.

use std::time::Instant;

use fleet::time::Time;
use slots::UnixMillis;

/// Counts the platform's time. It never goes backwards.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Time,
    at: Instant,
}

impl Clock {
    /// Goes on from the stored time: the platform's, and the wall clock's of the same moment. A
    /// platform that has none begins with the wall clock.
    pub fn resume(stored: Option<(Time, Time)>) -> Self {
        Self { began: resumed(stored, wall()), at: Instant::now() }
    }

    /// Now.
    pub fn now(&self) -> Time {
        let elapsed = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began + fleet::time::Span(elapsed)
    }
}

/// What the wall clock says.
pub fn wall() -> Time {
    Time(UnixMillis::now().0)
}

fn resumed(stored: Option<(Time, Time)>, wall: Time) -> Time {
    stored.map_or(wall, |(time, wall_then)| time + wall.since(wall_then))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spent_down_comes_from_the_wall_clock_and_is_never_negative() {
        let check = |stored, wall, expected| assert_eq!(resumed(stored, Time(wall)), Time(expected));
        check(None, 5_000, 5_000);
        check(Some((Time(1_000), Time(1_000))), 5_000, 5_000);
        check(Some((Time(1_000), Time(9_000))), 9_500, 1_500);
        check(Some((Time(7_000), Time(7_000))), 3_000, 7_000);
    }

    #[test]
    fn time_does_not_go_backwards() {
        let clock = Clock::resume(Some((Time(u64::MAX / 2), Time(0))));
        let first = clock.now();
        assert!(clock.now() >= first);
    }
}
