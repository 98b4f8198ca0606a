//! The two listeners, for people and for nodes: bound, served, stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{from_fn_with_state, map_request};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::StartError;
use crate::authority::{Authority, ServerIdentity};
use crate::gate::{Gate, guard};
use crate::link::{Limits, Peer, Refusals, TlsListener, serve, server_config};
use crate::operator_certificate::{OperatorCertificate, PeopleIdentity};
use crate::settings::Settings;

/// How long requests in progress may take to end when the process ends.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// Both listeners, bound.
#[derive(Debug)]
pub struct Listeners {
    people: TlsListener,
    nodes: TlsListener,
    certificate: OperatorCertificate,
    refusals: Refusals,
}

impl Listeners {
    /// Binds both.
    ///
    /// # Errors
    /// An address cannot be listened on, or TLS cannot be set up.
    pub async fn bind(settings: &Settings, authority: &Arc<Authority>) -> Result<Self, StartError> {
        let identity = Arc::new(ServerIdentity::new(authority.clone(), settings.names.clone())?);
        let certificate = OperatorCertificate::default();
        let people =
            server_config(Arc::new(PeopleIdentity::new(identity.clone(), certificate.clone())), None)?;
        let nodes = server_config(identity, Some(authority))?;
        let refusals = Refusals::default();
        Ok(Self {
            people: listen(settings.people, people, Limits::PEOPLE, &refusals).await?,
            nodes: listen(settings.nodes, nodes, Limits::NODES, &refusals).await?,
            certificate,
            refusals,
        })
    }

    /// Checks whether `address` could be listened on, by binding `tried` for a moment.
    ///
    /// # Errors
    /// It could not be bound.
    pub async fn try_at(address: SocketAddr, tried: SocketAddr) -> Result<(), StartError> {
        TcpListener::bind(tried).await.map(drop).map_err(|source| StartError::Listen { address, source })
    }

    /// The address for people and their tools.
    pub fn people(&self) -> SocketAddr {
        self.people.address()
    }

    /// The address for nodes.
    pub fn nodes(&self) -> SocketAddr {
        self.nodes.address()
    }

    /// The certificate of the operator that the one for people shows.
    pub fn certificate(&self) -> &OperatorCertificate {
        &self.certificate
    }

    /// Their refusals.
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Serves both until [`Serving::stop`].
    pub fn serve(self, people: Router, nodes: Router, gate: &Gate) -> Serving {
        let stop = CancellationToken::new();
        let people = people.layer(map_request(with_address)).layer(from_fn_with_state(gate.clone(), guard));
        let tasks = [(self.people, people), (self.nodes, nodes)]
            .map(|(listener, router)| tokio::spawn(serve(listener, router, stop.clone())));
        Serving { stop, tasks }
    }
}

async fn listen(
    address: SocketAddr,
    config: Arc<rustls::ServerConfig>,
    limits: Limits,
    refusals: &Refusals,
) -> Result<TlsListener, StartError> {
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    TlsListener::new(listener, config, limits, refusals.clone()).map_err(failed)
}

/// Passes the peer's address and connection on to the management API, which notes on the connection that it
/// has logged in.
async fn with_address(mut request: Request) -> Request {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<Peer>>().cloned() {
        request.extensions_mut().insert(ConnectInfo(peer.address));
        request.extensions_mut().insert(peer.handle);
    }
    request
}

/// Both listeners, serving.
#[derive(Debug)]
pub struct Serving {
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
}

impl Serving {
    /// Accepts no connections any more, and gives requests in progress a moment to end.
    pub async fn stop(self) {
        self.stop.cancel();
        for mut task in self.tasks {
            if timeout(STOP_WITHIN, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}
