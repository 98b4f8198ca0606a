//! Where the far end wants its RTCP: `a=rtcp` (RFC 3605) and `a=rtcp-mux` (RFC 5761).

use std::net::SocketAddr;

use super::address;
use super::description::Medium;

/// Where RTCP to the far end goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rtcp {
    /// To where the audio goes, and from there as well: both ends agreed on `rtcp-mux`.
    Muxed,
    /// To this address.
    Address(SocketAddr),
}

/// Whether the far end can do both over one port.
pub(super) fn offers_mux(medium: Medium<'_>) -> bool {
    medium.has("rtcp-mux")
}

/// Where RTCP goes without `rtcp-mux`: the address of `a=rtcp`, or else the port after that of the audio (RFC 3550
/// section 11). `None` when it cannot be sent to.
pub(super) fn address(medium: Medium<'_>, ours: SocketAddr) -> Option<SocketAddr> {
    let audio = address::of(medium, ours);
    let Some(value) = medium.values("rtcp").next() else {
        let audio = audio?;
        return Some(SocketAddr::new(audio.ip(), audio.port().checked_add(1)?));
    };
    let mut fields = value.split_ascii_whitespace();
    let port: u16 = fields.next()?.parse().ok()?;
    match fields.nth(2) {
        Some(ip) => address::target(ip, port, ours),
        None => audio.filter(|_| port != 0).map(|audio| SocketAddr::new(audio.ip(), port)),
    }
}
