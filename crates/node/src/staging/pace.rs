//! Limits the rate at which a package is fetched. Time comes in as an argument; the caller waits.

use std::time::{Duration, Instant};

/// How much may arrive at once after a quiet time: long pauses between small reads would waste the
/// connection, and this much delays no call.
const BURST: Duration = Duration::from_millis(250);

/// The rate limit of one transfer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Until when the bytes that have arrived use up the rate.
    paid_until: Instant,
}

impl Pace {
    pub(super) fn begin(now: Instant) -> Self {
        Self { paid_until: now }
    }

    /// `bytes` have arrived; how long to pause before more is read. `rate` is in bytes per second and may
    /// change at any time; none is without limit.
    pub(super) fn arrived(&mut self, bytes: usize, rate: Option<u64>, now: Instant) -> Duration {
        let Some(rate) = rate else {
            self.paid_until = now;
            return Duration::ZERO;
        };
        let micros = (bytes as u64).saturating_mul(1_000_000) / rate.max(1);
        self.paid_until = self.paid_until.max(now) + Duration::from_micros(micros);
        let ahead = self.paid_until.saturating_duration_since(now);
        if ahead > BURST { ahead } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a transfer of `chunks` chunks of `size` bytes takes when reading itself takes no time.
    fn transfer(chunks: u32, size: usize, rate: Option<u64>) -> Duration {
        let start = Instant::now();
        let (mut now, mut pace) = (start, Pace::begin(start));
        for _ in 0..chunks {
            now += pace.arrived(size, rate, now);
        }
        now - start
    }

    #[test]
    fn transfer_takes_as_long_as_its_rate_says_but_for_one_burst() {
        let took = transfer(1_000, 10_000, Some(1_000_000));
        assert!(took <= Duration::from_secs(10) && took >= Duration::from_secs(10) - BURST, "{took:?}");
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        assert_eq!(transfer(1_000, 1 << 20, None), Duration::ZERO);
    }

    #[test]
    fn rate_of_nothing_is_slow_and_not_a_crash() {
        assert!(transfer(1, 10, Some(0)) >= Duration::from_secs(10));
    }
}
