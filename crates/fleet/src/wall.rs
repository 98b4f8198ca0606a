//! Maps the platform's time to wall-clock time for display, and judges how far a node's wall clock may be off.
//!
//! The platform's time ([`Time`]) counts the time that has passed: it never goes back and never jumps, so limits do
//! not move. The wall clock may be set at any moment. The map follows the wall clock: after a wrong clock was
//! corrected, all times that are shown are correct, and in order. Nothing is decided by it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::time::{Offset, Span, Time, Wall};

/// The smallest difference between the wall clock and the time that has passed that counts as a step of the wall
/// clock. A leap second and the small corrections of a time daemon do not.
pub const STEP: Span = Span::seconds(2);

/// How long the alarm stays after a step: long enough to be seen, and for another step to belong to the same fault.
pub const STEADY_AFTER: Span = Span::hours(1);

/// The smallest offset of a node's wall clock that raises the alarm. A measurement contains the time that the
/// request took, connection and handshake included, which is 20 seconds at most.
pub const OFF: Span = Span::seconds(60);

/// Below this offset the alarm is lowered. Between the two nothing changes, so that the alarm does not flap.
pub const RIGHT: Span = Span::seconds(30);

/// The longest time off that is taken from a wall clock, which may have been wrong before or after. A restart of a
/// machine takes two minutes, with a check of its disks some more. A clock that is 400 days ahead at a start takes
/// this much from a drain limit of an hour, and cannot end it. A limit may be late, by the time that the machine was
/// off, but never early.
pub const BELIEVED: Span = Span::minutes(5);

/// How many segments a map keeps. A segment begins when the machine was off for longer than [`BELIEVED`], so this is
/// far more than occur within the history that is kept.
const PIECES: usize = 32;

/// How the platform's time advanced since the wall clock was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It was counted by a clock that nobody can set.
    Counted,
    /// The machine was off; for how long is known only from the wall clock before and after.
    Estimated,
}

/// The map from the platform's time to wall-clock time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WallMap {
    /// In the order of their beginnings; without a segment, both times are the same.
    pieces: Vec<Piece>,
    /// When the wall clock last stepped; none if that is more than [`STEADY_AFTER`] ago.
    stepped_at: Option<Time>,
}

/// A segment of the platform's time that was counted without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    from: Time,
    /// How far the wall clock was ahead of it when it was last read.
    ahead: Offset,
}

impl WallMap {
    /// The wall-clock time of a moment, by the wall clock as it is now. The order of moments is kept. If a later
    /// segment is behind an earlier one by more than [`BELIEVED`], the clock was wrong in the earlier segment, which
    /// is shown with the offset of the later one; if it is behind by less, the time between the two was estimated
    /// too long, and the earlier segment ends where the later one begins.
    pub fn shown(&self, time: Time) -> Wall {
        let Some(last) = self.pieces.last() else { return Wall(time.0) };
        let (mut ahead, mut limit) = (last.ahead, Wall(u64::MAX));
        let pairs = self.pieces.iter().zip(self.pieces.iter().skip(1)).rev();
        for (piece, next) in pairs.take_while(|(_, next)| next.from > time) {
            limit = limit.min(next.from.on_wall(ahead));
            if piece.ahead <= ahead + BELIEVED {
                ahead = piece.ahead;
            }
        }
        time.on_wall(ahead).min(limit)
    }

    /// How far the wall clock is from what is shown, if that is a step.
    pub fn step(&self, now: Time, wall: Wall) -> Option<Offset> {
        let by = wall.ahead_of(self.shown(now));
        (by.size() >= STEP).then_some(by)
    }

    /// When the wall clock last stepped; none if that is more than [`STEADY_AFTER`] ago.
    pub fn stepped_at(&self) -> Option<Time> {
        self.stepped_at
    }

    /// When the wall clock counts as steady again, after a step.
    pub fn steady_at(&self) -> Option<Time> {
        self.stepped_at.map(|at| at + STEADY_AFTER)
    }

    /// Adjusts the map after a step.
    pub(crate) fn follow(&mut self, now: Time, wall: Wall, gap: Gap) {
        self.stepped_at = Some(now);
        let ahead = wall.ahead_of_time(now);
        match (self.pieces.last_mut(), gap) {
            (Some(last), Gap::Counted) => last.ahead = ahead,
            (None, Gap::Counted) => self.pieces.push(Piece { from: Time::default(), ahead }),
            (last, Gap::Estimated) => {
                if last.is_none() {
                    self.pieces.push(Piece { from: Time::default(), ahead: Offset::default() });
                }
                self.pieces.push(Piece { from: now, ahead });
            }
        }
        if self.pieces.len() > PIECES {
            self.pieces.remove(0);
        }
    }

    /// Records that the last step is long ago.
    pub(crate) fn settle(&mut self) {
        self.stepped_at = None;
    }
}

