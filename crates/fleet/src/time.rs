//! Time as a value: milliseconds that can be stored and replayed, and how they are printed. Nothing here reads a
//! clock; the shells pass the time in.

use core::fmt;
use core::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970-01-01 UTC as the machine's shell counts them. It never goes
/// backwards on one machine and does not follow its wall clock; two machines need not agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

/// A length of time in milliseconds. Printed for people: `45 s`, `41 min`, `1 h 19 min`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub u64);

/// The reading of a machine's wall clock: milliseconds since 1970-01-01 UTC. Anybody may set it, so nothing is
/// decided by it. It is what people are shown; a [`Time`] is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(pub u64);

/// How far one clock is ahead of another, in milliseconds; behind when it is negative. Printed for people:
/// `2 h ahead`, `41 s behind`; before the name of the other clock, with `{:#}`, `2 h ahead of`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub i64);

impl Time {
    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }

    /// How long it is until `later`; zero when it has passed.
    pub fn until(self, later: Self) -> Span {
        later.since(self)
    }

    /// The reading of a wall clock that is this far ahead.
    pub fn on_wall(self, ahead: Offset) -> Wall {
        Wall(self.0) + ahead
    }
}

impl Wall {
    /// How far it is ahead of another wall clock of the same moment.
    pub fn ahead_of(self, other: Self) -> Offset {
        let size = |more: u64, less: u64| i64::try_from(more - less).unwrap_or(i64::MAX);
        if self >= other { Offset(size(self.0, other.0)) } else { Offset(-size(other.0, self.0)) }
    }

    /// How far it is ahead of a program's time of the same moment.
    pub fn ahead_of_time(self, time: Time) -> Offset {
        self.ahead_of(Self(time.0))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Offset {
    /// Its absolute value.
    pub fn size(self) -> Span {
        Span(self.0.unsigned_abs())
    }

    /// How much more it is than `other`.
    pub fn since(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// A span of whole minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// A span of whole hours.
    pub const fn hours(hours: u64) -> Self {
        Self::minutes(hours.saturating_mul(60))
    }
}

impl Add<Span> for Time {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Add<Span> for Wall {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Add<Offset> for Wall {
    type Output = Self;

    fn add(self, offset: Offset) -> Self {
        Self(self.0.saturating_add_signed(offset.0))
    }
}

impl Add<Span> for Offset {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add_unsigned(span.0))
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000;
        match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
            (0, 0, seconds) => write!(f, "{seconds} s"),
            (0, minutes, seconds) if minutes < 5 && seconds > 0 => write!(f, "{minutes} min {seconds} s"),
            (0, minutes, _) => write!(f, "{minutes} min"),
            (hours, 0, _) => write!(f, "{hours} h"),
            (hours, minutes, _) => write!(f, "{hours} h {minutes} min"),
        }
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match (self.0 < 0, f.alternate()) {
            (true, _) => "behind",
            (false, true) => "ahead of",
            (false, false) => "ahead",
        };
        write!(f, "{} {side}", self.size())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn span_is_printed_for_people() {
        let check = |span: Span, expected: &str| assert_eq!(span.to_string(), expected);
        check(Span(999), "0 s");
        check(Span::seconds(59), "59 s");
        check(Span::seconds(61), "1 min 1 s");
        check(Span::seconds(41 * 60 + 59), "41 min");
        check(Span::minutes(60), "1 h");
        check(Span::minutes(79), "1 h 19 min");
    }

    #[test]
    fn time_since_a_later_moment_is_zero() {
        assert_eq!(Time(5).since(Time(9)), Span::ZERO);
        assert_eq!(Time(u64::MAX) + Span::hours(1), Time(u64::MAX));
    }

    #[test]
    fn spans_lie_between_moments() {
        assert_eq!((Time(9).since(Time(5)), Time(5).until(Time(9))), (Span(4), Span(4)));
        assert_eq!((Wall(9).since(Wall(5)), Wall(5) + Span(4)), (Span(4), Wall(9)));
        assert_eq!((Span(5) + Span(4), Span(9) - Span(4)), (Span(9), Span(5)));
    }

    #[test]
    fn one_clock_is_ahead_of_another_or_behind() {
        let check = |one: u64, other: u64, expected: &str| {
            let offset = Wall(one).ahead_of(Wall(other));
            assert_eq!(offset.to_string(), expected);
            assert_eq!(Time(other).on_wall(offset), Wall(one));
        };
        assert_eq!(alloc::format!("{:#}", Offset(7_200_000)), "2 h ahead of");
        check(7_200_000, 0, "2 h ahead");
        check(0, 41_000, "41 s behind");
        assert_eq!(Wall(0).ahead_of(Wall(u64::MAX)), Offset(-i64::MAX));
    }
}
