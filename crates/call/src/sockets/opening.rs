//! Connections that the user agent has opened: of TCP, and of TLS to far ends that a trusted authority has certified for
//! the name or the address that they are reached by.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Peer, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::driver::Driver;
use crate::signalling::Input;

use super::connection::{self, Unserved};

/// How long a connection may take to open. A transaction gives up after 32 s; a firewall never answers.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

impl Driver {
    /// Opens a connection from an address of ours, and reports what becomes of it.
    pub(crate) fn connect(self: &Arc<Driver>, peer: Peer, local: IpAddr) {
        let driver = Arc::clone(self);
        tokio::spawn(async move {
            let served = match peer.stream {
                Stream::Tcp => driver.open(&peer, local).await.map(|opened| driver.serve(&peer, opened)),
                Stream::Tls => driver.open_tls(&peer, local).await.map(|opened| driver.serve(&peer, opened)),
            };
            if served.is_none() {
                driver.handle(Input::Transport(TransportInput::NotOpened(peer)));
            }
        });
    }

    fn serve<S: AsyncRead + AsyncWrite + Send + 'static>(
        self: &Arc<Driver>,
        peer: &Peer,
        opened: Unserved<S>,
    ) {
        let (peer, flow) = (peer.clone(), opened.flow);
        self.handle(Input::Transport(TransportInput::Opened { peer, flow }));
        opened.serve(self);
    }

    async fn open(&self, peer: &Peer, local: IpAddr) -> Option<Unserved<TcpStream>> {
        let stream = tokio::time::timeout(CONNECT_LIMIT, open(local, peer.remote)).await;
        connection::admit(self, stream.ok()?.ok()?, peer.stream)
    }

    /// Without authorities nothing is opened. A far end that is not what it should be is reported once.
    async fn open_tls(
        &self,
        peer: &Peer,
        local: IpAddr,
    ) -> Option<Unserved<tokio_rustls::client::TlsStream<TcpStream>>> {
        let connector = self.identity.as_ref()?.connector()?;
        let name = server_name(peer)?;
        let opened = self.open(peer, local).await?;
        match opened.secured(self, |stream| connector.connect(name, stream)).await {
            Ok(secured) => {
                self.refused.forget(peer);
                Some(secured)
            }
            Err(error) => {
                self.report(peer, &error);
                None
            }
        }
    }

    fn report(&self, peer: &Peer, error: &io::Error) {
        if self.refused.is_news(self.clock.now(), peer, error) {
            let name = peer.name.as_deref().unwrap_or_default();
            tracing::warn!(
                address = %peer.remote,
                name,
                error = error as &dyn std::error::Error,
                "no connection of TLS to a far end; an authority in trust must have certified it for its name, or for \
                 its address if it is reached without a name"
            );
        }
    }
}

/// What the certificate of a far end must be for: the name that it is reached by, or its address.
fn server_name(peer: &Peer) -> Option<ServerName<'static>> {
    match &peer.name {
        Some(name) => ServerName::try_from(name.to_string()).ok(),
        None => Some(ServerName::from(peer.remote.ip())),
    }
}

async fn open(local: IpAddr, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind((local, 0).into())?;
    socket.connect(remote).await
}
