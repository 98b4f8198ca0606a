//! The TCP connections, whoever opened them: their limits, and what waits to be written.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sip::transport::flow::Connection;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::time::{Clock, Time};

/// The most bytes that wait to be written to one connection. What comes above is lost, as to a far end that is gone: one
/// that leaves so much unread does not follow its calls, and the system closes the connection soon.
const QUEUE: usize = 256 * 1024;
/// One source may hold this share of the connections.
const SOURCE_SHARE: usize = 4;

/// All connections.
pub(crate) struct Connections {
    clock: Clock,
    limit: usize,
    idle: Duration,
    last: AtomicU64,
    table: Mutex<BTreeMap<Connection, Entry>>,
}

struct Entry {
    remote: IpAddr,
    heard: Time,
    queue: mpsc::UnboundedSender<Arc<[u8]>>,
    waiting: Arc<AtomicUsize>,
    closed: CancellationToken,
}

/// What the two tasks of a connection are given.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) queue: mpsc::UnboundedReceiver<Arc<[u8]>>,
    /// The bytes in the queue.
    pub(super) waiting: Arc<AtomicUsize>,
    /// Cancelled when the connection is to be closed at once.
    pub(super) closed: CancellationToken,
}

impl Connections {
    /// No connections yet. One without a call is closed when nothing came over it for `idle`.
    pub(crate) fn new(clock: Clock, limit: u32, idle: Duration) -> Connections {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Connections { clock, limit, idle, last: AtomicU64::default(), table: Mutex::default() }
    }

    /// Takes in a new connection; `None` when there are too many of this source, or of all together.
    pub(super) fn add(&self, remote: SocketAddr, cancel: &CancellationToken) -> Option<Opened> {
        let remote = crate::admission::group(remote.ip());
        let mut table = self.lock();
        let of_source = table.values().filter(|entry| entry.remote == remote).count();
        if table.len() >= self.limit || of_source >= (self.limit / SOURCE_SHARE).max(1) {
            return None;
        }
        let connection = Connection(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        let (sender, queue) = mpsc::unbounded_channel();
        let (waiting, closed) = (Arc::<AtomicUsize>::default(), cancel.child_token());
        let heard = self.clock.now();
        let entry =
            Entry { remote, heard, queue: sender, waiting: Arc::clone(&waiting), closed: closed.clone() };
        table.insert(connection, entry);
        Some(Opened { connection, queue, waiting, closed })
    }

    /// A connection is closed.
    pub(super) fn remove(&self, connection: Connection) {
        self.lock().remove(&connection);
    }

    /// Something has come over a connection.
    pub(super) fn heard(&self, connection: Connection) {
        let now = self.clock.now();
        self.lock().get_mut(&connection).into_iter().for_each(|entry| entry.heard = now);
    }

    /// Has a message written.
    pub(crate) fn send(&self, connection: Connection, bytes: Arc<[u8]>) {
        if let Some(entry) = self.lock().get(&connection)
            && entry.waiting.load(Ordering::Relaxed) + bytes.len() <= QUEUE
        {
            entry.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
            // A writer that has ended has closed the connection.
            let _ = entry.queue.send(bytes);
        }
    }

    /// Closes a connection when all is written that waits.
    pub(crate) fn close(&self, connection: Connection) {
        if let Some(entry) = self.lock().get_mut(&connection) {
            // The writer ends with the last sender.
            entry.queue = mpsc::unbounded_channel().0;
        }
    }

    /// Closes the connections that no call uses and over which nothing came for too long.
    pub(crate) fn close_idle(&self, used: &BTreeSet<Connection>) {
        let now = self.clock.now();
        for (connection, entry) in self.lock().iter() {
            if !used.contains(connection) && now.since(entry.heard) >= self.idle {
                entry.closed.cancel();
            }
        }
    }

    /// How often [`Self::close_idle`] is due.
    pub(crate) fn pause(&self) -> Duration {
        (self.idle / 4).max(Duration::from_millis(50))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Connection, Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
