//! The limit of requests of all accounts together, as the compatible API has it. Requests without credentials, or with
//! wrong ones, do not count: otherwise a stranger could keep the operators out.

use fleet::time::{Span, Time};
use parking_lot::Mutex;

use super::error::{Kind, Refusal};
use crate::token_bucket::{Rate, TokenBucket};

/// How many requests a minute there may be.
#[derive(Debug)]
pub(super) struct RequestLimit {
    rate: Option<Rate>,
    bucket: Mutex<TokenBucket>,
}

impl RequestLimit {
    /// So many a minute, as many of them at once; without a limit if it is 0.
    pub(super) fn new(per_minute: u32) -> Self {
        let interval = Span(60_000_u64.checked_div(per_minute.into()).unwrap_or(0).max(1));
        let rate = (per_minute > 0).then_some(Rate { burst: per_minute, interval });
        Self { rate, bucket: Mutex::default() }
    }

    /// Counts a request, or refuses it with the time to wait.
    pub(super) fn count(&self, now: Time) -> Result<(), Refusal> {
        let Some(rate) = self.rate else { return Ok(()) };
        let mut bucket = self.bucket.lock();
        let delay = bucket.delay(rate, now);
        if delay == Span::ZERO {
            bucket.take(rate, now);
            return Ok(());
        }
        let seconds = delay.0.div_ceil(1_000).max(1);
        Err(Refusal::new(
            Kind::TooManyRequests,
            format!("the Management Node answers {} requests a minute, and these were more", rate.burst),
            format!("try again in {seconds} s; [api] requests_per_minute in machine.toml changes the limit"),
        )
        .retry_after(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_beyond_the_limit_are_refused_until_there_is_room_again() {
        let limit = RequestLimit::new(1_000);
        for _ in 0..1_000 {
            limit.count(Time(0)).unwrap();
        }
        let refusal = limit.count(Time(0)).unwrap_err();
        assert_eq!((refusal.kind, refusal.retry_after), (Kind::TooManyRequests, Some(1)));
        limit.count(Time(60)).unwrap();
        limit.count(Time(61)).unwrap_err();
        let none = RequestLimit::new(0);
        (0..10_000).for_each(|_| none.count(Time(0)).unwrap());
    }
}
