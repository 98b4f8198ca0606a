//! Where the far end wants its audio: the address in `c=` and the port in `m=`.
//!
//! An address comes from outside: this node sends to nothing but a unicast address of its own family. What cannot be
//! sent to (a host name, multicast, broadcast, a reserved or unspecified address, a link-local one, whose zone is
//! unknown here) is no error: the call is answered, and this node sends to the source of what it receives.

use std::net::{IpAddr, SocketAddr};

use sdp_types::Connection;

use super::description::Medium;

/// Where audio is sent to; `None` when the far end names no address that this node can send to.
pub(super) fn of(medium: Medium<'_>, ours: SocketAddr) -> Option<SocketAddr> {
    connections(medium).find_map(|connection| target(&connection.connection_address, medium.media.port, ours))
}

/// The address and port as a target for a socket of ours at `ours`.
pub(super) fn target(address: &str, port: u16, ours: SocketAddr) -> Option<SocketAddr> {
    let ip = address.parse::<IpAddr>().ok()?.to_canonical();
    let same_family = ip.is_ipv4() == ours.is_ipv4();
    (port != 0 && same_family && is_unicast(ip)).then(|| SocketAddr::new(ip, port))
}

/// Whether the far end names the unspecified address: hold as in RFC 2543, still in use.
pub(super) fn is_unspecified(medium: Medium<'_>) -> bool {
    let address = connections(medium).next().and_then(|c| c.connection_address.parse::<IpAddr>().ok());
    address.is_some_and(|ip| ip.to_canonical().is_unspecified())
}

/// The `c=` lines of the media line, or else that of the session.
fn connections(medium: Medium<'_>) -> impl Iterator<Item = &Connection> {
    let own = &medium.media.connections;
    let inherited = medium.session.connection.as_ref().filter(|_| own.is_empty());
    own.iter().chain(inherited)
}

fn is_unicast(ip: IpAddr) -> bool {
    match ip {
        // 0.0.0.0/8 is this network (RFC 1122); from 224.0.0.0 on there is multicast, then reserved and broadcast.
        IpAddr::V4(ip) => (1..224).contains(&ip.octets()[0]),
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local()),
    }
}