/// What is stored of a node's wall clock after a measurement: how far it is ahead of the Management Node's, or none
/// if it is right.
pub(crate) fn judged(held: Option<Offset>, measured: Offset) -> Option<Offset> {
    match held {
        None => (measured.size() >= OFF).then_some(measured),
        Some(_) if measured.size() < RIGHT => None,
        Some(held) if measured.since(held).size() >= OFF => Some(measured),
        Some(held) => Some(held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAYS_400: u64 = 400 * 24 * HOUR;

    /// Follows the wall clock as the platform does.
    fn look(map: &mut WallMap, now: u64, wall: u64, gap: Gap) {
        if map.step(Time(now), Wall(wall)).is_some() {
            map.follow(Time(now), Wall(wall), gap);
        }
        assert!(Wall(wall).ahead_of(map.shown(Time(now))).size() < STEP);
    }

    fn in_order(map: &WallMap, last: u64) {
        let shown: Vec<Wall> = (0..=last / HOUR).map(|hour| map.shown(Time(hour * HOUR))).collect();
        assert!(shown.is_sorted(), "{map:?}");
    }

    #[test]
    fn corrected_clock_corrects_all_times_that_were_shown() {
        for wrong in [2 * HOUR, DAYS_400] {
            let mut map = WallMap::default();
            let began = DAYS_400 * 2;
            look(&mut map, began + wrong + HOUR, began + HOUR, Gap::Counted);
            assert_eq!(map.shown(Time(began + wrong)), Wall(began));
            look(&mut map, began + wrong + 2 * HOUR, began + 2 * HOUR + wrong, Gap::Counted);
            assert_eq!(map.shown(Time(began + wrong)), Wall(began + wrong));
        }
    }

    #[test]
    fn correct_times_from_before_a_machine_was_off_stay_as_they_are() {
        let mut map = WallMap::default();
        look(&mut map, 10 * HOUR, 16 * HOUR, Gap::Estimated);
        assert_eq!(map.shown(Time(9 * HOUR)), Wall(9 * HOUR));
        assert_eq!(map.shown(Time(10 * HOUR)), Wall(16 * HOUR));
        in_order(&map, 20 * HOUR);
    }

    #[test]
    fn correct_times_stay_when_the_time_off_was_estimated_too_long() {
        let mut map = WallMap::default();
        let off = HOUR / 20;
        look(&mut map, 10 * HOUR, 10 * HOUR + DAYS_400 - off, Gap::Estimated);
        look(&mut map, 11 * HOUR, 11 * HOUR - off, Gap::Counted);
        assert_eq!(map.shown(Time(9 * HOUR)), Wall(9 * HOUR));
        assert_eq!(map.shown(Time(10 * HOUR - 1)), Wall(10 * HOUR - off));
        in_order(&map, 20 * HOUR);
    }

    #[test]
    fn later_of_two_segments_counts_until_its_clock_is_corrected() {
        let mut map = WallMap::default();
        look(&mut map, 10 * HOUR, 16 * HOUR, Gap::Estimated);
        look(&mut map, 20 * HOUR, 18 * HOUR, Gap::Estimated);
        assert_eq!(map.shown(Time(9 * HOUR)), Wall(7 * HOUR));
        in_order(&map, 30 * HOUR);
        look(&mut map, 21 * HOUR, 40 * HOUR, Gap::Counted);
        assert_eq!(map.shown(Time(9 * HOUR)), Wall(9 * HOUR));
        assert_eq!(map.shown(Time(11 * HOUR)), Wall(17 * HOUR));
        in_order(&map, 30 * HOUR);
    }

    #[test]
    fn small_corrections_are_no_steps_and_leave_what_is_shown() {
        let map = WallMap::default();
        assert_eq!(map.step(Time(HOUR), Wall(HOUR + STEP.0 - 1)), None);
        assert_eq!(map.step(Time(HOUR), Wall(HOUR - STEP.0)), Some(Offset(-2_000)));
    }

    #[test]
    fn clock_that_has_stepped_counts_as_steady_after_an_hour() {
        let mut map = WallMap::default();
        assert_eq!((map.stepped_at(), map.steady_at()), (None, None));
        look(&mut map, HOUR, 3 * HOUR, Gap::Counted);
        assert_eq!((map.stepped_at(), map.steady_at()), (Some(Time(HOUR)), Some(Time(2 * HOUR))));
        map.settle();
        assert_eq!((map.stepped_at(), map.steady_at()), (None, None));
    }

    #[test]
    fn number_of_segments_is_bounded_and_their_order_is_kept() {
        let mut map = WallMap::default();
        for hour in 1..200 {
            let wall = hour * HOUR + (hour * 7_919 % 13) * HOUR;
            look(&mut map, hour * HOUR, wall, if hour % 3 == 0 { Gap::Counted } else { Gap::Estimated });
            in_order(&map, hour * HOUR);
        }
        assert_eq!(map.pieces.len(), PIECES);
    }

    #[test]
    fn alarm_of_a_clock_near_the_threshold_does_not_flap() {
        let seconds = |seconds: i64| Offset(seconds * 1_000);
        let check = |held: Option<i64>, measured: i64, expected: Option<i64>| {
            assert_eq!(judged(held.map(seconds), seconds(measured)), expected.map(seconds));
        };
        check(None, 59, None);
        check(None, -60, Some(-60));
        check(Some(-60), -59, Some(-60));
        check(Some(-60), -31, Some(-60));
        check(Some(-60), -30, Some(-60));
        check(Some(-60), -29, None);
        check(Some(-60), -7_200, Some(-7_200));
        check(Some(-60), 60, Some(60));
        assert_eq!(judged(Some(Offset(i64::MIN)), Offset(i64::MAX)), Some(Offset(i64::MAX)));
    }
}
