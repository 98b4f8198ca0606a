//! What a caller is like: how it reaches the node, and which extensions of SIP it has. It follows from the seed.

use std::net::SocketAddr;

use crate::media::random::Sequence;

use super::proxy;

/// How a caller reaches the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// By datagrams.
    Direct,
    /// By datagrams through a proxy that stays in the path.
    Proxied,
    /// Over connections of TCP.
    Connected,
    /// By datagrams from behind an address translator.
    Translated,
}

/// The habits of a caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub(super) access: Access,
    /// Its INVITE has no offer.
    pub(super) late_offer: bool,
    /// It requires ringing to be reliable (RFC 3262).
    pub(super) reliable: bool,
    /// It refreshes the session itself, by UPDATE (RFC 4028). Otherwise the node does.
    pub(super) refreshes: bool,
}

impl Habits {
    pub(super) fn new(random: &mut Sequence) -> Habits {
        let access = match random.next() % 5 {
            0 | 1 => Access::Direct,
            2 => Access::Proxied,
            3 => Access::Connected,
            _ => Access::Translated,
        };
        Habits {
            access,
            late_offer: random.next().is_multiple_of(3),
            reliable: random.next().is_multiple_of(3),
            // What the node sends to a binding that is gone is lost, so its far end has to make itself known.
            refreshes: random.next().is_multiple_of(2) || access == Access::Translated,
        }
    }

    /// The address of a caller at a port, which a translator hides.
    fn at(&self, number: usize, port: u16) -> SocketAddr {
        let last = 10 + number as u8;
        let ip = if self.access == Access::Translated { [10, 0, 0, last] } else { [192, 0, 2, last] };
        (ip, port).into()
    }

    /// Where a caller is called.
    pub(super) fn address(&self, number: usize) -> SocketAddr {
        self.at(number, 5062)
    }

    /// Where a caller wants its sound.
    pub(super) fn sound(&self, number: usize) -> SocketAddr {
        self.at(number, 4000)
    }

    /// Via and Contact of its requests.
    pub(super) fn names(&self, number: usize) -> (String, String) {
        let address = self.address(number);
        let (via, contact) = match self.access {
            Access::Direct | Access::Proxied => (format!("UDP {address}"), format!("{address}")),
            Access::Connected => (format!("TCP {address}"), format!("{address};transport=tcp")),
            Access::Translated => (format!("UDP {address};rport"), format!("{address}")),
        };
        (format!("SIP/2.0/{via}"), format!("<sip:phone@{contact}>"))
    }

    /// The headers of all its requests.
    pub(super) fn headers(&self) -> String {
        if self.access == Access::Proxied { format!("Route: {}\r\n", proxy::ROUTE) } else { String::new() }
    }
}
