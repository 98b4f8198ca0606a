//! Where the far end wants its audio: the address in `c=` and the port in `m=`.
//!
//! An address comes from outside: this node sends to nothing but a unicast address of its own family. What cannot be
//! sent to (a host name, multicast, broadcast, a reserved or unspecified address, a link-local one, whose zone is
//! unknown here) is no error: the call is answered, and this node sends to the source of what it receives.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use sdp_types::Connection;

use super::description::Medium;

/// A family of addresses. Media of one family does not reach the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address; that of an IPv4 one that is written as IPv6 is IPv4.
    pub(crate) fn of(ip: IpAddr) -> Family {
        if ip.to_canonical().is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// The family that a description names.
    fn named(name: &str) -> Option<Family> {
        [Family::V4, Family::V6].into_iter().find(|family| family.to_string().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Family {
    /// As descriptions name it (RFC 8866 section 5.7).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IP4",
            Family::V6 => "IP6",
        })
    }
}

/// The families of the addresses that the far end names, in its order. None when it names no address, or the unspecified
/// one.
pub(super) fn families(medium: Medium<'_>) -> impl Iterator<Item = Family> {
    connections(medium).filter_map(|connection| match connection.connection_address.parse::<IpAddr>() {
        Ok(ip) => (!ip.to_canonical().is_unspecified()).then(|| Family::of(ip)),
        Err(_) => Family::named(&connection.addrtype.to_string()),
    })
}

/// Whether the far end may be reached from an address of ours: it names one of the same family, or none.
pub(super) fn is_reachable(medium: Medium<'_>, ours: SocketAddr) -> bool {
    families(medium).next().is_none() || families(medium).any(|family| family == Family::of(ours.ip()))
}

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
