//! Decides when the node's certificate is renewed. The clocks come in as arguments: the wall clocks of both machines,
//! which may be wrong, and a monotonic one. It requests nothing itself.

use fleet::time::{Span, Time, Wall};
use wire::CERTIFICATE_LIFE;

/// The shortest time between two renewals that succeed. A certificate lives 90 days and is renewed after 60,
/// so only a wrong clock asks for more; a day leaves 30 attempts.
const DISTANCE: Span = Span::hours(24);

/// The pause after the first renewal that failed; it doubles from one to the next.
const FIRST_PAUSE: Span = Span::seconds(60);

/// The longest pause: in the 30 days that are left when renewal begins, 720 attempts.
const LONGEST_PAUSE: Span = Span::hours(1);

/// Whether this machine's clock can be right, by a renewed certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallClock {
    /// It can be.
    Plausible,
    /// It is this far past the time at which the new certificate is to be renewed, so it is that far ahead of
    /// the Management Node's at least.
    Ahead(Span),
}

/// The two wall clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walls {
    /// The Management Node's, by which certificates are dated; none until it was reported.
    pub manager: Option<Wall>,
    /// This machine's.
    pub own: Wall,
}

impl Walls {
    /// Whether a certificate that is to be renewed at `renew_at` is due, by the Management Node's clock as far
    /// as it is known, and else by this machine's.
    ///
    /// A certificate with more than a whole life before it was issued while the Management Node's clock was
    /// ahead, and would outlive all others. One that ran out at once was issued while that clock was behind; it
    /// can be renewed over the connections of before.
    fn is_due(self, renew_at: Wall) -> bool {
        match self.manager {
            Some(wall) => wall >= renew_at || renew_at.since(wall) > CERTIFICATE_LIFE,
            None => self.own >= renew_at,
        }
    }
}

/// The renewals of a running node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renewal {
    /// None before this time.
    not_before: Time,
    failures: u32,
}

impl Renewal {
    /// Whether to renew now a certificate that is to be renewed at `renew_at`.
    pub fn is_due(&self, now: Time, walls: Walls, renew_at: Wall) -> bool {
        walls.is_due(renew_at) && now >= self.not_before
    }

    /// There is a new certificate, which is to be renewed at `renew_at`.
    pub fn succeeded(&mut self, now: Time, walls: Walls, renew_at: Wall) -> WallClock {
        *self = Self { not_before: now + DISTANCE, failures: 0 };
        if walls.own >= renew_at { WallClock::Ahead(walls.own.since(renew_at)) } else { WallClock::Plausible }
    }

    /// The renewal has failed.
    pub fn failed(&mut self, now: Time) {
        let pause = Span(FIRST_PAUSE.0.saturating_mul(1 << self.failures.min(16))).min(LONGEST_PAUSE);
        *self = Self { not_before: now + pause, failures: self.failures.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600_000;

    /// Until the Management Node has reported its clock.
    fn alone(own: u64) -> Walls {
        Walls { manager: None, own: Wall(own) }
    }

    #[test]
    fn certificate_is_renewed_by_the_clock_that_it_was_issued_by() {
        let day = |day: i64| Wall(u64::try_from(1_000 + day).unwrap() * 24 * 3_600_000);
        let check = |manager: Option<i64>, own: i64, renew_at: i64, expected: bool| {
            assert_eq!(
                Walls { manager: manager.map(day), own: day(own) }.is_due(day(renew_at)),
                expected,
                "{manager:?} {own}"
            );
        };
        check(Some(0), 0, 60, false);
        check(Some(60), 0, 60, true);
        // The node's clock is ahead, or behind.
        check(Some(0), 65, 60, false);
        check(Some(61), -400, 60, true);
        // The Management Node's was ahead or behind when it issued the certificate, and was set right.
        check(Some(0), 0, 460, true);
        check(Some(400), 400, 60, true);
        // Release 34 does not report its clock.
        check(None, 61, 60, true);
        check(None, -400, 60, false);
    }

    #[test]
    fn certificate_is_renewed_when_its_time_has_come() {
        let renewal = Renewal::default();
        assert!(!renewal.is_due(Time(0), alone(99), Wall(100)));
        assert!(renewal.is_due(Time(0), alone(100), Wall(100)));
    }

    #[test]
    fn clock_that_is_65_days_ahead_renews_once_a_day_and_is_noticed() {
        let (mut renewal, ahead, mut renewals) = (Renewal::default(), 65 * DAY, 0);
        for minute in 0..3 * 24 * 60_u64 {
            let (now, walls) = (Time(minute * 60_000), alone(minute * 60_000 + ahead));
            // The Management Node dates each new certificate by its own clock.
            let renew_at = Wall(minute * 60_000 + 60 * DAY);
            if renewal.is_due(now, walls, renew_at) {
                renewals += 1;
                assert_eq!(renewal.succeeded(now, walls, renew_at), WallClock::Ahead(Span(5 * DAY)));
            }
        }
        assert_eq!(renewals, 3);
        assert_eq!(renewal.succeeded(Time(0), alone(0), Wall(60 * DAY)), WallClock::Plausible);
    }

    #[test]
    fn renewals_that_fail_come_further_and_further_apart() {
        let mut renewal = Renewal::default();
        let mut at = Vec::new();
        for minute in 0..200_u64 {
            let now = Time(minute * 60_000);
            if renewal.is_due(now, alone(1), Wall(0)) {
                at.push(minute);
                renewal.failed(now);
            }
        }
        assert_eq!(at, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    }
}
