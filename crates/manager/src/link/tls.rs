//! TLS for both listeners. Handshakes run beside each other, each within a time limit, so that a peer
//! that stalls keeps nobody else waiting.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};
use wire::IdentityName;

use super::connection::{Connection, Place};
use crate::authority::{Authority, ServerIdentity};
use crate::shares::Shares;

/// How long a handshake may take: far more than a slow link needs.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes that are finished and not taken up yet.
const FINISHED: usize = 64;

/// The pause after the operating system could not give a connection, such as with too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection may be without a byte in either direction: six times as long as a node's
/// request is held, and longer than any request of the management API takes to be answered.
const IDLE: Duration = Duration::from_secs(60);

/// The part of a listener's places that one address may have: a quarter, so that it takes several to
/// fill them, and a whole location of nodes behind one address finds room.
const PART_OF_ONE_ADDRESS: usize = 4;

/// How much a listener takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, those in their handshake included. One address may have a quarter of them.
    pub connections: usize,
    /// How long a connection may be without a byte in either direction.
    pub idle: Duration,
    /// What is left for those who show no certificate; without it they are treated like all others.
    pub strangers: Option<Strangers>,
}

/// How much a listener takes on of those who show no certificate: on the nodes' one they can do nothing
/// but enrol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strangers {
    /// Connections at once. One address may have a quarter of them.
    pub connections: usize,
    /// How long each lives, whatever comes over it.
    pub life: Duration,
}

impl Limits {
    /// For nodes: twice the 10,000 that a platform is planned for, for when all of them come back
    /// before their old connections are given up. Strangers enrol, which takes one request of less than
    /// a second: 64 of them at once enrol a whole platform in minutes.
    pub const NODES: Self = Self {
        connections: 20_000,
        idle: IDLE,
        strangers: Some(Strangers { connections: 64, life: Duration::from_secs(15) }),
    };
    /// For people and their tools.
    pub const PEOPLE: Self = Self { connections: 1_000, idle: IDLE, strangers: None };
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// Whom its certificate names; none when it has shown none of this platform's authority.
    pub identity: Option<IdentityName>,
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
        Some(authority) => builder.with_client_cert_verifier(verifier(authority, provider)?),
    };
    let mut config = builder.with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn verifier(
    authority: &Authority,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}

/// Whom a certificate names. It must have been verified before.
pub fn identity_of(certificate: &CertificateDer<'_>) -> Option<IdentityName> {
    use x509_parser::extensions::GeneralName;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| if let GeneralName::URI(uri) = name { uri.parse().ok() } else { None });
    // A certificate that names two names nobody.
    uris.next().filter(|_| uris.next().is_none())
}

/// A listener whose connections come with their handshake done.
#[derive(Debug)]
pub struct TlsListener {
    finished: mpsc::Receiver<(Connection, Peer)>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    /// Takes connections from `listener`.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn new(listener: TcpListener, config: Arc<ServerConfig>, limits: Limits) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (done, finished) = mpsc::channel(FINISHED);
        let accepting = tokio::spawn(accept(listener, config.into(), limits, done));
        Ok(Self { finished, address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The places of a listener.
#[derive(Clone, Debug)]
struct Pool {
    all: Arc<Semaphore>,
    shares: Shares,
}

impl Pool {
    fn new(connections: usize) -> Self {
        let each = connections.div_ceil(PART_OF_ONE_ADDRESS);
        Self { all: Arc::new(Semaphore::new(connections)), shares: Shares::new(each) }
    }

    /// A place for a connection from there, unless none is left for it.
    fn place(&self, address: SocketAddr) -> Option<Place> {
        let share = self.shares.take(address.ip())?;
        let one = self.all.clone().try_acquire_owned().ok()?;
        Some(Place { _one: one, _share: share })
    }
}

/// Everything that a handshake needs beside its connection.
#[derive(Clone)]
struct Reception {
    acceptor: TlsAcceptor,
    idle: Duration,
    strangers: Option<(Pool, Duration)>,
    done: mpsc::Sender<(Connection, Peer)>,
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    limits: Limits,
    done: mpsc::Sender<(Connection, Peer)>,
) {
    let Limits { connections, idle, strangers } = limits;
    let strangers = strangers.map(|strangers| (Pool::new(strangers.connections), strangers.life));
    let reception = Reception { acceptor, idle, strangers, done };
    let pool = Pool::new(connections);
    loop {
        // Nothing is taken from the operating system's queue while there is no place at all.
        let Ok(free) = pool.all.acquire().await else { return };
        drop(free);
        match listener.accept().await {
            Ok((stream, address)) => match pool.place(address) {
                Some(place) => _ = tokio::spawn(reception.clone().handshake(stream, address, place)),
                None => debug!(%address, "refused: this address has its share of the connections"),
            },
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Reception {
    async fn handshake(self, stream: TcpStream, address: SocketAddr, place: Place) {
        // It only saves a delay.
        let _ = stream.set_nodelay(true);
        let stream = match timeout(HANDSHAKE, self.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return debug!(%address, %error, "a TLS handshake failed"),
            Err(_) => return debug!(%address, "a TLS handshake took too long"),
        };
        let certificates = stream.get_ref().1.peer_certificates();
        let identity = certificates.and_then(|chain| identity_of(chain.first()?));
        let (places, life) = match &self.strangers {
            Some((pool, life)) if identity.is_none() => match pool.place(address) {
                Some(stranger) => (vec![place, stranger], Some(*life)),
                None => return debug!(%address, "refused: too many are here without a certificate"),
            },
            Some(_) | None => (vec![place], None),
        };
        let connection = Connection::new(stream, self.idle, life, places);
        // An error says that the listener is gone.
        let _ = self.done.send((connection, Peer { address, identity })).await;
    }
}

impl Listener for TlsListener {
    type Io = Connection;
    type Addr = Peer;

    async fn accept(&mut self) -> (Connection, Peer) {
        match self.finished.recv().await {
            Some(accepted) => accepted,
            // The accepting task ends with this listener only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer { address: self.address, identity: None })
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        *stream.remote_addr()
    }
}
