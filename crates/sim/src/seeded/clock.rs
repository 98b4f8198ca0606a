//! The clock of one machine: off by some span, and too fast or too slow by a little. It never goes
//! backwards, which is what the shells promise.

use fleet::time::{Span, Time};

use super::draw::Draw;

/// A million parts, the unit of a clock's drift.
const MILLION: u64 = 1_000_000;

/// A machine's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    offset: Span,
    /// Its speed in millionths of the world's.
    speed: u64,
}

impl Clock {
    pub(super) fn draw(draw: &mut Draw, off: Span, drift: u64) -> Self {
        Self { offset: Span(draw.below(off.0 + 1)), speed: MILLION - drift + draw.below(2 * drift + 1) }
    }

    /// What it shows at a moment of the world.
    pub(super) fn shows(self, world: Time) -> Time {
        Time(world.0 * self.speed / MILLION) + self.offset
    }

    /// The first moment of the world at which it shows `local` or later.
    pub(super) fn world(self, local: Time) -> Time {
        let elapsed = u128::from(local.since(Time(self.offset.0)).0) * u128::from(MILLION);
        let moment = elapsed.div_ceil(u128::from(self.speed));
        Time(u64::try_from(moment).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_and_what_the_clock_shows_then_belong_together() {
        for speed in [999_500, 1_000_000, 1_000_321] {
            let clock = Clock { offset: Span(77_777), speed };
            for moment in [0, 1, 999, 86_400_000, 123_456_789] {
                let local = clock.shows(Time(moment));
                let back = clock.world(local);
                assert_eq!(clock.shows(back), local);
                assert!(back <= Time(moment), "{back:?} is not the first moment");
            }
        }
    }
}
