//! A connection with timeouts. It ends when no byte has been transferred for a while, when an unauthenticated
//! peer has used up its time, or when its permit is revoked for another connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::connection_pools::{AuthState, ConnectionHandle};

/// A connection, which holds a permit of its listener.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    timeout: IdleTimeout,
    evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    handle: ConnectionHandle,
}

impl Connection {
    /// A connection that ends after `idle` without a byte, and after `life` unless its peer is authenticated
    /// by then.
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        idle: Duration,
        life: Duration,
        handle: ConnectionHandle,
    ) -> Self {
        let evicted = Box::pin(handle.evicted());
        Self { stream, timeout: IdleTimeout::new(idle, life, Instant::now()), evicted, handle }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.evicted.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.timeout.check(self.handle.auth_state(), cx)
    }
}

/// When a connection times out.
#[derive(Debug)]
struct IdleTimeout {
    idle: Duration,
    last_byte: Instant,
    /// When an unauthenticated peer is disconnected.
    end: Instant,
    timer: Pin<Box<Sleep>>,
}

impl IdleTimeout {
    fn new(idle: Duration, life: Duration, now: Instant) -> Self {
        Self { idle, last_byte: now, end: now + life, timer: Box::pin(sleep_until(now)) }
    }

    /// When it times out, unless a byte is transferred before.
    fn until(&self, auth_state: AuthState) -> Instant {
        let quiet = self.last_byte + self.idle;
        match auth_state {
            AuthState::Unauthenticated => self.end.min(quiet),
            AuthState::Authenticated => quiet,
        }
    }

    /// Fails when it has timed out, and wakes the task of `cx` when it will. The timer is only reset when it
    /// has fired, which costs less than at every byte.
    fn check(&mut self, auth_state: AuthState, cx: &mut Context<'_>) -> io::Result<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let until = self.until(auth_state);
            if until <= Instant::now() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.timer.as_mut().reset(until);
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
            self.timeout.byte();
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.timeout.byte();
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
    async fn byte_resets_the_idle_timeout_and_not_the_time_of_an_unauthenticated_peer() {
        let (idle, start) = (Duration::from_secs(60), Instant::now());
        let mut timeout = IdleTimeout::new(idle, Duration::from_secs(90), start);
        assert_eq!(timeout.until(AuthState::Unauthenticated), start + idle);
        timeout.last_byte = start + Duration::from_secs(10);
        assert_eq!(timeout.until(AuthState::Unauthenticated), start + Duration::from_secs(70));
        timeout.last_byte = start + Duration::from_secs(80);
        assert_eq!(timeout.until(AuthState::Unauthenticated), start + Duration::from_secs(90));
        assert_eq!(timeout.until(AuthState::Authenticated), start + Duration::from_secs(140));
    }
}
