//! A listener of TLS with a certificate that the machine makes for itself: nobody has certified it yet, and whoever posts
//! the file accepts it unseen.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::serve::Listener;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::CannotWait;
use crate::web::{Bounded, Held};

/// A certificate and its key. The key is in memory alone.
pub(super) struct SelfSigned {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl SelfSigned {
    /// Makes one for the machine at this address.
    pub(super) fn make(address: IpAddr) -> Result<Self, CannotWait> {
        let made = rcgen::generate_simple_self_signed([address.to_string()]);
        let rcgen::CertifiedKey { cert, signing_key } = made.map_err(CannotWait::Certificate)?;
        Ok(Self { certificate: cert.der().clone(), key: signing_key.serialize_der() })
    }

    fn config(&self) -> Result<ServerConfig, rustls::Error> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
    }
}

/// A listener whose connections are limited in number and life, the handshake included.
pub(super) struct Tls {
    listener: Bounded,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<io::Result<(TlsStream<Held>, SocketAddr)>>,
}

impl Tls {
    pub(super) fn new(listener: Bounded, identity: &SelfSigned) -> Result<Self, CannotWait> {
        let config = identity.config().map_err(CannotWait::Tls)?;
        Ok(Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)), handshakes: JoinSet::new() })
    }
}

impl Listener for Tls {
    type Io = TlsStream<Held>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TlsStream<Held>, SocketAddr) {
        loop {
            tokio::select! {
                (stream, address) = self.listener.accept() => {
                    let acceptor = self.acceptor.clone();
                    self.handshakes.spawn(async move { Ok((acceptor.accept(stream).await?, address)) });
                }
                // A handshake that fails concerns nobody else.
                done = self.handshakes.join_next(), if !self.handshakes.is_empty() => {
                    if let Some(Ok(Ok(connection))) = done {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
