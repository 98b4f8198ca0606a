//! TLS for both listeners, with the limits on their connections. Handshakes run concurrently, each with a
//! timeout, so that a peer that stalls delays nobody else.
//!
//! It relies on `connection_pools` for permits and on `verifier` for certificates. It does not read requests.

use clock::{Machine, Source as _};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge::permit_pool::PoolLimits;
use rustls::server::ResolvesServerCert;
use rustls::{CertificateError, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::connection::Connection;
use super::connection_pools::{ConnectionHandle, Endpoint, Pools};
use super::refusals::{Reason, Refusals};
use super::verifier::AuthorityVerifier;
use crate::authority::Authority;
use crate::certificate::Certificate;

/// Connections whose handshake is done and that are not served yet.
const FINISHED: usize = 64;

/// The pause after the operating system could not accept a connection, such as with too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a handshake may take: two round trips, so far more than a slow link needs.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a connection may be without a byte in either direction: six times as long as a node's
/// request is held, and longer than any request of the management API takes to be answered.
const IDLE: Duration = Duration::from_secs(60);

/// How long a body may be late: a link that is interrupted for a moment must not end an upload.
const BODY: Duration = Duration::from_secs(20);

/// How long an unauthenticated connection may last: to log in or to enrol takes one request, answered within
/// a second, or after eight when wrong tokens are delayed.
const UNAUTHENTICATED: Duration = Duration::from_secs(15);

/// The limits of a listener. In every pool the newest connection gets a permit, if need be one of the holder
/// that has the most (see [`edge::permit_pool`]). The pools for handshaking and unauthenticated connections
/// exist twice, the second time for connections from the machine itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in their handshake.
    pub handshaking: PoolLimits,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// Unauthenticated connections.
    pub unauthenticated: PoolLimits,
    /// How long each of those may last.
    pub unauthenticated_life: Duration,
    /// Authenticated connections, counted by the registration in the certificate, or by the address from which
    /// the peer logged in.
    pub authenticated: PoolLimits,
    /// How long a connection may be without a byte in either direction.
    pub idle: Duration,
    /// How long the head of a request may take, counted from the answer before.
    pub head: Duration,
    /// How long the body of a request may be late in total (see `min_rate`).
    pub body: Duration,
}

impl Limits {
    /// For nodes. Authenticated: twice the 10,000 that a platform is planned for, for when all of them
    /// reconnect before their old connections time out; a node has two or three, and a few that broke.
    /// Unauthenticated: an enrolment takes one request of less than a second, and 64 of them at once enrol a
    /// whole platform in minutes. Handshaking: after a restart all nodes connect within seconds, perhaps from
    /// one address, and some 2,000 handshakes a second are done.
    pub const NODES: Self = Self {
        handshaking: PoolLimits { total: 4_096, per_holder: 2_048 },
        handshake: HANDSHAKE,
        unauthenticated: PoolLimits { total: 64, per_holder: 16 },
        unauthenticated_life: UNAUTHENTICATED,
        authenticated: PoolLimits { total: 20_000, per_holder: 16 },
        idle: IDLE,
        head: IDLE,
        body: BODY,
    };
    /// For people and their tools. A connection is unauthenticated for as long as a password takes to be
    /// checked, so that 64 at once from one office serve hundreds of people. A tool that is idle for half a
    /// minute connects again.
    pub const PEOPLE: Self = Self {
        handshaking: PoolLimits { total: 512, per_holder: 64 },
        handshake: HANDSHAKE,
        unauthenticated: PoolLimits { total: 512, per_holder: 64 },
        unauthenticated_life: UNAUTHENTICATED,
        authenticated: PoolLimits { total: 1_000, per_holder: 250 },
        idle: IDLE,
        head: Duration::from_secs(30),
        body: BODY,
    };
}

/// The peer of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Endpoint where.
    pub address: SocketAddr,
    /// The certificate that it has shown, and whose key it has; none when it has shown none of this
    /// platform's authority. It may have expired.
    pub certificate: Option<Certificate>,
    /// The connection, to note that the peer has logged in.
    pub handle: ConnectionHandle,
}

