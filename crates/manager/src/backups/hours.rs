//! The hours of a day, in UTC, at which backups are made. Pure.

use fleet::time::{Span, Wall};

/// Hours of a day.
const DAY: u64 = 24;

/// An hour of each day, and every so many hours after it until the next day's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hours {
    start: u64,
    interval: u64,
}

impl Hours {
    /// Every `interval` hours from hour `start` on. What is out of bounds is the nearest value within.
    pub(super) fn new(start: u64, interval: u64) -> Self {
        Self { start: start.min(DAY - 1), interval: interval.clamp(1, DAY) }
    }

    /// Whether a backup is due when the last one was made at `last`: one that was missed is made up for, and the first
    /// one is made at once.
    pub(super) fn is_due(self, now: Wall, last: Option<Wall>) -> bool {
        last.is_none_or(|last| last < self.last_begun(now))
    }

    /// The beginning of the last of the hours.
    fn last_begun(self, now: Wall) -> Wall {
        let hour = now.0 / Span::hours(1).0;
        let ago = (0..DAY).find(|ago| self.has(hour.saturating_sub(*ago) % DAY)).unwrap_or(0);
        Wall(hour.saturating_sub(ago) * Span::hours(1).0)
    }

    fn has(self, hour: u64) -> bool {
        ((hour + DAY - self.start) % DAY).is_multiple_of(self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u64, hour: u64, minute: u64) -> Wall {
        Wall(((day * DAY + hour) * 60 + minute) * 60_000)
    }

    #[test]
    fn backup_is_due_once_in_each_of_the_hours() {
        let check = |(start, interval), now: Wall, last: Wall, expected: bool| {
            assert_eq!(Hours::new(start, interval).is_due(now, Some(last)), expected, "{start} {interval}");
        };
        // Once a day at one.
        check((1, 24), at(9, 0, 59), at(8, 1, 0), false);
        check((1, 24), at(9, 1, 0), at(8, 1, 0), true);
        check((1, 24), at(9, 23, 0), at(9, 1, 0), false);
        // At 1, 6, 11, 16 and 21, and at 1 again.
        check((1, 5), at(9, 21, 30), at(9, 16, 1), true);
        check((1, 5), at(10, 0, 59), at(9, 21, 0), false);
        check((1, 5), at(10, 1, 0), at(9, 21, 0), true);
        // Every hour, and the schedule begins late in the day.
        check((23, 1), at(9, 2, 0), at(9, 1, 59), true);
        check((23, 12), at(9, 10, 59), at(8, 23, 0), false);
        check((23, 12), at(9, 11, 0), at(8, 23, 0), true);
        // After a week without power, and after the clock has gone back.
        check((1, 24), at(16, 0, 30), at(9, 1, 0), true);
        check((1, 24), at(8, 1, 0), at(9, 1, 0), false);
    }

    #[test]
    fn first_backup_is_made_at_once() {
        assert!(Hours::new(1, 24).is_due(at(9, 12, 0), None));
        assert!(Hours::new(99, 0).is_due(Wall(0), None));
    }
}
