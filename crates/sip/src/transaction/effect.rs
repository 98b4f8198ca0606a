//! The effects that the shell performs for the layer, and the events that the layer gives its user.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::net::IpAddr;

use crate::message::{Request, Response};
use crate::status::Status;
use crate::transaction::TransactionId;
use crate::transport::arrival::Arrival;
use crate::transport::flow::{Connection, Flow, Peer};

/// What is to be done, in order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send these bytes: as one datagram, or as the next bytes of the connection.
    Send {
        /// Over what.
        flow: Flow,
        /// A message, or the answer to a keep-alive.
        bytes: Arc<[u8]>,
    },
    /// Answer a message without a transaction, as [`Effect::Send`]. Nothing depends on it: who sends more of them than
    /// its share may be left without.
    Refuse {
        /// Over what.
        flow: Flow,
        /// Where the message came from, which a datagram can forge.
        source: IpAddr,
        /// The status of the answer.
        status: Status,
        /// The answer.
        bytes: Arc<[u8]>,
    },
    /// Open a connection. Its outcome is [`crate::transaction::input::Input::Opened`] or `NotOpened`, always: what
    /// waits for it waits as long.
    Open {
        /// Whom to.
        peer: Peer,
        /// The address of ours that it starts from.
        local: IpAddr,
    },
    /// Close a connection when all is written that was sent before.
    Close(Connection),
    /// Notify the user.
    Notify(Box<Event>),
}

/// What the user of the layer is notified of.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request has come that is to be responded to. One that is not INVITE must be within 64 × T1.
    Request {
        /// Its transaction.
        transaction: TransactionId,
        /// How it came, which its answer needs.
        arrival: Arrival,
        /// What came. It is neither ACK nor CANCEL.
        request: Request,
    },
    /// A CANCEL has come: respond to it with 200, and to the INVITE with 487 unless it has a final response.
    Cancel {
        /// The transaction of the CANCEL.
        transaction: TransactionId,
        /// The transaction of the INVITE.
        invite: TransactionId,
        /// How it came.
        arrival: Arrival,
        /// The CANCEL.
        request: Request,
    },
    /// An ACK has come that belongs to no failed INVITE: that of a 2xx, or a stray one.
    Ack {
        /// What it came over.
        flow: Flow,
        /// The ACK.
        request: Request,
    },
    /// A response to a request of ours has come. After a final one there are no more, but for further 2xx to an
    /// INVITE: the same again, or one of another dialog.
    Response {
        /// The transaction of the request.
        transaction: TransactionId,
        /// What it came over.
        flow: Flow,
        /// The response.
        response: Response,
    },
    /// A transaction has ended without what had to come: a final response to a request of ours, the ACK for a final
    /// response, or a response of the user to a request that is not INVITE.
    Timeout {
        /// Which one.
        transaction: TransactionId,
    },
    /// Something could not be sent. A request of ours has ended; after the final response to an INVITE, it is the
    /// ACK that was not sent. The transaction of another's request stays, and sends the response when the request
    /// comes again.
    Failed {
        /// Which one.
        transaction: TransactionId,
    },
}
