//! What the shell reports to the layer: the events of sockets and connections.

use alloc::boxed::Box;
use core::net::SocketAddr;

use crate::framer::Frame;
use crate::message::Message;
use crate::refused::Refused;
use crate::transport::flow::{Connection, Flow, Peer};

/// What has happened on a socket.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram came.
    Datagram {
        /// The address of ours that it was sent to: never a wildcard.
        local: SocketAddr,
        /// Where it came from.
        remote: SocketAddr,
        /// What [`crate::message::datagram`] read.
        read: Result<Message, Box<Refused>>,
    },
    /// A connection brought a frame. One that is not open by what was said before is ignored.
    Frame {
        /// Which connection.
        connection: Connection,
        /// What [`crate::framer::Framer`] found.
        frame: Frame,
    },
    /// Another side has opened a connection.
    Accepted(Flow),
    /// A connection is open that [`crate::transaction::effect::Effect::Open`] asked for.
    Opened {
        /// Whom it leads to, as it was asked for.
        peer: Peer,
        /// What it is.
        flow: Flow,
    },
    /// A connection cannot be opened that was asked for: it was refused, took too long, or its certificate is wrong.
    NotOpened(Peer),
    /// A connection is closed, by whomever, or something could not be written to it.
    Closed(Connection),
    /// Datagrams between two addresses cannot be delivered (ICMP, or an error of the socket).
    Unreachable {
        /// The address that they left from.
        local: SocketAddr,
        /// The address that they went to.
        remote: SocketAddr,
    },
}
