//! Connections that others open.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::Stream;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;

use crate::driver::Driver;
use crate::settings::TlsSettings;
use crate::signalling::Input;

use super::connection;
use super::tls::{CertificateError, Identity, LOOK};

/// How long the listener waits after an error, most likely for want of file descriptors: the next try would fail at
/// once as well.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections, within the limits, until it is cancelled.
pub(crate) async fn accept(listener: TcpListener, driver: Arc<Driver>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Some(unserved) = connection::admit(&driver, stream, Stream::Tcp) {
                    driver.handle(Input::Transport(TransportInput::Accepted(unserved.flow)));
                    unserved.serve(&driver);
                }
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// The listener of SIP over TLS.
pub(crate) struct TlsListener {
    listener: TcpListener,
    identity: Arc<Identity>,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    /// Opens it.
    ///
    /// # Errors
    /// The address cannot be had, or the certificate cannot be used.
    pub(crate) async fn bind(settings: &TlsSettings) -> Result<TlsListener, TlsError> {
        let identity = Arc::new(Identity::load(settings)?);
        let acceptor = identity.acceptor()?;
        let listener = TcpListener::bind(settings.address).await?;
        Ok(TlsListener { listener, identity, acceptor })
    }

    /// The certificate that it shows, and whom it trusts.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.identity)
    }

    /// The address that was bound, with its real port.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Why SIP over TLS cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The library refuses its settings.
    #[error(transparent)]
    Library(#[from] rustls::Error),
    /// The address cannot be had.
    #[error(transparent)]
    Address(#[from] io::Error),
}

/// Accepts connections of TLS, within the limits, until it is cancelled.
pub(crate) async fn accept_tls(tls: TlsListener, driver: Arc<Driver>) {
    let TlsListener { listener, identity, acceptor } = tls;
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = looks.tick() => {
                let identity = Arc::clone(&identity);
                // Files may lie on a slow disk.
                tokio::task::spawn_blocking(move || identity.refresh());
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => secure(stream, &driver, acceptor.clone()),
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
        }
    }
}

/// Shakes hands with a far end, and serves its connection then.
fn secure(stream: TcpStream, driver: &Arc<Driver>, acceptor: TlsAcceptor) {
    let Some(unserved) = connection::admit(driver, stream, Stream::Tls) else { return };
    let driver = Arc::clone(driver);
    tokio::spawn(async move {
        if let Ok(secured) = unserved.secured(&driver, |stream| acceptor.accept(stream)).await {
            driver.handle(Input::Transport(TransportInput::Accepted(secured.flow)));
            secured.serve(&driver);
        }
    });
}
