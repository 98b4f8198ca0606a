//! When the node's certificate is renewed. Pure: both clocks come in, the wall clock that certificates live
//! by, which may be wrong, and one that only goes on.

use fleet::time::{Span, Time};

/// The shortest time between two renewals that succeed. A certificate lives 90 days and is renewed after 60,
/// so only a wrong clock asks for more; a day leaves 30 attempts.
const DISTANCE: Span = Span::hours(24);

/// The pause after the first renewal that failed; it doubles from one to the next.
const FIRST_PAUSE: Span = Span::seconds(60);

/// The longest pause: in the 30 days that are left when renewal begins, 720 attempts.
const LONGEST_PAUSE: Span = Span::hours(1);

/// What a renewed certificate says of this machine's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallClock {
    /// Nothing against it.
    Plausible,
    /// It is this far past the time at which the new certificate is to be renewed, so it is that far ahead of
    /// the Management Node's at least.
    Ahead(Span),
}

/// The renewals of a running node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renewal {
    /// None before this time.
    not_before: Time,
    failures: u32,
}

impl Renewal {
    /// Whether to renew now. `wall` and `renew_at` are milliseconds since 1970-01-01 UTC.
    pub fn is_due(&self, now: Time, wall: u64, renew_at: u64) -> bool {
        wall >= renew_at && now >= self.not_before
    }

    /// A new certificate came, which is to be renewed at `renew_at`.
    pub fn succeeded(&mut self, now: Time, wall: u64, renew_at: u64) -> WallClock {
        *self = Self { not_before: now + DISTANCE, failures: 0 };
        if wall >= renew_at { WallClock::Ahead(Span(wall - renew_at)) } else { WallClock::Plausible }
    }

    /// None came.
    pub fn failed(&mut self, now: Time) {
        let pause = Span(FIRST_PAUSE.0.saturating_mul(1 << self.failures.min(16))).min(LONGEST_PAUSE);
        *self = Self { not_before: now + pause, failures: self.failures.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600_000;

    #[test]
    fn a_certificate_is_renewed_when_its_time_has_come() {
        let renewal = Renewal::default();
        assert!(!renewal.is_due(Time(0), 99, 100));
        assert!(renewal.is_due(Time(0), 100, 100));
    }

    #[test]
    fn a_clock_that_is_65_days_ahead_renews_once_a_day_and_is_noticed() {
        let (mut renewal, ahead, mut renewals) = (Renewal::default(), 65 * DAY, 0);
        for minute in 0..3 * 24 * 60_u64 {
            let (now, wall) = (Time(minute * 60_000), minute * 60_000 + ahead);
            // The Management Node dates each new certificate by its own clock.
            let renew_at = minute * 60_000 + 60 * DAY;
            if renewal.is_due(now, wall, renew_at) {
                renewals += 1;
                assert_eq!(renewal.succeeded(now, wall, renew_at), WallClock::Ahead(Span(5 * DAY)));
            }
        }
        assert_eq!(renewals, 3);
        assert_eq!(renewal.succeeded(Time(0), 0, 60 * DAY), WallClock::Plausible);
    }

    #[test]
    fn renewals_that_fail_come_further_and_further_apart() {
        let mut renewal = Renewal::default();
        let mut at = Vec::new();
        for minute in 0..200_u64 {
            let now = Time(minute * 60_000);
            if renewal.is_due(now, 1, 0) {
                at.push(minute);
                renewal.failed(now);
            }
        }
        assert_eq!(at, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
    }
}
