//! Flows: what a message came over, and destinations: what a message is to be sent to, and over what.

use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};

use crate::via;

/// A transport that this engine supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP or TLS over it.
    Stream(Stream),
}

/// A transport that is a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}

/// Whether a transport repeats what gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reliability {
    Reliable,
    Unreliable,
}

impl Protocol {
    /// TCP.
    pub const TCP: Self = Self::Stream(Stream::Tcp);
    /// TLS.
    pub const TLS: Self = Self::Stream(Stream::Tls);

    /// The port where none is given (RFC 3261 section 18.1.1, 19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Stream(Stream::Tcp) => 5060,
            Self::Stream(Stream::Tls) => 5061,
        }
    }

    /// Its name in Via.
    pub const fn in_via(self) -> via::Transport<'static> {
        match self {
            Self::Udp => via::Transport::Udp,
            Self::Stream(Stream::Tcp) => via::Transport::Tcp,
            Self::Stream(Stream::Tls) => via::Transport::Tls,
        }
    }

    pub(crate) const fn reliability(self) -> Reliability {
        match self {
            Self::Udp => Reliability::Unreliable,
            Self::Stream(_) => Reliability::Reliable,
        }
    }
}

/// The number of a connection. The shell gives each connection one, and gives none twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection(pub u64);

/// What carries the messages between two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// Datagrams of UDP.
    Datagrams,
    /// A connection.
    Connection(Stream, Connection),
}

/// What a message came over: a response or a request of the other direction can go back over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// Datagrams or a connection.
    pub link: Link,
    /// The address of ours. With datagrams that of the socket, never a wildcard.
    pub local: SocketAddr,
    /// The address of the other side.
    pub remote: SocketAddr,
}

impl Flow {
    /// Datagrams between two addresses.
    pub const fn datagrams(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { link: Link::Datagrams, local, remote }
    }

    /// The transport.
    pub const fn protocol(self) -> Protocol {
        match self.link {
            Link::Datagrams => Protocol::Udp,
            Link::Connection(stream, _) => Protocol::Stream(stream),
        }
    }
}

/// Whom a connection leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// TCP or TLS.
    pub stream: Stream,
    /// Its address.
    pub remote: SocketAddr,
    /// The name that its certificate must have (RFC 5922). A connection that was made without, or that the peer
    /// has made, is not used for a request that requires a name.
    pub name: Option<Arc<str>>,
}

/// Where a message is to be sent to, and over what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Datagrams of UDP.
    Datagrams {
        /// The address of the socket that they leave from, never a wildcard.
        local: SocketAddr,
        /// The address that they go to.
        remote: SocketAddr,
    },
    /// A connection.
    Stream {
        /// The address of ours that the machine uses towards this peer.
        local: IpAddr,
        /// The connection that is used as long as it is open.
        connection: Option<Connection>,
        /// Whom another connection is used or opened to.
        peer: Peer,
    },
}

impl Destination {
    /// Over the flow that something came over.
    pub const fn back_over(flow: Flow) -> Self {
        match flow.link {
            Link::Datagrams => Self::Datagrams { local: flow.local, remote: flow.remote },
            Link::Connection(stream, connection) => Self::Stream {
                local: flow.local.ip(),
                connection: Some(connection),
                peer: Peer { stream, remote: flow.remote, name: None },
            },
        }
    }

    /// The transport.
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::Datagrams { .. } => Protocol::Udp,
            Self::Stream { peer, .. } => Protocol::Stream(peer.stream),
        }
    }

    /// The address of ours.
    pub const fn local(&self) -> IpAddr {
        match self {
            Self::Datagrams { local, .. } => local.ip(),
            Self::Stream { local, .. } => *local,
        }
    }
}
