//! Transactions: a request of ours and its answer, and an INVITE of the far end until its ACK.

use std::time::Duration;

use rsipstack::sip::{Method, Request, Response, SipMessage};
use rsipstack::transaction::Transaction;
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::{TransactionEvent, TransactionEventSender};
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::sync::mpsc;

use super::call::Event;

/// Sends a request and waits for its final answer; `None` when there is none within `limit`.
/// The ACK of an INVITE is sent by the stack.
pub(super) async fn ask(
    endpoint: EndpointInnerRef,
    request: Request,
    (connection, destination): (Option<SipConnection>, Option<SipAddr>),
    limit: Duration,
) -> Option<Response> {
    let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
    let mut tx = Transaction::new_client(key, request, endpoint, connection);
    tx.destination = destination;
    let exchange = async {
        tx.send().await.ok()?;
        while let Some(message) = tx.receive().await {
            if let SipMessage::Response(response) = message
                && response.status_code.code() >= 200
            {
                return Some(response);
            }
        }
        None
    };
    tokio::time::timeout(limit, exchange).await.ok().flatten()
}

/// An INVITE of the far end, driven by a task of its own: the stack's transactions must not be
/// interrupted in the middle of a step.
pub(super) struct ServerInvite {
    pub(super) request: Request,
    respond: TransactionEventSender,
}

impl ServerInvite {
    /// Starts the task. It reports ACK and CANCEL to the call, and ends with the transaction, or after
    /// `limit` when the stack could not even send an answer.
    pub(super) fn drive(mut tx: Transaction, events: mpsc::Sender<Event>, limit: Duration) -> ServerInvite {
        let invite = ServerInvite { request: tx.original.clone(), respond: tx.tu_sender.clone() };
        let report = async move {
            while let Some(message) = tx.receive().await {
                let SipMessage::Request(request) = message else { continue };
                let event = if request.method == Method::Ack {
                    Event::Acked(Box::new(request))
                } else if request.method == Method::Cancel {
                    Event::Cancelled
                } else {
                    continue;
                };
                let _ = events.send(event).await;
            }
        };
        tokio::spawn(tokio::time::timeout(limit, report));
        invite
    }

    /// Sends a response. The stack repeats a final one until its ACK comes.
    pub(super) fn respond(&self, response: Response) {
        let _ = self.respond.send(TransactionEvent::Respond(response));
    }
}