/// The TLS settings of a listener. With `clients`, a certificate of that authority may be shown.
///
/// # Errors
/// The authority's certificate cannot be used.
pub fn server_config(
    identity: Arc<dyn ResolvesServerCert>,
    clients: Option<&Authority>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            builder.with_client_cert_verifier(Arc::new(AuthorityVerifier::new(authority, provider)?))
        }
    };
    let mut config = builder.with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A listener whose connections come with their handshake done.
#[derive(Debug)]
pub struct TlsListener {
    finished: mpsc::Receiver<(Connection, Peer)>,
    address: SocketAddr,
    limits: Limits,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    /// Accepts connections from `listener`, and records refusals.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn new(
        listener: TcpListener,
        config: Arc<ServerConfig>,
        limits: Limits,
        refusals: Refusals,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (done, finished) = mpsc::channel(FINISHED);
        let pools = Pools::new(limits.handshaking, limits.unauthenticated, limits.authenticated);
        let handshaker = Handshaker { acceptor: config.into(), limits, pools, refusals, done };
        Ok(Self { finished, address, limits, accepting: tokio::spawn(accept(listener, handshaker)) })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its limits.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// The next connection.
    pub(super) async fn accept(&mut self) -> (Connection, Peer) {
        match self.finished.recv().await {
            Some(accepted) => accepted,
            // The task that accepts ends with this listener only.
            None => std::future::pending().await,
        }
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What a handshake needs beside its connection.
#[derive(Clone)]
struct Handshaker {
    acceptor: TlsAcceptor,
    limits: Limits,
    pools: Pools,
    refusals: Refusals,
    done: mpsc::Sender<(Connection, Peer)>,
}

async fn accept(listener: TcpListener, handshaker: Handshaker) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let handle = handshaker.pools.admit(Endpoint::new(address, stream.local_addr().ok()));
                tokio::spawn(handshaker.clone().handshake(stream, address, handle));
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Handshaker {
    async fn handshake(self, stream: TcpStream, address: SocketAddr, handle: ConnectionHandle) {
        // A failure only costs a delay.
        let _ = stream.set_nodelay(true);
        let handshake = timeout(self.limits.handshake, self.acceptor.accept(stream));
        let done = tokio::select! {
            done = handshake => done,
            () = handle.evicted() => return debug!(%address, "the permit of a handshake was revoked for another"),
        };
        let stream = match done {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return self.failed(address, &error),
            Err(_) => return debug!(%address, "a TLS handshake took too long"),
        };
        let chain = stream.get_ref().1.peer_certificates();
        let certificate = chain.and_then(|chain| Certificate::read(chain.first()?));
        match certificate.filter(|shown| !shown.is_expired(Machine.wall())) {
            Some(shown) => handle.set_certificate(&shown),
            None => handle.set_unauthenticated(),
        }
        let Limits { idle, unauthenticated_life, .. } = self.limits;
        let connection = Connection::new(stream, idle, unauthenticated_life, handle.clone());
        // It fails only when the listener is dropped.
        let _ = self.done.send((connection, Peer { address, certificate, handle })).await;
    }

    /// Records a certificate that one side does not accept. Other failures concern the peer alone.
    fn failed(&self, address: SocketAddr, error: &io::Error) {
        let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        match error.and_then(reason_of) {
            Some(reason) => self.refusals.record_unauthenticated(address.ip(), reason),
            None => debug!(%address, ?error, "a TLS handshake failed"),
        }
    }
}

fn reason_of(error: &rustls::Error) -> Option<Reason> {
    use rustls::AlertDescription as Alert;
    const NOT_ACCEPTED: [Alert; 4] =
        [Alert::BadCertificate, Alert::CertificateExpired, Alert::CertificateUnknown, Alert::UnknownCA];
    if let rustls::Error::InvalidCertificate(why) = error {
        let by_another = matches!(why, CertificateError::UnknownIssuer | CertificateError::BadSignature);
        return Some(if by_another { Reason::OtherAuthority } else { Reason::UnusableCertificate });
    }
    matches!(error, rustls::Error::AlertReceived(alert) if NOT_ACCEPTED.contains(alert))
        .then_some(Reason::RejectsOurCertificate)
}
