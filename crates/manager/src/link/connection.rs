//! A connection that ends by itself: when nothing has come or gone for a while, or when its time is up.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use crate::shares::Share;

/// What a connection takes of the listener's room, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// One of all connections.
    pub(super) _one: OwnedSemaphorePermit,
    /// One of those of its address.
    pub(super) _share: Share,
}

/// A connection, which keeps its places among those that the listener takes on.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    patience: Patience,
    _places: Vec<Place>,
}

impl Connection {
    /// A connection that is ended after `idle` without a byte, and in any case when `life` is over.
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        idle: Duration,
        life: Option<Duration>,
        places: Vec<Place>,
    ) -> Self {
        Self { stream, patience: Patience::new(idle, life, Instant::now()), _places: places }
    }
}

/// When a connection is given up.
#[derive(Debug)]
struct Patience {
    idle: Duration,
    last_byte: Instant,
    end: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

impl Patience {
    fn new(idle: Duration, life: Option<Duration>, now: Instant) -> Self {
        let end = life.map(|life| now + life);
        Self { idle, last_byte: now, end, alarm: Box::pin(sleep_until(now)) }
    }

    /// When it is over, unless a byte comes or goes before.
    fn until(&self) -> Instant {
        let quiet = self.last_byte + self.idle;
        self.end.map_or(quiet, |end| end.min(quiet))
    }

    /// Wakes the task of `cx` when it is over. The alarm is only set anew when it has gone off, which
    /// costs less than at every byte.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.alarm.as_mut().poll(cx).is_ready() {
            let until = self.until();
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
        self.patience.check(cx)?;
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
        self.patience.check(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.patience.byte();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patience.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.patience.check(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_byte_gives_more_time_and_the_end_comes_all_the_same() {
        let (idle, start) = (Duration::from_secs(60), Instant::now());
        let mut patience = Patience::new(idle, Some(Duration::from_secs(90)), start);
        assert_eq!(patience.until(), start + idle);
        patience.last_byte = start + Duration::from_secs(10);
        assert_eq!(patience.until(), start + Duration::from_secs(70));
        patience.last_byte = start + Duration::from_secs(80);
        assert_eq!(patience.until(), start + Duration::from_secs(90));
    }
}
