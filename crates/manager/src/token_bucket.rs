//! A token bucket: so many events at once, and one more in each interval. Pure: `now` comes in.
//!
//! It keeps one moment for each bucket (the generic cell rate algorithm, ITU-T I.371), and never waits or
//! refuses itself: the caller decides what happens to an event for which there is no token.

use fleet::time::{Span, Time};

/// How fast events may come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// How many at once from a full bucket.
    pub(crate) burst: u32,
    /// The time in which one token is added.
    pub(crate) interval: Span,
}

/// A bucket, full at first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TokenBucket {
    full_at: Time,
}

impl TokenBucket {
    /// How long until there is a token; zero when there is one now.
    pub(crate) fn delay(self, rate: Rate, now: Time) -> Span {
        let all_but_one = Span(rate.interval.0 * u64::from(rate.burst - 1));
        (now + all_but_one).until(self.full_at)
    }

    /// Takes a token, which may be one that is only added later.
    pub(crate) fn take(&mut self, rate: Rate, now: Time) {
        self.full_at = self.full_at.max(now) + rate.interval;
    }

    /// Whether it is full, so that nothing is lost by forgetting it.
    pub(crate) fn is_full(self, now: Time) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_is_taken_at_once_and_then_one_token_in_each_interval() {
        let (rate, now) = (Rate { burst: 3, interval: Span::seconds(10) }, Time(7));
        let mut bucket = TokenBucket::default();
        let delays: Vec<Span> = (0..5)
            .map(|_| {
                let delay = bucket.delay(rate, now);
                bucket.take(rate, now);
                delay
            })
            .collect();
        assert_eq!(delays, [0, 0, 0, 10, 20].map(Span::seconds));
        assert!(!bucket.is_full(now + Span::seconds(49)) && bucket.is_full(now + Span::seconds(50)));
    }
}
