//! A request body with a minimum rate, so that a peer that sends a byte now and then does not keep its
//! connection.
//!
//! Only the time in which the program waits for the peer counts.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// The minimum rate, in bytes per second: the slowest link that carries one call transfers eight thousand.
const BYTES_PER_SECOND: u64 = 1 << 10;

/// A body with a minimum rate.
#[derive(Debug)]
pub(super) struct MinRateBody<B = Incoming> {
    body: B,
    rate: MinRate,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What has arrived, and how long the program has waited for it.
#[derive(Debug)]
struct MinRate {
    /// How long a body may be late in total.
    grace: Duration,
    bytes: u64,
    waited: Duration,
    since: Option<Instant>,
}

impl MinRate {
    fn new(grace: Duration) -> Self {
        Self { grace, bytes: 0, waited: Duration::ZERO, since: None }
    }

    /// The program waits for more; returns until when it may.
    fn wait(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        let allowed = self.grace + Duration::from_secs(self.bytes / BYTES_PER_SECOND);
        since + allowed.saturating_sub(self.waited)
    }

    /// Bytes have arrived.
    fn received(&mut self, bytes: usize, now: Instant) {
        self.waited += self.since.take().map_or(Duration::ZERO, |since| now.duration_since(since));
        self.bytes += bytes as u64;
    }
}

impl<B> MinRateBody<B> {
    pub(super) fn new(body: B, grace: Duration) -> Self {
        Self { body, rate: MinRate::new(grace), timer: None }
    }

    /// Whether the body is late. Wakes the task of `cx` when it will be.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let until = self.rate.wait(Instant::now());
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx).is_ready()
    }
}

impl<B> Body for MinRateBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, bytes::Buf::remaining);
                self.rate.received(bytes, Instant::now());
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if self.is_late(cx) => {
                Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const GRACE: Duration = Duration::from_secs(20);

    #[test]
    fn slow_body_is_late_and_a_fast_one_is_not() {
        let start = Instant::now();
        let mut drips = MinRate::new(GRACE);
        let late = (0..).find(|second| {
            let now = start + SECOND * *second;
            let until = drips.wait(now);
            drips.received(1, now + SECOND);
            until < now + SECOND
        });
        assert_eq!(late, Some(20), "a byte a second");
        let mut flows = MinRate::new(GRACE);
        for second in 0..10_000 {
            let now = start + SECOND * second;
            assert!(flows.wait(now) >= now + SECOND);
            flows.received(2 << 10, now + SECOND);
        }
    }

    #[test]
    fn time_in_which_the_program_is_busy_does_not_count() {
        let start = Instant::now();
        let mut rate = MinRate::new(GRACE);
        rate.wait(start);
        rate.received(100, start + SECOND);
        let later = start + SECOND * 3_600;
        assert_eq!(rate.wait(later), later + GRACE - SECOND);
    }
}
