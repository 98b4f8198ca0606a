//! The sockets of SIP and their limits: one UDP socket and one TCP listener on the same address and port.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rsipstack::sip::prelude::HasHeaders;
use rsipstack::sip::{SipMessage, Transport};
use rsipstack::transaction::endpoint::{EndpointInnerRef, TransportEventInspector};
use rsipstack::transport::tcp::TcpConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent};
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::time::{Clock, Time};

use super::gate::{Gate, Passage};

/// The most headers of a message; the next ones make it unread. Calls through many proxies have forty.
const MAX_HEADERS: usize = 128;
/// The longest header, in bytes.
const MAX_HEADER: usize = 4096;
/// The longest body, in bytes; session descriptions have a lower limit of their own.
const MAX_BODY: usize = 32 * 1024;
/// How often a free port is looked for that UDP and TCP can share.
const PORT_TRIES: usize = 16;
/// How long a far end may leave unread what was sent to it over TCP, or not confirm it, before the
/// system ends the connection. Whoever reads nothing for five seconds answers no SIP timer either.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a close waits for a write that is under way; the system's time-out above ends that write.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// One source may hold this share of the TCP connections.
const SOURCE_SHARE: usize = 4;

/// Both sockets, open.
pub(crate) struct Sockets {
    pub(crate) udp: UdpConnection,
    pub(crate) tcp: TcpListener,
    pub(crate) address: SocketAddr,
}

/// Opens both sockets on one address and port.
///
/// # Errors
/// One of them cannot be had.
pub(crate) async fn bind(address: SocketAddr, cancel: &CancellationToken) -> io::Result<Sockets> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let tcp = TcpListener::bind(address).await?;
        let bound = tcp.local_addr()?;
        match UdpConnection::create_connection(bound, None, Some(cancel.child_token())).await {
            Ok(udp) => return Ok(Sockets { udp, tcp, address: bound }),
            Err(error) if tries == 0 => return Err(io::Error::other(error.to_string())),
            Err(_) => {}
        }
    }
}

/// The TCP connections, whoever opened them.
pub(crate) struct Connections {
    clock: Clock,
    limit: usize,
    idle: Duration,
    table: Mutex<HashMap<SocketAddr, Entry>>,
}

struct Entry {
    connection: SipConnection,
    heard: Time,
    users: Arc<()>,
    state: State,
}

/// Whether a connection is to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// It was told to close. It counts until the far end has let go of it as well.
    Closing,
}

/// Keeps a connection open for as long as it lives.
pub(super) type Hold = Option<Arc<()>>;

