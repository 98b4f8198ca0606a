//! The clocks of one machine, and the time that its program makes of them, by the rules of the programs
//! ([`clock`]): stored time plus what the monotonic clock counts; time that the machine was off from the wall
//! clock, which may jump, as far as it is believed, and never negative.

use clock::Trust;
use fleet::time::{Span, Time};

use crate::seeded::draw::Draw;

/// No machine of the world knows whether its wall clock is right.
pub(crate) const TRUST: [Trust; 2] = [Trust::Unknown; 2];

/// A million parts, the unit of a clock's drift.
const MILLION: u64 = 1_000_000;

/// How much a machine's clock may drift at most, in millionths: far more than a quartz does.
const DRIFT: u64 = 500;

/// How far a clock may be off by its drift alone after a span.
pub(crate) fn drift_of(span: Span) -> Span {
    Span(span.0 * DRIFT / MILLION + 1)
}

/// How often a program stores the time although nothing else changes.
pub(crate) const KEEP_EVERY: Span = Span::seconds(60);

/// A moment of the machine's time with what its clocks said then: what a program stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    now: Time,
    wall: Time,
    counted: u64,
}

/// Whether the machine has lost power since the stamp; its monotonic clock begins anew then.
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
    /// The machine's time when the monotonic clock said `since`.
    base: Time,
    since: u64,
}

impl Clock {
    pub(crate) fn draw(draw: &mut Draw, off: Span, drift: u64) -> Self {
        // The world begins long after the wall clocks do, so that there is room to jump back.
        let ahead = Span(off.0 + draw.below(off.0 + 1));
        let speed = MILLION - drift + draw.below(2 * drift + 1);
        Self { ahead, speed, base: Time(ahead.0), since: 0 }
    }

    fn counts(self, world: Time) -> u64 {
        world.0 * self.speed / MILLION
    }

    /// What the program takes for now.
    pub(crate) fn shows(self, world: Time) -> Time {
        self.base + Span(self.counts(world).saturating_sub(self.since))
    }

    /// What the wall clock says.
    pub(crate) fn wall(self, world: Time) -> Time {
        world + self.ahead
    }

    /// The first moment of the world at which it shows `local` or later.
    pub(crate) fn world(self, local: Time) -> Time {
        let counted = u128::from(self.since + local.since(self.base).0) * u128::from(MILLION);
        Time(u64::try_from(counted.div_ceil(u128::from(self.speed))).unwrap_or(u64::MAX))
    }

    /// The moment of the world at which a stamp was taken, if its monotonic clock has run on since.
    pub(crate) fn moment(self, stamp: Stamp) -> Time {
        let counted = u128::from(stamp.counted) * u128::from(MILLION) / u128::from(self.speed);
        Time(u64::try_from(counted).unwrap_or(u64::MAX))
    }

    /// It goes at nine tenths of its speed from its next start on.
    pub(crate) fn slow(&mut self) {
        self.speed = MILLION * 9 / 10;
    }

    /// What is stored now.
    pub(crate) fn stamp(self, world: Time) -> Stamp {
        Stamp { now: self.shows(world), wall: self.wall(world), counted: self.counts(world) }
    }

    /// The wall clock is set forward, or back as far as it can be.
    pub(crate) fn jump(&mut self, by: Span, back: bool) {
        self.ahead = if back { self.ahead - by } else { self.ahead + by };
    }

    /// A program starts and goes on from what was stored.
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
    /// What the wall clock said.
    pub(crate) fn wall(self) -> Time {
        self.wall
    }

    /// The stamp of the last time that `clock` was stored, when it is stored once a minute from here on.
    pub(crate) fn renewed(self, clock: Clock, world: Time) -> Self {
        let passed = clock.shows(world).since(self.now).0 / KEEP_EVERY.0 * KEEP_EVERY.0;
        clock.stamp(clock.world(self.now + Span(passed)).min(world))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_and_what_the_clock_shows_then_belong_together() {
        for speed in [999_500, 1_000_000, 1_000_321] {
            let clock = Clock { ahead: Span(77_777), speed, base: Time(77_777), since: 0 };
            for moment in [0, 1, 999, 86_400_000, 123_456_789] {
                let local = clock.shows(Time(moment));
                let back = clock.world(local);
                assert_eq!(clock.shows(back), local);
                assert!(back <= Time(moment), "{back:?} is not the first moment");
            }
        }
    }

    #[test]
    fn a_jump_of_the_wall_clock_counts_a_little_over_a_loss_of_power_and_never_backwards() {
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
