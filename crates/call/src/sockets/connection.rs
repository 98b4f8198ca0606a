//! One connection, of TCP or TLS: a task that reads and cuts the stream into messages, and one that writes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::sockopt;
use sip::framer::Framer;
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Connection, Flow, Link, Stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::driver::Driver;
use crate::signalling::Input;

use super::connections::Opened;
use super::datagrams::canonical;

/// How long a far end may leave unread what was sent to it over TCP, or not confirm it, before the
/// system ends the connection. Whoever reads nothing for five seconds answers no SIP timer either.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a handshake of TLS may take. A phone needs four messages on a network that may be slow.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a message may take from its first byte to its last: one that goes on for longer holds a place for nothing.
const MESSAGE_LIMIT: Duration = Duration::from_secs(30);
/// The bytes that are read at a time.
const PORTION: usize = 8 * 1024;

/// A connection that counts, and is not yet known to the user agent.
pub(super) struct Unserved<S> {
    stream: S,
    opened: Opened,
    pub(super) flow: Flow,
}

/// Takes a connection in. `None` when there are too many, or it is closed again already.
pub(super) fn admit(driver: &Driver, stream: TcpStream, kind: Stream) -> Option<Unserved<TcpStream>> {
    let addresses = || -> io::Result<(SocketAddr, SocketAddr)> {
        sockopt::set_tcp_user_timeout(&stream, TCP_USER_TIMEOUT.as_millis() as u32)?;
        stream.set_nodelay(true)?;
        Ok((canonical(stream.local_addr()?), canonical(stream.peer_addr()?)))
    };
    let (local, remote) = addresses().ok()?;
    let opened = driver.connections.add(remote, &driver.cancel)?;
    let flow = Flow { link: Link::Connection(kind, opened.connection), local, remote };
    Some(Unserved { stream, opened, flow })
}

impl Unserved<TcpStream> {
    /// Shakes hands by TLS.
    ///
    /// # Errors
    /// That fails, or takes too long, or the connection is closed meanwhile.
    pub(super) async fn secured<S, H: Future<Output = io::Result<S>>>(
        self,
        driver: &Driver,
        handshake: impl FnOnce(TcpStream) -> H,
    ) -> io::Result<Unserved<S>> {
        let Unserved { stream, opened, flow } = self;
        let handshake = tokio::time::timeout(HANDSHAKE_LIMIT, handshake(stream));
        let stream = tokio::select! {
            () = opened.closed.cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
            stream = handshake => stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        };
        match stream {
            Ok(stream) => Ok(Unserved { stream, opened, flow }),
            Err(error) => {
                driver.connections.remove(opened.connection);
                Err(error)
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + 'static> Unserved<S> {
    /// Serves the connection until it is closed. The user agent knows it already.
    pub(super) fn serve(self, driver: &Arc<Driver>) {
        let Unserved { stream, opened: Opened { connection, queue, waiting, closed }, .. } = self;
        let (reader, writer) = tokio::io::split(stream);
        let all = write(writer, queue, waiting);
        let cancelled = closed.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = all => cancelled.cancel(),
            }
        });
        let driver = Arc::clone(driver);
        tokio::spawn(async move {
            tokio::select! {
                () = closed.cancelled() => {}
                () = read(reader, connection, &driver) => {}
            }
            // A far end that sends no more may still read: what waits is written, and then the writer ends.
            driver.connections.remove(connection);
            driver.handle(Input::Transport(TransportInput::Closed(connection)));
        });
    }
}

async fn read(mut reader: impl AsyncRead + Unpin, connection: Connection, driver: &Arc<Driver>) {
    let mut framer = Framer::new();
    let mut portion = vec![0; PORTION];
    let mut begun = None;
    loop {
        let read = reader.read(&mut portion);
        let Ok(Ok(length @ 1..)) = timeout_at(begun.unwrap_or_else(far), read).await else { return };
        driver.connections.heard(connection);
        framer.push(&portion[..length]);
        while let Some(frame) = framer.next_frame() {
            driver.handle(Input::Transport(TransportInput::Frame { connection, frame }));
            begun = None;
        }
        if framer.is_between() {
            begun = None;
        } else {
            begun.get_or_insert_with(|| Instant::now() + MESSAGE_LIMIT);
        }
    }
}

/// A moment that does not come.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400 * 365)
}

/// Writes what is queued until nothing more can come.
async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut queue: mpsc::UnboundedReceiver<Arc<[u8]>>,
    waiting: Arc<AtomicUsize>,
) {
    while let Some(bytes) = queue.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
        waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
    }
    // The far end may have closed it already.
    let _ = writer.shutdown().await;
}
