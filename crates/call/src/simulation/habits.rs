//! What a caller is like: how it reaches the node, and which extensions of SIP it has. It follows from the seed.

use std::net::SocketAddr;

use crate::audio::Codec;
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
    /// What its sound is encoded by.
    pub(super) codec: Codec,
    /// How much sound it wants in a packet, in milliseconds.
    pub(super) packet_time: u64,
    /// It refreshes the session itself, by UPDATE (RFC 4028). Otherwise the node does.
    pub(super) refreshes: bool,
}

/// The codecs of the callers of a world. Those that are not G.711 take many times as long, so that they are rare.
pub(super) fn codecs(random: &mut Sequence) -> &'static [Codec] {
    match random.next() % 100 {
        0 => &[Codec::Opus, Codec::Opus, Codec::G722, Codec::Pcma],
        1..=20 => &[Codec::G722, Codec::G722, Codec::Pcma, Codec::Pcmu],
        _ => &[Codec::Pcma, Codec::Pcmu],
    }
}

fn packet_time(random: &mut Sequence, codec: Codec) -> u64 {
    let usual = [10, 20, 20, 20, 30, 40, 50, 60];
    if codec == Codec::Opus { 20 } else { usual[random.next() as usize % usual.len()] }
}

impl Habits {
    pub(super) fn new(random: &mut Sequence, codecs: &[Codec]) -> Habits {
        let access = match random.next() % 5 {
            0 | 1 => Access::Direct,
            2 => Access::Proxied,
            3 => Access::Connected,
            _ => Access::Translated,
        };
        let codec = codecs[random.next() as usize % codecs.len()];
        Habits {
            access,
            codec,
            packet_time: packet_time(random, codec),
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
