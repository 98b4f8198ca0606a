//! What must not reach the stack: its one task that takes everything in also sends answers, and waits
//! for them to leave. Over TCP a far end that does not read would make it wait, and every call with it.
//!
//! So whatever that task would answer by itself over TCP is answered here, by a task of its own, or not
//! at all. UDP never waits.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock, Weak};

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, Request, Response, SipMessage};
use rsipstack::transaction::endpoint::{EndpointInner, EndpointInnerRef};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transport::SipConnection;

use super::permits::Permits;
use super::reply::send_in_time;

/// The gate before the stack. It stands open until it knows its stack.
#[derive(Clone)]
pub(crate) struct Gate {
    endpoint: Arc<OnceLock<Weak<EndpointInner>>>,
    sending: Arc<Permits>,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// The stack gets it.
    On,
    /// It ends here.
    Ended,
}

impl Gate {
    pub(crate) fn new(sending: Arc<Permits>) -> Gate {
        Gate { endpoint: Arc::default(), sending }
    }

    /// Closes the gate for this stack; only the first call counts.
    pub(crate) fn guard(&self, endpoint: &EndpointInnerRef) {
        let _ = self.endpoint.set(Arc::downgrade(endpoint));
    }

    /// Decides about a message that came over TCP from `source`.
    pub(super) fn pass(&self, message: &SipMessage, connection: &SipConnection, source: IpAddr) -> Passage {
        let Some(endpoint) = self.endpoint.get().and_then(Weak::upgrade) else { return Passage::On };
        let key = match message {
            SipMessage::Request(request) => TransactionKey::from_request(request, TransactionRole::Server),
            SipMessage::Response(response) => {
                TransactionKey::from_response(response, TransactionRole::Client)
            }
        };
        let Ok(key) = key else { return Passage::On };
        let finished = endpoint.finished_transactions.get(&key).flatten();
        match message {
            SipMessage::Request(request) if request.method == Method::Ack => Passage::On,
            SipMessage::Request(request) if request.method == Method::Cancel => {
                if finished.is_none() && endpoint.transactions.contains_key(&key) {
                    return Passage::On;
                }
                self.answer_cancel(endpoint, request, finished.as_ref(), connection, source);
                Passage::Ended
            }
            // A repeat of what is answered: nothing is lost over TCP, so nothing is repeated.
            SipMessage::Request(_) | SipMessage::Response(_) if finished.is_some() => Passage::Ended,
            SipMessage::Request(_) | SipMessage::Response(_) => Passage::On,
        }
    }

    /// Answers a CANCEL of an INVITE that is answered or was never there (RFC 3261 section 9.2).
    fn answer_cancel(
        &self,
        endpoint: EndpointInnerRef,
        cancel: &Request,
        invite: Option<&SipMessage>,
        connection: &SipConnection,
        source: IpAddr,
    ) {
        let Some(permit) = self.sending.take(source) else { return };
        let response = cancel_response(&endpoint, cancel, invite);
        let connection = connection.clone();
        tokio::spawn(async move {
            send_in_time(&endpoint, &connection, response).await;
            drop(permit);
        });
    }
}

fn cancel_response(endpoint: &EndpointInner, cancel: &Request, invite: Option<&SipMessage>) -> Response {
    let Some(SipMessage::Response(answered)) = invite else {
        return endpoint.make_response(cancel, 481.into(), None);
    };
    let mut response = endpoint.make_response(cancel, 200.into(), None);
    if let Ok(to) = answered.to_header() {
        response.headers.retain(|header| !matches!(header, Header::To(_)));
        response.headers.push(Header::To(to.clone()));
    }
    response
}
