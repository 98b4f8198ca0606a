//! Computes the pause after a failed attempt: exponential backoff with jitter, reset by a success. Random numbers come
//! in as arguments; the caller waits.

use std::time::Duration;

/// The pause after the first failure: the time a listening socket needs to be there again.
const FIRST: Duration = Duration::from_millis(200);

/// The longest pause. Ten thousand nodes that try every five seconds are a load that a manager
/// measured at 3,500 handshakes a second takes without noticing.
pub const LONGEST: Duration = Duration::from_secs(5);

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and returns the pause: between half of the grown pause and all of it, by `chance`.
    pub fn failed(&mut self, chance: u64) -> Duration {
        let grown = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let half = grown / 2;
        half + Duration::from_millis(chance % (half.as_millis() as u64 + 1))
    }

    /// Resets the pause after a success.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// A random number from the operating system.
pub fn chance() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..7).map(|_| backoff.failed(0).as_millis() * 2).collect();
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        backoff.succeeded();
        assert_eq!(backoff.failed(0), FIRST / 2);
    }

    #[test]
    fn jitter_stays_between_half_of_the_pause_and_all_of_it() {
        for chance in [0, 1, 99, 100, 101, u64::MAX] {
            let pause = Backoff::default().failed(chance);
            assert!((FIRST / 2..=FIRST).contains(&pause), "{pause:?}");
        }
    }
}
