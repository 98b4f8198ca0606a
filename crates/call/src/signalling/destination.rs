//! Where a request of ours goes, and over what (RFC 3261 sections 12.2.1.1 and 18.1.1).

use std::net::SocketAddr;

use sip::dialog::id::DialogId;
use sip::dialog::state::Dialog;
use sip::transport::flow::{Destination, Flow, Link, Peer, Protocol, Stream};
use sip::transport::next_hop::NextHop;

use super::agent::UserAgent;
use super::input::Output;

impl UserAgent {
    /// Where a request within a call goes whose far end was last heard over this flow.
    ///
    /// A connection is used again as long as it is open: behind a NAT there is no other way. Datagrams go to the next
    /// hop that the dialog names, unless that is a target (and no proxy) at another address than its requests come
    /// from: then it is behind a NAT, too. Where the next hop is a name that is not resolved, or of a transport that this
    /// node does not listen on, the request goes back to where those of the far end come from.
    pub(super) fn destination(&self, dialog: &Dialog, flow: Flow) -> Destination {
        let Some((protocol, address)) = dialog.next_hop().ok().and_then(|hop| self.usable(hop, flow)) else {
            return Destination::back_over(flow);
        };
        let is_routed = dialog.routes().next().is_some();
        let is_translated = !is_routed && address.ip() != flow.remote.ip().to_canonical();
        match (flow.link, protocol) {
            (Link::Connection(stream, connection), _) => {
                let stream = match protocol {
                    Protocol::Stream(stream) => stream,
                    Protocol::Udp => stream,
                };
                let peer = Peer { stream, remote: address, name: None };
                Destination::Stream { local: flow.local.ip(), connection: Some(connection), peer }
            }
            (Link::Datagrams, _) if is_translated => Destination::back_over(flow),
            (Link::Datagrams, Protocol::Udp) => Destination::Datagrams { local: flow.local, remote: address },
            (Link::Datagrams, Protocol::Stream(stream)) => {
                let peer = Peer { stream, remote: address, name: None };
                Destination::Stream { local: flow.local.ip(), connection: None, peer }
            }
        }
    }

    /// Has the name of the next hop of a dialog resolved, if it is one, so that its address is known when a request is
    /// to go there.
    pub(super) fn resolve_next_hop(&mut self, dialog: &DialogId) {
        let Some(Ok(hop)) = self.dialogs.get(dialog).map(Dialog::next_hop) else { return };
        let (name, now) = (hop.host.to_string(), self.time());
        if hop.host.address().is_none() && self.names.ask(now, &name) {
            self.outputs.push(Output::Resolve(name));
        }
    }

    /// Transport and address of a next hop that can be reached from where the flow ends.
    fn usable(&self, hop: NextHop<'_>, flow: Flow) -> Option<(Protocol, SocketAddr)> {
        let ours = flow.local.ip().to_canonical();
        let resolved = || self.names.find(&hop.host.to_string(), ours);
        let address = SocketAddr::new(hop.host.address().or_else(resolved)?.to_canonical(), hop.port);
        let is_reachable =
            !address.ip().is_unspecified() && address.port() != 0 && address.is_ipv4() == ours.is_ipv4();
        let listens = |protocol| self.listeners.0.iter().any(|listener| listener.protocol == protocol);
        let is_supported = match hop.protocol {
            Protocol::Udp | Protocol::Stream(Stream::Tcp) => true,
            Protocol::Stream(Stream::Tls) => listens(Protocol::TLS),
        };
        (is_reachable && is_supported).then_some((hop.protocol, address))
    }
}
