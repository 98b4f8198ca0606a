//! The SIP user agent that many callers share: one address for UDP and TCP, and the dialogs on it.
//!
//! Passes requests within a call to its dialog and answers all others. Relies on `rsipstack`, which is not the engine's
//! code. Knows nothing of audio and decides nothing about a call.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsipstack::dialog::dialog::Dialog;
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, StatusCode};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::endpoint::Endpoint;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{TcpListenerConnection, TransportLayer};
use tokio_util::sync::CancellationToken;

use crate::time::Clock;

/// How many ports are tried until one is free for both UDP and TCP.
const PORT_TRIES: usize = 32;

/// Why the user agent could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No port could be opened for SIP.
    #[error(
        "no port of {ip} could be opened for SIP over UDP and TCP: check that it is an address of this machine"
    )]
    NoPort {
        /// The requested address.
        ip: IpAddr,
        /// The error of the last attempt.
        #[source]
        source: Box<rsipstack::Error>,
    },
}

/// A SIP user agent. A clone is another handle of the same agent, which closes with its last handle.
#[derive(Clone)]
pub struct Agent {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) ip: IpAddr,
    pub(crate) sip: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) layer: Arc<DialogLayer>,
    pub(crate) bye_reasons: ByeReasons,
    endpoint: Endpoint,
}

/// The Reason headers of received BYEs, by Call-ID, until the call takes its own.
pub(crate) type ByeReasons = Arc<Mutex<BTreeMap<String, String>>>;

impl Agent {
    /// Opens a SIP address on `ip`, UDP and TCP on the same port. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`AgentError::NoPort`] if no port of the address can be opened.
    pub async fn open(ip: IpAddr) -> Result<Agent, AgentError> {
        let cancel = CancellationToken::new();
        let transport = TransportLayer::new(cancel.clone());
        // A call may last for hours without a SIP message; its connection must stay open.
        transport.set_stream_idle_timeout(Duration::ZERO);
        let sip = listen(&transport, ip, &cancel)
            .await
            .map_err(|source| AgentError::NoPort { ip, source: Box::new(source) })?;
        let endpoint = rsipstack::EndpointBuilder::new()
            .with_cancel_token(cancel)
            .with_user_agent("callers")
            .with_transport_layer(transport)
            .build();
        let layer = Arc::new(DialogLayer::new(endpoint.inner.clone()));
        let bye_reasons = ByeReasons::default();
        if let Ok(incoming) = endpoint.incoming_transactions() {
            tokio::spawn(serve(incoming, layer.clone(), bye_reasons.clone()));
        }
        let serving = endpoint.inner.clone();
        tokio::spawn(async move { serving.serve().await });
        let inner = Inner { ip, sip, clock: Clock::start(), layer, bye_reasons, endpoint };
        Ok(Agent { inner: Arc::new(inner) })
    }

    /// The SIP address of this agent, UDP and TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.sip
    }

    /// The clock of all times of this agent's calls.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.inner.clock
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.endpoint.shutdown();
    }
}

/// Finds a port that is free for both transports. The stack does not report a failed TCP bind, so the port is tested
/// here first.
async fn listen(
    transport: &TransportLayer,
    ip: IpAddr,
    cancel: &CancellationToken,
) -> Result<SocketAddr, rsipstack::Error> {
    let mut tries = 0;
    loop {
        let any = SocketAddr::new(ip, 0);
        let udp = UdpConnection::create_connection(any, None, Some(cancel.child_token())).await?;
        let sip = udp.get_addr().get_socketaddr()?;
        tries += 1;
        if TcpListener::bind(sip).is_err() && tries < PORT_TRIES {
            continue;
        }
        transport.add_transport(udp.into());
        transport.add_transport(TcpListenerConnection::new(sip, None).await?.into());
        return Ok(sip);
    }
}

async fn serve(mut incoming: TransactionReceiver, layer: Arc<DialogLayer>, bye_reasons: ByeReasons) {
    while let Some(transaction) = incoming.recv().await {
        if transaction.original.method == Method::Ack {
            continue;
        }
        match layer.match_dialog(&transaction) {
            Some(Dialog::Invite(dialog)) => {
                note_bye_reason(&transaction, &bye_reasons);
                tokio::spawn(in_dialog(dialog, transaction));
            }
            Some(_) | None => {
                tokio::spawn(outside(transaction));
            }
        }
    }
}

async fn in_dialog(mut dialog: rsipstack::dialog::invite_dialog::InviteDialog, mut transaction: Transaction) {
    if let Err(error) = dialog.handle(&mut transaction).await {
        tracing::debug!(%error, call = %dialog.id().call_id, "a request within a call was not served");
    }
}

/// Answers a request outside of all calls: OPTIONS with 200, all others with 481.
async fn outside(mut transaction: Transaction) {
    let known = transaction.original.method == Method::Options;
    let status = if known { StatusCode::OK } else { StatusCode::CallTransactionDoesNotExist };
    if let Err(error) = transaction.reply(status).await {
        tracing::debug!(%error, "a request outside any call was not answered");
    }
}

fn note_bye_reason(transaction: &Transaction, bye_reasons: &ByeReasons) {
    if transaction.original.method != Method::Bye {
        return;
    }
    let reason = transaction.original.header_value("Reason");
    let call = transaction.original.call_id_header().map(|id| id.value().to_owned());
    if let (Some(reason), Ok(call)) = (reason, call) {
        bye_reasons.lock().unwrap_or_else(PoisonError::into_inner).insert(call, reason);
    }
}
