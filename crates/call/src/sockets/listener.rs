//! Connections that others open, and those that the user agent has opened.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Peer, Stream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::driver::Driver;
use crate::signalling::Input;

use super::connection;

/// How long the listener waits after an error, most likely for want of file descriptors: the next try would fail at
/// once as well.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may take to open. A transaction gives up after 32 s; a firewall never answers.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Accepts connections, within the limits, until it is cancelled.
pub(crate) async fn accept(listener: TcpListener, driver: Arc<Driver>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Some(unserved) = connection::admit(&driver, stream) {
                    driver.handle(Input::Transport(TransportInput::Accepted(unserved.flow)));
                    unserved.serve(&driver);
                }
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

impl Driver {
    /// Opens a connection from an address of ours, and reports what becomes of it.
    pub(crate) fn connect(self: &Arc<Driver>, peer: Peer, local: IpAddr) {
        let driver = Arc::clone(self);
        tokio::spawn(async move {
            let stream = match peer.stream {
                Stream::Tcp => tokio::time::timeout(CONNECT_LIMIT, open(local, peer.remote)).await.ok(),
                // This node has no certificate for SIP.
                Stream::Tls => None,
            };
            let unserved = stream.and_then(Result::ok).and_then(|stream| connection::admit(&driver, stream));
            match unserved {
                Some(unserved) => {
                    let flow = unserved.flow;
                    driver.handle(Input::Transport(TransportInput::Opened { peer, flow }));
                    unserved.serve(&driver);
                }
                None => driver.handle(Input::Transport(TransportInput::NotOpened(peer))),
            }
        });
    }
}

async fn open(local: IpAddr, remote: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind((local, 0).into())?;
    socket.connect(remote).await
}
