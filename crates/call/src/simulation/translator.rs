//! An address translator: each address behind it is seen as a port of its own outside, until it is bound anew.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Which of its addresses outside a binding has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    First,
    Second,
}

/// What of a caller is bound anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// The port of its sound.
    Sound,
    /// The ports of its signalling and its sound.
    Ports,
    /// Both, at another address outside. The node learns of it by signalling alone (decision 31).
    Address,
}

/// The bindings of addresses behind the translator to those outside.
#[derive(Default)]
pub(super) struct Translator {
    bindings: BTreeMap<SocketAddr, SocketAddr>,
    last_port: u16,
}

impl Translator {
    /// How an address behind it is seen outside.
    pub(super) fn outward(&mut self, inside: SocketAddr) -> SocketAddr {
        match self.bindings.get(&inside) {
            Some(outside) => *outside,
            None => self.bind(inside, Outside::First),
        }
    }

    /// Binds an address to a port that none has had: what still goes to the one before is lost.
    pub(super) fn bind(&mut self, inside: SocketAddr, outside: Outside) -> SocketAddr {
        self.last_port += 1;
        let bound = SocketAddr::new(outside.ip(), 20_000 + self.last_port);
        self.bindings.insert(inside, bound);
        bound
    }

    /// The address behind it that is bound to one outside.
    pub(super) fn inward(&self, outside: SocketAddr) -> Option<SocketAddr> {
        let bound = self.bindings.iter().find(|(_, bound)| **bound == outside);
        bound.map(|(inside, _)| *inside)
    }

    /// Whether an address is one of it, bound or not, or one behind it, which nobody outside can reach.
    pub(super) fn has(address: SocketAddr) -> bool {
        let is_inside = matches!(address.ip(), IpAddr::V4(ip) if ip.octets()[0] == 10);
        is_inside || [Outside::First, Outside::Second].iter().any(|outside| outside.ip() == address.ip())
    }
}

impl Outside {
    fn ip(self) -> IpAddr {
        match self {
            Outside::First => [198, 51, 100, 1].into(),
            Outside::Second => [198, 51, 100, 2].into(),
        }
    }
}
