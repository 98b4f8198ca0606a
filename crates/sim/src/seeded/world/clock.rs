//! The clocks of one machine, and the time that its program computes from them by the rules of the programs
//! ([`clock`]): stored time plus what the monotonic clock counts; time without power from the wall clock, which may
//! jump, as far as it is trusted, and never negative.

use clock::Trust;
use fleet::time::{Span, Time};

use crate::seeded::draw::Draw;

/// No machine knows whether its wall clock is right.
pub(crate) const TRUST: [Trust; 2] = [Trust::Unknown; 2];

/// The unit of a clock's drift is a millionth.
const MILLION: u64 = 1_000_000;

/// The largest drift that is allowed for, in millionths: far more than that of a quartz.
const DRIFT: u64 = 500;

/// How far a clock may be off after a span by its drift alone.
pub(crate) fn drift_of(span: Span) -> Span {
    Span(span.0 * DRIFT / MILLION + 1)
}

/// How often a program stores the time although nothing else changes.
pub(crate) const KEEP_EVERY: Span = Span::seconds(60);

/// A time of the machine with the readings of its clocks: what a program stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    now: Time,
    wall: Time,
    counted: u64,
}

/// Whether the machine has lost power since the stamp; its monotonic clock has then restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Downtime {
    /// Only the program has ended.
    Program,
    /// The machine was off.
    Machine,
}

/// A machine's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// How far the wall clock is ahead of the world's.
    ahead: Span,
    /// The monotonic clock's speed in millionths of the world's.
    speed: u64,
    /// The machine's time when the monotonic clock read `since`.
    base: Time,
    since: u64,
}

impl Clock {
    pub(crate) fn draw(draw: &mut Draw, off: Span, drift: u64) -> Self {
        // The world begins long after the wall clocks do, so that they can jump back.
        let ahead = Span(off.0 + draw.below(off.0 + 1));
        let speed = MILLION - drift + draw.below(2 * drift + 1);
        Self { ahead, speed, base: Time(ahead.0), since: 0 }
    }

    fn counts(self, world: Time) -> u64 {
        world.0 * self.speed / MILLION
    }

    /// The current time, as the program computes it.
    pub(crate) fn shows(self, world: Time) -> Time {
        self.base + Span(self.counts(world).saturating_sub(self.since))
    }

    /// The wall clock's reading.
    pub(crate) fn wall(self, world: Time) -> Time {
        world + self.ahead
    }

    /// The first time of the world at which it shows `local` or later.
    pub(crate) fn world(self, local: Time) -> Time {
        let counted = u128::from(self.since + local.since(self.base).0) * u128::from(MILLION);
        Time(u64::try_from(counted.div_ceil(u128::from(self.speed))).unwrap_or(u64::MAX))
    }

    /// The time of the world at which a stamp was taken, if the machine has not lost power since.
    pub(crate) fn moment(self, stamp: Stamp) -> Time {
        let counted = u128::from(stamp.counted) * u128::from(MILLION) / u128::from(self.speed);
        Time(u64::try_from(counted).unwrap_or(u64::MAX))
    }

    /// Slows the clock to nine tenths of its speed, from the next start on.
    pub(crate) fn slow(&mut self) {
        self.speed = MILLION * 9 / 10;
    }

    /// The stamp that is stored now.
    pub(crate) fn stamp(self, world: Time) -> Stamp {
        Stamp { now: self.shows(world), wall: self.wall(world), counted: self.counts(world) }
    }

    /// Sets the wall clock forward, or back as far as possible.
    pub(crate) fn jump(&mut self, by: Span, back: bool) {
        self.ahead = if back { self.ahead - by } else { self.ahead + by };
    }

    /// A program starts and continues from the stored time.
    pub(crate) fn resume(&mut self, world: Time, stamp: Stamp, downtime: Downtime) {
        let down = match downtime {
            Downtime::Program => Span(self.counts(world).saturating_sub(stamp.counted)),
            Downtime::Machine => clock::believed(self.wall(world).since(stamp.wall), TRUST),
        };
        self.base = stamp.now + down;
        self.since = self.counts(world);
    }
}

impl Stamp {
    /// The wall clock's reading.
    pub(crate) fn wall(self) -> Time {
        self.wall
    }

    /// The stamp of the last time that `clock` was stored, if it has been stored once a minute since this one.
    pub(crate) fn renewed(self, clock: Clock, world: Time) -> Self {
        let passed = clock.shows(world).since(self.now).0 / KEEP_EVERY.0 * KEEP_EVERY.0;
        clock.stamp(clock.world(self.now + Span(passed)).min(world))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_time_is_the_inverse_of_what_the_clock_shows() {
        for speed in [999_500, 1_000_000, 1_000_321] {
            let clock = Clock { ahead: Span(77_777), speed, base: Time(77_777), since: 0 };
            for moment in [0, 1, 999, 86_400_000, 123_456_789] {
                let local = clock.shows(Time(moment));
                let back = clock.world(local);
                assert_eq!(clock.shows(back), local);
                assert!(back <= Time(moment), "{back:?} is not the first time");
            }
        }
    }

    #[test]
    fn wall_clock_jump_counts_little_over_a_loss_of_power_and_never_backwards() {
        let mut clock = Clock { ahead: Span::hours(5), speed: MILLION, base: Time(1_000), since: 0 };
        let stamp = clock.stamp(Time(9_000));
        clock.jump(Span::hours(1), true);
        assert_eq!(clock.shows(Time(9_500)), Time(10_500));
        let (mut off, mut ended) = (clock, clock);
        off.resume(Time(20_000), stamp, Downtime::Machine);
        assert_eq!(off.shows(Time(20_000)), stamp.now);
        ended.resume(Time(20_000), stamp, Downtime::Program);
        assert_eq!(ended.shows(Time(20_000)), Time(21_000));
        clock.jump(Span::hours(3), false);
        clock.resume(Time(20_000), stamp, Downtime::Machine);
        assert_eq!(clock.shows(Time(20_000)), stamp.now + clock::BELIEVED);
    }
}
