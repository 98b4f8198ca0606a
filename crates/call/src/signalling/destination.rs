//! Where a request of ours goes, and over what (RFC 3261 sections 12.2.1.1 and 18.1.1).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sip::dialog::id::DialogId;
use sip::dialog::state::Dialog;
use sip::fields::{Contacts, Fields};
use sip::host::Host;
use sip::transport::flow::{Connection, Destination, Flow, Link, Peer, Protocol, Stream};
use sip::transport::next_hop::NextHop;

use crate::sdp::Path;

use super::agent::UserAgent;
use super::call::{Call, Received};
use super::input::Output;

/// A connection that there is not.
const NO_CONNECTION: Connection = Connection(0);

impl UserAgent {
    /// Where a request within a call goes.
    ///
    /// A far end behind address translation gets it over what its own requests come over: there is no other way. So it
    /// is when the next hop is a name that is not resolved, or requires TLS and this node trusts nobody. Any other
    /// request goes to the next hop that the dialog names, over the connection that the call came over if that leads
    /// there: proxies and phones that opened it expect it to be used. A next hop that requires TLS is reached over no
    /// connection of TCP.
    pub(super) fn destination(&self, dialog: &Dialog, call: &Call) -> Destination {
        let is_routed = dialog.routes().next().is_some();
        let hop = dialog.next_hop().ok().filter(|_| is_routed || !call.is_translated);
        self.toward(hop, call.flow)
    }

    /// Where a request goes that has this next hop, if that counts, and whose far end is at the end of a flow.
    pub(super) fn toward(&self, hop: Option<NextHop<'_>>, flow: Flow) -> Destination {
        let Some((hop, address)) = hop.and_then(|hop| Some((hop, self.usable(hop, flow)?))) else {
            return Destination::back_over(flow);
        };
        let leads_there = address.ip() == flow.remote.ip().to_canonical();
        match (flow.link, hop.protocol) {
            (Link::Connection(stream, connection), protocol)
                if leads_there && (stream == Stream::Tls || protocol != Protocol::TLS) =>
            {
                let peer = peer(stream, address, hop.host);
                Destination::Stream { local: flow.local.ip(), connection: Some(connection), peer }
            }
            (_, Protocol::Udp) => {
                Destination::Datagrams { local: self.datagram_address(flow), remote: address }
            }
            (_, Protocol::Stream(stream)) => {
                let peer = peer(stream, address, hop.host);
                Destination::Stream { local: flow.local.ip(), connection: None, peer }
            }
        }
    }

    /// The address of ours that datagrams leave from towards the far end of a flow.
    fn datagram_address(&self, flow: Flow) -> SocketAddr {
        let port = self.listeners().0.iter().find(|listener| listener.protocol == Protocol::Udp);
        SocketAddr::new(flow.local.ip(), port.map_or(flow.local.port(), |listener| listener.address.port()))
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

    /// The address of ours that others are called from over a transport. One that listens everywhere calls from where
    /// its sound comes from. `None` if this node has no such transport.
    pub(super) fn own_address(&self, protocol: Protocol) -> Option<SocketAddr> {
        let bound = self.listeners().0.iter().find(|listener| listener.protocol == protocol)?.address;
        let ip = if bound.ip().is_unspecified() { self.settings.media } else { bound.ip() };
        Some(SocketAddr::new(ip, bound.port()))
    }

    /// What requests to an address go over that nothing has come from yet. A connection is opened when one is sent.
    pub(super) fn flow_to(&self, protocol: Protocol, remote: SocketAddr) -> Option<Flow> {
        let local = self.own_address_towards(protocol, remote.ip())?;
        let link = match protocol {
            Protocol::Udp => Link::Datagrams,
            Protocol::Stream(stream) => Link::Connection(stream, NO_CONNECTION),
        };
        let is_usable = local.ip().to_canonical().is_ipv4() == remote.ip().to_canonical().is_ipv4();
        is_usable.then_some(Flow { link, local, remote })
    }

    /// The address of a next hop that can be reached from where the flow ends.
    pub(super) fn usable(&self, hop: NextHop<'_>, flow: Flow) -> Option<SocketAddr> {
        let ours = flow.local.ip().to_canonical();
        let resolved = || self.names.find(&hop.host.to_string(), ours);
        let address = SocketAddr::new(hop.host.address().or_else(resolved)?.to_canonical(), hop.port);
        let address = on_link_of(flow.remote, address);
        let is_reachable =
            !address.ip().is_unspecified() && address.port() != 0 && address.is_ipv4() == ours.is_ipv4();
        let is_supported = match hop.protocol {
            Protocol::Udp | Protocol::Stream(Stream::Tcp) => true,
            // Without authorities to trust, others open such connections.
            Protocol::Stream(Stream::Tls) => {
                let trusts = self.settings.tls.as_ref().is_some_and(|tls| tls.trust.is_some());
                trusts || flow.protocol() == Protocol::TLS
            }
        };
        (is_reachable && is_supported).then_some(address)
    }
}

/// An address with the scope of a far end's: a link-local one is reached over its link alone (RFC 4007 section 6), which
/// no URI can name (RFC 3986 section 3.2.2).
fn on_link_of(remote: SocketAddr, address: SocketAddr) -> SocketAddr {
    match (address, remote) {
        (SocketAddr::V6(mut address), SocketAddr::V6(remote)) if address.ip().is_unicast_link_local() => {
            address.set_scope_id(remote.scope_id());
            SocketAddr::V6(address)
        }
        (SocketAddr::V6(_) | SocketAddr::V4(_), _) => address,
    }
}

/// Whom a connection to this host leads to. With TLS a name is what its certificate must be for, however it was
/// resolved (RFC 5922 section 7.2).
fn peer(stream: Stream, remote: SocketAddr, host: Host<'_>) -> Peer {
    let name = match (stream, host) {
        (Stream::Tls, Host::Name(name)) => Some(Arc::from(name.to_ascii_lowercase())),
        (Stream::Tls | Stream::Tcp, Host::Name(_) | Host::V4(_) | Host::V6(_)) => None,
    };
    Peer { stream, remote, name }
}

/// Whether the sender of a request is behind address translation: nobody has forwarded the request, and the topmost Via
/// names its sender by another address than it came from. A Via with a name says nothing of that; then it is the address in Contact that counts.
pub(super) fn is_translated(received: &Received) -> bool {
    let headers = received.request.headers();
    let is_forwarded = headers.vias().nth(1).is_some();
    let sender = headers.top_via().host.address().or_else(|| contact_address(headers));
    let sender = sender.map(|address| address.to_canonical());
    !is_forwarded && sender != Some(received.arrival.flow.remote.ip().to_canonical())
}

/// The address in the first Contact, unless it has a name.
fn contact_address(headers: &Fields) -> Option<IpAddr> {
    match headers.contacts() {
        Contacts::Listed(mut contacts) => contacts.next()?.ok()?.uri.sip()?.host.address(),
        Contacts::All => None,
    }
}

/// Who can read the keys in the descriptions of a call whose signalling comes over this flow.
pub(super) fn media_path(flow: Flow) -> Path {
    if flow.protocol() == Protocol::TLS { Path::Secure } else { Path::Open }
}
