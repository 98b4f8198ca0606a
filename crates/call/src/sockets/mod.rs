//! The sockets of SIP: one UDP socket and one TCP listener on the same address and port, a listener of TLS, and the
//! connections. They pass on what comes in and send what is to be sent; what it means is for [`crate::signalling`] to
//! decide.

mod connection;
mod connections;
mod datagrams;
mod listener;
mod opening;
mod refused;
mod tls;

pub(crate) use connections::Connections;
pub(crate) use datagrams::Datagrams;
pub use listener::TlsError;
pub(crate) use listener::{TlsListener, accept, accept_tls};
pub(crate) use refused::Refused;
pub(crate) use tls::Identity;
pub use tls::{CertificateError, TlsCertificate};

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// How often a free port is looked for that UDP and TCP can share.
const PORT_TRIES: usize = 16;

/// Both sockets, open.
pub(crate) struct Sockets {
    pub(crate) datagrams: Datagrams,
    pub(crate) listener: TcpListener,
    /// The address that was bound, with its real port.
    pub(crate) address: SocketAddr,
}

/// Opens both sockets on one address and port.
///
/// # Errors
/// One of them cannot be had.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<Sockets> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        match Datagrams::bind(address) {
            Ok(datagrams) => return Ok(Sockets { datagrams, listener, address }),
            Err(error) if tries == 0 => return Err(error),
            Err(_) => {}
        }
    }
}
