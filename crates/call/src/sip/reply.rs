//! Answers that no call waits for: sent by tasks of their own, with a limit of time and of number, so
//! that a far end that does not read holds up nothing but itself.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, Response, SipMessage};
use rsipstack::transaction::Transaction;
use rsipstack::transaction::endpoint::EndpointInner;
use rsipstack::transport::SipConnection;

use super::dialog::Flow;
use super::gate::Gate;
use super::permits::Permits;
use super::uas::Uas;

/// The most refused INVITEs that are remembered until their ACK, half a minute at most each. Above this
/// number refusals are stateless: sent once for every INVITE that comes, and forgotten.
const MAX_UNACKNOWLEDGED: usize = 2000;
/// The most other answers under way. Over UDP one is under way for an instant, over TCP for as long as
/// the far end does not read; above this number there is no answer.
const MAX_SENDING: usize = 2000;
/// How long an answer may take to leave. It only takes longer than an instant over a TCP connection
/// whose far end does not read.
const SEND_LIMIT: Duration = Duration::from_secs(2);

/// The limits of the answers of a node.
pub(crate) struct Replies {
    unacknowledged: Arc<Permits>,
    sending: Arc<Permits>,
    secret: RandomState,
}

/// What is answered.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<Header>,
    pub(super) body: Option<Vec<u8>>,
}

impl Replies {
    pub(crate) fn new() -> Replies {
        Replies {
            unacknowledged: Permits::new(MAX_UNACKNOWLEDGED),
            sending: Permits::new(MAX_SENDING),
            secret: RandomState::new(),
        }
    }

    /// The gate whose answers count with all others.
    pub(crate) fn gate(&self) -> Gate {
        Gate::new(Arc::clone(&self.sending))
    }
}

impl Uas {
    /// Answers a request that changes nothing, and repeats the answer to an INVITE until its ACK.
    pub(super) fn reply(&self, tx: Transaction, status: u16, headers: Vec<Header>) {
        self.reply_or_else(tx, Reply { status, headers, body: None }, || {});
    }

    /// Answers a request. `lost` is called when the far end did not take the answer in.
    pub(super) fn reply_or_else(&self, tx: Transaction, reply: Reply, lost: impl FnOnce() + Send + 'static) {
        let Some(flow) = Flow::of(&tx) else { return };
        let source = flow.source().ip();
        let is_invite = tx.original.method == Method::Invite;
        if is_invite && let Some(permit) = self.replies.unacknowledged.take(source) {
            let limit = self.settings.ack_timeout() * 2;
            tokio::spawn(async move {
                let _ = tokio::time::timeout(limit, refuse_until_ack(tx, reply)).await;
                drop(permit);
            });
            return;
        }
        let Some(permit) = self.replies.sending.take(source) else {
            self.registry.count(|stats| stats.dropped += 1);
            return;
        };
        let endpoint = Arc::clone(&self.endpoint);
        let stateless = is_invite.then(|| self.stateless(&tx, &reply));
        tokio::spawn(async move {
            let in_time = match stateless {
                Some(response) => {
                    drop(tx);
                    send_in_time(&endpoint, flow.connection(), response).await
                }
                None => answer_in_time(&endpoint, tx, reply, flow.connection()).await,
            };
            if !in_time {
                lost();
            }
            drop(permit);
        });
    }

    /// A response without a transaction (RFC 3261 section 8.2.7): its tag is the same for every repeat
    /// of the request, and nobody can guess it.
    fn stateless(&self, tx: &Transaction, reply: &Reply) -> Response {
        let mut response = self.endpoint.make_response(&tx.original, reply.status.into(), reply.body.clone());
        let to = response.to_header().ok().filter(|to| matches!(to.tag(), Ok(None))).cloned();
        if let Some(to) = to {
            let tag = format!("{:016x}", self.replies.secret.hash_one(tx.key.to_string()));
            response.headers.retain(|header| !matches!(header, Header::To(_)));
            response.headers.push(Header::To(to.with_tag(tag.into())));
        }
        response.headers.extend(reply.headers.clone());
        response
    }
}

async fn refuse_until_ack(mut tx: Transaction, reply: Reply) -> Option<()> {
    tx.reply_with(reply.status.into(), reply.headers, reply.body).await.ok()?;
    // An ACK is the last thing that is worth waiting for: the stack itself absorbs repeats.
    while let Some(SipMessage::Request(request)) = tx.receive().await {
        if request.method == Method::Ack {
            break;
        }
    }
    Some(())
}

async fn answer_in_time(
    endpoint: &EndpointInner,
    mut tx: Transaction,
    reply: Reply,
    connection: &SipConnection,
) -> bool {
    let answer = tx.reply_with(reply.status.into(), reply.headers, reply.body);
    let in_time = tokio::time::timeout(SEND_LIMIT, answer).await.is_ok();
    if !in_time {
        endpoint.transport_layer.remove_connection(connection);
    }
    in_time
}

/// Sends a response without a transaction. A connection that does not take it in is given up: half a
/// message may have left.
pub(super) async fn send_in_time(
    endpoint: &EndpointInner,
    connection: &SipConnection,
    response: Response,
) -> bool {
    let in_time = tokio::time::timeout(SEND_LIMIT, connection.send(response.into(), None)).await.is_ok();
    if !in_time {
        endpoint.transport_layer.remove_connection(connection);
    }
    in_time
}
