//! A connection of a light node: TLS with a certificate from an address of its own, and requests one after the other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::task::AbortOnDropHandle;
use wire::SYNC_BYTES;

use crate::Failure;

/// What a node needs to connect.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Its own address.
    pub(crate) from: IpAddr,
    /// Where the Management Node listens for nodes.
    pub(crate) manager: SocketAddr,
    /// The authority that it trusts, and its certificate if it has one.
    pub(crate) tls: Arc<ClientConfig>,
}

/// The address of a node in 127.128.0.0/9.
pub(crate) fn address_of(number: u32) -> IpAddr {
    let [_, _, high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 128, high, low).into()
}

/// The TLS settings of a client that trusts one authority, with a certificate and its key (PEM) if given.
pub(crate) fn client_config(
    authority: &str,
    identity: Option<(&str, &str)>,
) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain =
                CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>()?;
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?
        }
    };
    // A place for the one server that a node has.
    config.resumption = Resumption::in_memory_sessions(1);
    Ok(Arc::new(config))
}

impl Access {
    /// Does the handshakes.
    pub(crate) async fn connect(&self) -> Result<TlsStream<TcpStream>, Failure> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.from, 0).into())?;
        let stream = socket.connect(self.manager).await?;
        stream.set_nodelay(true)?;
        let name = self.manager.ip().into();
        Ok(TlsConnector::from(self.tls.clone()).connect(name, stream).await?)
    }
}

/// A connection that sends requests.
#[derive(Debug)]
pub(crate) struct Connection {
    requests: SendRequest<Body>,
    _task: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(access: &Access) -> Result<Self, Failure> {
        let (requests, connection) = handshake(TokioIo::new(access.connect().await?)).await?;
        let task: JoinHandle<()> = tokio::spawn(async move { _ = connection.await });
        Ok(Self { requests, _task: AbortOnDropHandle::new(task) })
    }

    /// Posts JSON and reads the JSON that is answered.
    pub(crate) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.requests.ready().await?;
        let request = Request::post(path)
            .header(header::HOST, "manager")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(serde_json::to_vec(body)?))?;
        let answer = self.requests.send_request(request).await?;
        let status = answer.status();
        let bytes = to_bytes(Body::new(answer.into_body()), SYNC_BYTES).await?;
        if !status.is_success() {
            return Err(format!("{path} answered {status}: {}", String::from_utf8_lossy(&bytes)).into());
        }
        Ok(serde_json::from_slice(&bytes)?)
    }
}
