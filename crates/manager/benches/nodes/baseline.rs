//! A bare TLS server with the certificates of the platform: how long the same handshakes take without a Management Node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use manager::authority::{Authority, ServerIdentity};
use manager::link::server_config;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::AbortOnDropHandle;

use crate::Failure;
use crate::connection::Access;
use crate::machine::{BenchMachine, NODES};

/// How many nodes connect at once: the queue of a listener has no place for all of a large platform, and connections beyond it
/// are reset or tried again after a second.
const AT_ONCE: usize = 512;

/// How long all nodes together need to connect to it, one connection each. The Management Node must not run.
pub(crate) async fn measure(machine: &BenchMachine, nodes: &[Access]) -> Result<Duration, Failure> {
    let authority = Arc::new(Authority::load_or_make(&machine.layout().state())?);
    let identity = ServerIdentity::new(authority.clone(), vec![machine.address.to_string()])?;
    let config = server_config(Arc::new(identity), Some(&authority))?;
    let listener = TcpListener::bind(SocketAddr::new(machine.address, NODES)).await?;
    let _serving = AbortOnDropHandle::new(tokio::spawn(accept(listener, config.into())));
    let (began, mut connecting) = (Instant::now(), JoinSet::new());
    let mut connected = Vec::new();
    for access in nodes {
        while connecting.len() >= AT_ONCE {
            connected.extend(connecting.join_next().await.transpose()?.transpose()?);
        }
        let access = access.clone();
        connecting.spawn(async move { access.connect().await });
    }
    while let Some(done) = connecting.join_next().await {
        connected.push(done??);
    }
    Ok(began.elapsed())
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor) {
    let mut open: JoinSet<Option<TlsStream<TcpStream>>> = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        // The set keeps the connections.
        open.spawn(async move { acceptor.accept(stream).await.ok() });
    }
}