impl Connections {
    pub(crate) fn new(clock: Clock, limit: u32, idle: Duration) -> Arc<Connections> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Arc::new(Connections { clock, limit, idle, table: Mutex::new(HashMap::new()) })
    }

    /// A call uses this connection.
    pub(super) fn hold(&self, connection: &SipConnection) -> Hold {
        let remote = remote(connection)?;
        self.lock().get(&remote).map(|entry| Arc::clone(&entry.users))
    }

    fn has_room_for(&self, source: IpAddr) -> bool {
        let table = self.lock();
        let of_source = table.keys().filter(|remote| remote.ip() == source).count();
        table.len() < self.limit && of_source < (self.limit / SOURCE_SHARE).max(1)
    }

    fn add(&self, connection: &SipConnection) {
        let Some(remote) = remote(connection) else { return };
        let heard = self.clock.now();
        let entry = Entry { connection: connection.clone(), heard, users: Arc::new(()), state: State::Open };
        let mut table = self.lock();
        if table.get(&remote).is_some_and(|earlier| is_closed(&earlier.connection)) {
            table.remove(&remote);
        }
        table.entry(remote).or_insert(entry);
    }

    fn touch(&self, remote: SocketAddr) {
        let now = self.clock.now();
        self.lock().get_mut(&remote).into_iter().for_each(|entry| entry.heard = now);
    }

    /// Forgets a closed connection, unless a new one has come from the same place since.
    fn forget(&self, remote: SocketAddr) {
        let mut table = self.lock();
        if table.get(&remote).is_some_and(|entry| is_closed(&entry.connection)) {
            table.remove(&remote);
        }
    }

    /// The connections without a call that were silent for too long, each only once.
    fn take_idle(&self) -> Vec<SipConnection> {
        let now = self.clock.now();
        let mut table = self.lock();
        let idle = table.values_mut().filter(|entry| {
            entry.state == State::Open
                && Arc::strong_count(&entry.users) == 1
                && now.since(entry.heard) >= self.idle
        });
        idle.map(|entry| {
            entry.state = State::Closing;
            entry.connection.clone()
        })
        .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Entry>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remote(connection: &SipConnection) -> Option<SocketAddr> {
    if !connection.is_reliable() {
        return None;
    }
    connection.get_remote_addr()?.get_socketaddr().ok()
}

/// Whether the stack has given the connection up.
pub(super) fn is_closed(connection: &SipConnection) -> bool {
    connection.cancel_token().is_some_and(|token| token.is_cancelled())
}

/// Accepts TCP connections, within the limits, until it is cancelled.
pub(crate) async fn accept(
    listener: TcpListener,
    connections: Arc<Connections>,
    endpoint: EndpointInnerRef,
    cancel: CancellationToken,
) {
    let local = listener.local_addr();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = cancel.cancelled() => return,
        };
        match (accepted, &local) {
            (Ok((stream, from)), Ok(local)) => {
                if connections.has_room_for(from.ip()) {
                    serve(stream, *local, &connections, &endpoint, &cancel);
                }
            }
            // Out of file descriptors, most likely: the next accept would fail at once as well.
            (Err(_), _) | (_, Err(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn serve(
    stream: TcpStream,
    local: SocketAddr,
    connections: &Connections,
    endpoint: &EndpointInnerRef,
    cancel: &CancellationToken,
) {
    if sockopt::set_tcp_user_timeout(&stream, TCP_USER_TIMEOUT.as_millis() as u32).is_err() {
        return;
    }
    let local = SipAddr::new(Transport::Tcp, local.into());
    if let Ok(connection) = TcpConnection::from_stream(stream, local, Some(cancel.child_token())) {
        let connection = SipConnection::from(connection);
        connections.add(&connection);
        endpoint.transport_layer.add_connection(connection);
    }
}

/// Closes idle TCP connections until it is cancelled.
pub(crate) async fn reap(
    connections: Arc<Connections>,
    endpoint: EndpointInnerRef,
    cancel: CancellationToken,
) {
    let pause = (connections.idle / 4).max(Duration::from_millis(50));
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cancel.cancelled() => return,
        }
        for connection in connections.take_idle() {
            endpoint.transport_layer.remove_connection(&connection);
            // By a task of its own: one that is slow to close must not keep the others open.
            tokio::spawn(async move {
                let _ = tokio::time::timeout(CLOSE_LIMIT, connection.close()).await;
            });
        }
    }
}

/// Sees everything that comes in before the transactions do: drops what is over the limits and keeps
/// the table of connections.
pub(crate) struct Inspector(pub(crate) Arc<Connections>, pub(crate) Gate);

#[async_trait::async_trait]
impl TransportEventInspector for Inspector {
    async fn handle(&self, event: TransportEvent) -> Option<TransportEvent> {
        match &event {
            TransportEvent::Incoming(message, connection, _) => {
                if !is_within_limits(message) {
                    return None;
                }
                let Some(remote) = remote(connection) else { return Some(event) };
                self.0.touch(remote);
                match self.1.pass(message, connection, remote.ip()) {
                    Passage::On => Some(event),
                    Passage::Ended => None,
                }
            }
            TransportEvent::New(connection) => {
                self.0.add(connection);
                Some(event)
            }
            TransportEvent::Closed(connection) => {
                remote(connection).into_iter().for_each(|remote| self.0.forget(remote));
                Some(event)
            }
        }
    }
}

fn is_within_limits(message: &SipMessage) -> bool {
    let body = match message {
        SipMessage::Request(request) => &request.body,
        SipMessage::Response(response) => &response.body,
    };
    let headers = message.headers();
    headers.len() <= MAX_HEADERS
        && body.len() <= MAX_BODY
        && headers.iter().all(|header| header.value().len() <= MAX_HEADER)
}
