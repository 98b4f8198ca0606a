//! TLS for both listeners. Handshakes run beside each other, each within a time limit, so that a peer
//! that stalls keeps nobody else waiting.

use clock::{Machine, Source as _};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge::permit_pool::PoolLimits;
use rustls::{CertificateError, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::certificate::Certificate;
use super::connection::Connection;
use super::connection_pools::{ConnectionHandle, Endpoint, Pools};
use super::refusals::{Reason, Refusals};
use super::verifier::AuthorityVerifier;
use crate::authority::{Authority, ServerIdentity};

/// Handshakes that are finished and not taken up yet.
const FINISHED: usize = 64;

/// The pause after the operating system could not give a connection, such as with too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a handshake may take: two round trips, so far more than a slow link needs.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a connection may be without a byte in either direction: six times as long as a node's
/// request is held, and longer than any request of the management API takes to be answered.
const IDLE: Duration = Duration::from_secs(60);

/// How long a body may be late: a link that breaks off for a moment is no reason to end an upload.
const BODY: Duration = Duration::from_secs(20);

/// How long a stranger may stay: to log in or to enrol takes one request, answered within a second, or
/// after eight when wrong tokens are slowed down.
const UNAUTHENTICATED: Duration = Duration::from_secs(15);

/// How much a listener takes on. In every room the newest find a place: it is taken from whoever holds
/// the most (see [`edge::permit_pool`]). Arriving and unauthenticated have the same room once more for connections
/// from the machine itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in their handshake.
    pub handshaking: PoolLimits,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// Connections of those who have not proved who they are.
    pub unauthenticated: PoolLimits,
    /// How long each of those lives, whatever comes over it.
    pub unauthenticated_life: Duration,
    /// Connections of those who are authenticated: each by the registration in its certificate, or by the address it
    /// logged in from.
    pub authenticated: PoolLimits,
    /// How long a connection may be without a byte in either direction.
    pub idle: Duration,
    /// How long the head of a request may take, counted from the answer before.
    pub head: Duration,
    /// How long the body of a request may be late in all, whatever has come of it (see [`super::min_rate`]).
    pub body: Duration,
}

impl Limits {
    /// For nodes. Known: twice the 10,000 that a platform is planned for, for when all of them come back
    /// before their old connections are given up; a node has two or three, and a few that broke. Strangers
    /// enrol, which takes one request of less than a second: 64 of them at once enrol a whole platform in
    /// minutes. Arriving: after a restart all nodes come within seconds, perhaps from one address, and
    /// some 2,000 handshakes a second are done.
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
    /// For people and their tools. A stranger is one for as long as a password takes to be checked, so
    /// that 64 at once from one office are hundreds of people. A tool that is quiet for half a minute
    /// connects again.
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

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Endpoint where.
    pub address: SocketAddr,
    /// The certificate that it has shown, whose key it holds; none when it has shown none of this
    /// platform's authority. Whether it is good now is not said.
    pub certificate: Option<Certificate>,
    /// The connection, to say that it has logged in.
    pub handle: ConnectionHandle,
}

/// The TLS settings of a listener. With `clients`, a certificate of that authority may be shown.
///
/// # Errors
/// The authority's certificate cannot be used.
pub fn server_config(
    identity: Arc<ServerIdentity>,
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
    /// Takes connections from `listener`, and notes whom it refuses.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much it takes on.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// The next connection.
    pub(super) async fn accept(&mut self) -> (Connection, Peer) {
        match self.finished.recv().await {
            Some(accepted) => accepted,
            // The accepting task ends with this listener only.
            None => std::future::pending().await,
        }
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Everything that a handshake needs beside its connection.
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
        // It only saves a delay.
        let _ = stream.set_nodelay(true);
        let handshake = timeout(self.limits.handshake, self.acceptor.accept(stream));
        let done = tokio::select! {
            done = handshake => done,
            () = handle.evicted() => return debug!(%address, "a handshake made room for another"),
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
        // An error says that the listener is gone.
        let _ = self.done.send((connection, Peer { address, certificate, handle })).await;
    }

    /// Notes a certificate that one side does not accept. What else goes wrong concerns nobody but the peer.
    fn failed(&self, address: SocketAddr, error: &io::Error) {
        let error = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
        match error.and_then(reason_of) {
            Some(reason) => self.refusals.of_stranger(address.ip(), reason),
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
