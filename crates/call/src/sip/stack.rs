//! The stack itself: its sockets, its tasks, and the watch over them.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::EndpointBuilder;
use rsipstack::sip::Method;
use rsipstack::transaction::Endpoint;
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption};
use rsipstack::transport::TransportLayer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::registry::CallRegistry;
use crate::settings::Settings;
use crate::time::Clock;

use super::gate::Gate;
use super::transport::{self, Connections, Inspector};
use super::uas::Uas;

/// The stack, ready to be started.
pub(crate) struct Stack {
    pub(crate) connections: Arc<Connections>,
    /// The address that was bound, with its real port.
    pub(crate) bound: SocketAddr,
    /// The address that others are told: the bound one, or an interface's when that is a wildcard.
    pub(crate) address: SocketAddr,
    endpoint: Endpoint,
    listener: TcpListener,
    incoming: TransactionReceiver,
    cancel: CancellationToken,
}

impl Stack {
    /// Opens the sockets. Nothing is read from them before [`Stack::run`].
    ///
    /// # Errors
    /// The address cannot be had.
    pub(crate) async fn open(settings: &Settings, clock: Clock, gate: Gate) -> std::io::Result<Stack> {
        let cancel = CancellationToken::new();
        let sockets = transport::bind(settings.sip, &cancel).await?;
        let address = sockets.udp.get_addr().get_socketaddr().map_err(other)?;
        let connections = Connections::new(clock, settings.tcp_connections, settings.tcp_idle);
        let layer = TransportLayer::new(cancel.clone());
        // Idle connections are closed by us, because only we know which carry calls.
        layer.set_stream_idle_timeout(Duration::ZERO);
        layer.add_transport(sockets.udp.into());
        let t1 = Duration::from_millis(settings.t1_ms.into());
        let endpoint = EndpointBuilder::new()
            .with_user_agent("Pitlane")
            .with_cancel_token(cancel.clone())
            .with_transport_layer(layer)
            .with_allows(vec![Method::Invite, Method::Ack, Method::Bye, Method::Cancel, Method::Options])
            .with_option(EndpointOption { t1, t1x64: t1 * 64, ..EndpointOption::default() })
            .with_transport_inspector(Box::new(Inspector(Arc::clone(&connections), gate.clone())))
            .build();
        gate.guard(&endpoint.inner);
        let incoming = endpoint.incoming_transactions().map_err(other)?;
        let bound = sockets.address;
        Ok(Stack { connections, bound, address, endpoint, listener: sockets.tcp, incoming, cancel })
    }

    pub(crate) fn endpoint(&self) -> EndpointInnerRef {
        self.endpoint.inner.clone()
    }

    /// Starts to answer. The token ends it.
    pub(crate) fn run(self, uas: &Arc<Uas>) -> CancellationToken {
        let Stack { connections, endpoint, listener, incoming, cancel, .. } = self;
        let inner = endpoint.inner.clone();
        let registry = &uas.registry;
        watch("SIP stack", registry, &cancel, async move { endpoint.serve().await });
        watch("SIP dispatcher", registry, &cancel, Arc::clone(uas).serve(incoming));
        let accept = transport::accept(listener, Arc::clone(&connections), inner.clone(), cancel.clone());
        watch("SIP listener", registry, &cancel, accept);
        watch(
            "SIP connection reaper",
            registry,
            &cancel,
            transport::reap(connections, inner, cancel.clone()),
        );
        cancel
    }
}

/// Runs a part of the engine that must not end: when it does, what calls there are is unknown.
fn watch(
    name: &'static str,
    registry: &Arc<CallRegistry>,
    cancel: &CancellationToken,
    part: impl Future<Output = ()> + Send + 'static,
) {
    let (registry, cancel) = (Arc::clone(registry), cancel.clone());
    tokio::spawn(async move {
        let part = tokio::spawn(part);
        let abort = part.abort_handle();
        tokio::select! {
            () = cancel.cancelled() => abort.abort(),
            _ = part => {
                if !cancel.is_cancelled() {
                    tracing::error!(part = name, "has failed; calls are unknown until the node restarts");
                    registry.fail();
                }
            }
        }
    });
}

fn other(error: rsipstack::Error) -> std::io::Error {
    std::io::Error::other(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{Admission, Admitter};
    use crate::registry::Calls;
    use crate::settings::SourceRate;

    #[tokio::test]
    async fn when_a_part_fails_the_calls_are_unknown_but_not_when_it_is_told_to_end() {
        let registry = || {
            let admitter = Admitter::new(Admission::Open, 1, SourceRate::default());
            CallRegistry::new(Clock::start(), admitter)
        };
        let (ended, told) = (registry(), registry());
        watch("a part that ends by itself", &ended, &CancellationToken::new(), async {});
        let mut calls = ended.watch();
        let unknown = calls.wait_for(|calls| *calls == Calls::Unknown);
        tokio::time::timeout(Duration::from_secs(10), unknown).await.expect("noticed").expect("registry");

        let cancel = CancellationToken::new();
        let (started, running) = tokio::sync::oneshot::channel();
        watch("a part that is told to end", &told, &cancel, async move {
            let _ = started.send(());
            std::future::pending::<()>().await;
        });
        running.await.expect("running");
        cancel.cancel();
        tokio::task::yield_now().await;
        assert_ne!(*told.watch().borrow(), Calls::Unknown);
    }
}
