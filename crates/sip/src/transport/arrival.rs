//! What a request's receiver adds to it, and where its answer goes (RFC 3261 section 18.2, RFC 3581 section 4).

use alloc::string::ToString;
use alloc::sync::Arc;
use core::net::SocketAddr;

use crate::host::Host;
use crate::message::Request;
use crate::reply::{Reply, Source};
use crate::status::Status;
use crate::transport::flow::{Destination, Flow, Link, Peer, Stream};
use crate::via::{Rport, Via};

/// How a request came.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What it came over.
    pub flow: Flow,
    /// `received` and `rport` for its topmost Via.
    pub source: Source,
    /// Where its answer goes.
    pub destination: Destination,
}

impl Arrival {
    /// A request with this topmost Via came over this flow. Without a Via that can be read, the answer goes to where
    /// the request came from.
    ///
    /// `maddr` is not followed: this engine is no member of a multicast group, and an answer that goes to any
    /// address that the sender writes would be a way to have others flooded.
    pub fn new(flow: Flow, via: Option<&Via<'_>>) -> Self {
        let Some(via) = via else {
            return Self { flow, source: Source::default(), destination: Destination::back_over(flow) };
        };
        let address = flow.remote.ip().to_canonical();
        let asked = via.rport() != Rport::Absent;
        // RFC 3581 has `received` next to `rport` even where it says what `sent-by` says.
        let differs = via.host != Host::from(address) || via.params.has("received");
        let source = Source {
            received: (asked || differs).then_some(address),
            rport: asked.then_some(flow.remote.port()),
        };
        Self { flow, source, destination: destination(flow, via, asked) }
    }

    /// The answer to the request that came so.
    pub fn reply<'a>(&self, request: &'a Request, status: Status) -> Reply<'a> {
        Reply::to(request, status).seen_from(self.source)
    }
}

fn destination(flow: Flow, via: &Via<'_>, asked: bool) -> Destination {
    // The default, when 0 is written as well: nothing can be sent there.
    let sent_by = via.port.filter(|port| *port != 0).unwrap_or(flow.protocol().default_port());
    match flow.link {
        Link::Datagrams => {
            let port = if asked { flow.remote.port() } else { sent_by };
            Destination::Datagrams { local: flow.local, remote: at_port(flow.remote, port) }
        }
        // The connection as long as it is open; then one to where the sender listens.
        Link::Connection(stream, connection) => {
            let name = match (stream, via.host) {
                (Stream::Tls, Host::Name(name)) => Some(Arc::from(name.to_string())),
                (Stream::Tls | Stream::Tcp, Host::Name(_) | Host::V4(_) | Host::V6(_)) => None,
            };
            let peer = Peer { stream, remote: at_port(flow.remote, sent_by), name };
            Destination::Stream { local: flow.local.ip(), connection: Some(connection), peer }
        }
    }
}

/// An address with its scope, at another port.
fn at_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}
