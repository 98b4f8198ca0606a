//! A connection that ends by itself: when nothing has come or gone for a while, when its time is up, or
//! when its place is needed for somebody else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::guest::{Acquaintance, Guest};

/// A connection, which keeps its place among those that the listener takes on.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    patience: Patience,
    sent_away: Pin<Box<WaitForCancellationFutureOwned>>,
    guest: Guest,
}

impl Connection {
    /// A connection that is ended after `idle` without a byte, and when `life` is over unless its peer is
    /// known by then.
    pub(super) fn new(stream: TlsStream<TcpStream>, idle: Duration, life: Duration, guest: Guest) -> Self {
        let sent_away = Box::pin(guest.sent_away());
        Self { stream, patience: Patience::new(idle, life, Instant::now()), sent_away, guest }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.sent_away.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.patience.check(self.guest.acquaintance(), cx)
    }
}

/// When a connection is given up.
#[derive(Debug)]
struct Patience {
    idle: Duration,
    last_byte: Instant,
    /// When whoever is not known by then must go.
    end: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Patience {
    fn new(idle: Duration, life: Duration, now: Instant) -> Self {
        Self { idle, last_byte: now, end: now + life, alarm: Box::pin(sleep_until(now)) }
    }

    /// When it is over, unless a byte comes or goes before.
    fn until(&self, acquaintance: Acquaintance) -> Instant {
        let quiet = self.last_byte + self.idle;
        match acquaintance {
            Acquaintance::Stranger => self.end.min(quiet),
            Acquaintance::Known => quiet,
        }
    }

    /// Wakes the task of `cx` when it is over. The alarm is only set anew when it has gone off, which
    /// costs less than at every byte.
    fn check(&mut self, acquaintance: Acquaintance, cx: &mut Context<'_>) -> io::Result<()> {
        while self.alarm.as_mut().poll(cx).is_ready() {
            let until = self.until(acquaintance);
            if until <= Instant::now() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.alarm.as_mut().reset(until);
        }
        Ok(())
    }

    fn byte(&mut self) {
        self.last_byte = Instant::now();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.patience.byte();
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.patience.byte();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_byte_gives_more_time_and_a_stranger_s_end_comes_all_the_same() {
        let (idle, start) = (Duration::from_secs(60), Instant::now());
        let mut patience = Patience::new(idle, Duration::from_secs(90), start);
        assert_eq!(patience.until(Acquaintance::Stranger), start + idle);
        patience.last_byte = start + Duration::from_secs(10);
        assert_eq!(patience.until(Acquaintance::Stranger), start + Duration::from_secs(70));
        patience.last_byte = start + Duration::from_secs(80);
        assert_eq!(patience.until(Acquaintance::Stranger), start + Duration::from_secs(90));
        assert_eq!(patience.until(Acquaintance::Known), start + Duration::from_secs(140));
    }
}
