//! No address may take more than its share of something that all share.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The part of an IPv6 address that one customer commonly has for itself, in bits (RFC 6177).
const IPV6_NETWORK_BITS: u32 = 64;

/// Counts what each address holds. Cheap to clone; all clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    each: usize,
    held: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

/// One of the places of an address, until it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Shares,
    origin: IpAddr,
}

impl Shares {
    /// Up to `each` for every address.
    pub(crate) fn new(each: usize) -> Self {
        Self { each, held: Arc::default() }
    }

    /// One more for this address, unless it has its share.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Share> {
        let origin = origin(address);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.get(&origin).copied().unwrap_or(0);
        if count >= self.each {
            return None;
        }
        held.insert(origin, count + 1);
        Some(Share { of: self.clone(), origin })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.of.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get(&self.origin).copied() {
            Some(count) if count > 1 => _ = held.insert(self.origin, count - 1),
            Some(_) | None => _ = held.remove(&self.origin),
        }
    }
}

/// Whom an address stands for: an IPv6 network counts as one, since whoever has one address of it has
/// all of them.
pub(crate) fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> (128 - IPV6_NETWORK_BITS) << (128 - IPV6_NETWORK_BITS);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_share_and_gives_it_back() {
        let shares = Shares::new(2);
        let (one, other) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let first = shares.take(one).unwrap();
        let _second = shares.take(one).unwrap();
        assert!(shares.take(one).is_none());
        assert!(shares.take(other).is_some(), "one address took another's share");
        drop(first);
        let _third = shares.take(one).unwrap();
        assert!(shares.take(one).is_none());
        assert_eq!(shares.held.lock().unwrap().len(), 1, "who holds nothing is still counted");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_a_mapped_address_as_what_it_maps() {
        let check = |address: &str, expected: &str| {
            assert_eq!(origin(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        };
        check("10.0.0.1", "10.0.0.1");
        check("::ffff:10.0.0.1", "10.0.0.1");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
    }
}
