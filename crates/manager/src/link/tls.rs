//! TLS for both listeners. Handshakes run beside each other, each within a time limit, so that a peer
//! that stalls keeps nobody else waiting.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};
use wire::IdentityName;

use crate::authority::{Authority, ServerIdentity};

/// How long a handshake may take: far more than a slow link needs.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes that are finished and not taken up yet.
const FINISHED: usize = 64;

/// The pause after the operating system could not give a connection, such as with too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much a listener takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, those in their handshake included.
    pub connections: usize,
}

impl Limits {
    /// For nodes: twice the 10,000 that a platform is planned for, for when all of them come back
    /// before their old connections are given up.
    pub const NODES: Self = Self { connections: 20_000 };
    /// For people and their tools.
    pub const PEOPLE: Self = Self { connections: 1_000 };
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

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    limits: Limits,
    done: mpsc::Sender<(Connection, Peer)>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, address)) => {
                tokio::spawn(handshake(acceptor.clone(), stream, address, place, done.clone()));
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
    done: mpsc::Sender<(Connection, Peer)>,
) {
    // It only saves a delay.
    let _ = stream.set_nodelay(true);
    match timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let identity = certificates.and_then(|chain| identity_of(chain.first()?));
            // An error says that the listener is gone.
            let _ = done.send((Connection { stream, _place: place }, Peer { address, identity })).await;
        }
        Ok(Err(error)) => debug!(%address, %error, "a TLS handshake failed"),
        Err(_) => debug!(%address, "a TLS handshake took too long"),
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

/// A connection, which keeps its place among those that the listener takes on.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
