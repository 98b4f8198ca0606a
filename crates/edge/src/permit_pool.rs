//! A bounded number of permits that anybody may acquire at any time.
//!
//! Nobody is refused: when no permit is free, the oldest permit of the holder that has the most is revoked,
//! so that whoever exhausts the pool competes with himself. A holder at its own limit loses its own oldest
//! permit. Holders of one network are counted together. It never closes a connection itself: it cancels the
//! token of the revoked permit.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The part of an IPv6 address that one customer commonly has for itself, in bits (RFC 6177).
const IPV6_SOURCE_BITS: u32 = 64;

/// The part of an IPv6 address that one site commonly has, in bits (RFC 6177, section 2).
const IPV6_NETWORK_BITS: u32 = 48;

/// The longest prefix of an IPv4 address that is routed on the internet, in bits.
const IPV4_NETWORK_BITS: u32 = 24;

/// Who holds permits.
pub trait Holder: Ord + Clone {
    /// The group of holders that may belong together: they are counted as one when no permit is free.
    fn group(&self) -> Self;
}

/// The part of an address that stands for one customer: an IPv4 address, or an IPv6 network, since whoever
/// has one address of such a network has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourcePrefix(IpAddr);

impl SourcePrefix {
    /// The prefix of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => Self(cut_v6(address, IPV6_SOURCE_BITS)),
        }
    }

    /// The first address of the prefix.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl Holder for SourcePrefix {
    /// Its network.
    fn group(&self) -> Self {
        match self.0 {
            IpAddr::V4(address) => {
                let below = 32 - IPV4_NETWORK_BITS;
                Self(IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() >> below << below)))
            }
            IpAddr::V6(address) => Self(cut_v6(address, IPV6_NETWORK_BITS)),
        }
    }
}

fn cut_v6(address: Ipv6Addr, bits: u32) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> (128 - bits) << (128 - bits)))
}

/// How many permits there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// For all together.
    pub total: usize,
    /// For one holder.
    pub per_holder: usize,
}

/// The permits, and who holds them. Cheap to clone; all clones share the same permits.
#[derive(Debug)]
pub struct PermitPool<K: Holder> {
    table: Arc<Mutex<Table<K>>>,
}

impl<K: Holder> Clone for PermitPool<K> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table) }
    }
}

#[derive(Debug)]
struct Table<K> {
    limits: PoolLimits,
    /// Counts up, so that the oldest permit of a holder has its lowest number.
    next: u64,
    held: BTreeMap<u64, (K, CancellationToken)>,
    of: BTreeMap<K, BTreeSet<u64>>,
}

/// A permit, held until it is dropped.
#[derive(Debug)]
pub struct Permit<K: Holder> {
    table: Arc<Mutex<Table<K>>>,
    number: u64,
}

impl<K: Holder> PermitPool<K> {
    /// All of them free.
    pub fn new(limits: PoolLimits) -> Self {
        let table = Table { limits, next: 0, held: BTreeMap::new(), of: BTreeMap::new() };
        Self { table: Arc::new(Mutex::new(table)) }
    }

    /// A permit for this holder. `end` is cancelled when the permit is revoked for somebody else; it counts
    /// as free from then on.
    pub fn acquire(&self, holder: K, end: CancellationToken) -> Permit<K> {
        let mut table = self.table.lock();
        if let Some(number) = table.to_revoke(&holder) {
            table.end(number);
        }
        let number = table.next;
        table.next += 1;
        table.of.entry(holder.clone()).or_default().insert(number);
        table.held.insert(number, (holder, end));
        Permit { table: Arc::clone(&self.table), number }
    }

    /// How many permits are held.
    pub fn held(&self) -> usize {
        self.table.lock().held.len()
    }
}

impl<K: Holder> Table<K> {
    /// Which permit is revoked so that this holder can have one more, if any must be.
    fn to_revoke(&self, holder: &K) -> Option<u64> {
        let own = self.of.get(holder);
        if own.map_or(0, BTreeSet::len) >= self.limits.per_holder {
            return own.and_then(BTreeSet::first).copied();
        }
        if self.held.len() < self.limits.total {
            return None;
        }
        let mut groups: BTreeMap<K, usize> = BTreeMap::new();
        for (holder, numbers) in &self.of {
            *groups.entry(holder.group()).or_default() += numbers.len();
        }
        let of_group = |holder: &K| groups.get(&holder.group()).copied().unwrap_or(0);
        let largest = self.of.iter().max_by_key(|(holder, numbers)| (of_group(holder), numbers.len()));
        largest.and_then(|(_, numbers)| numbers.first()).copied()
    }

    fn end(&mut self, number: u64) {
        if let Some(end) = self.free(number) {
            end.cancel();
        }
    }

    fn free(&mut self, number: u64) -> Option<CancellationToken> {
        let (holder, end) = self.held.remove(&number)?;
        let numbers = self.of.get_mut(&holder)?;
        numbers.remove(&number);
        if numbers.is_empty() {
            self.of.remove(&holder);
        }
        Some(end)
    }
}

impl<K: Holder> Drop for Permit<K> {
    fn drop(&mut self) {
        self.table.lock().free(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str) -> SourcePrefix {
        SourcePrefix::of(address.parse().unwrap())
    }

    /// Acquires a permit, and returns it with the token that is cancelled when it is revoked.
    fn keep(places: &PermitPool<SourcePrefix>, address: &str) -> (Permit<SourcePrefix>, CancellationToken) {
        let end = CancellationToken::new();
        (places.acquire(origin(address), end.clone()), end)
    }

    #[test]
    fn holder_that_fills_the_pool_displaces_itself_alone() {
        let places = PermitPool::new(PoolLimits { total: 100, per_holder: 25 });
        let greedy: Vec<_> = (0..1_000).map(|n| keep(&places, &format!("10.{}.0.1", n % 4))).collect();
        assert_eq!(places.held(), 100);
        let others: Vec<_> = (0..10).map(|n| keep(&places, &format!("192.0.{n}.1"))).collect();
        assert!(others.iter().all(|(_, end)| !end.is_cancelled()));
        let more: Vec<_> = (0..1_000).map(|n| keep(&places, &format!("10.{}.0.1", n % 4))).collect();
        assert!(others.iter().all(|(_, end)| !end.is_cancelled()), "an idle source was evicted");
        assert_eq!(places.held(), 100);
        let kept = greedy.iter().chain(&more).filter(|(_, end)| !end.is_cancelled()).count();
        assert_eq!(kept, 90);
    }

    #[test]
    fn many_addresses_of_one_network_count_together() {
        let places = PermitPool::new(PoolLimits { total: 100, per_holder: 25 });
        let _network: Vec<_> = (0..200).map(|n| keep(&places, &format!("10.0.0.{n}"))).collect();
        let (_neighbour, neighbour) = keep(&places, "10.0.1.1");
        let _again: Vec<_> = (0..200).map(|n| keep(&places, &format!("10.0.0.{n}"))).collect();
        assert!(!neighbour.is_cancelled());
        let _v6: Vec<_> = (0..200).map(|n| keep(&places, &format!("2001:db8:1:{n:x}::1"))).collect();
        assert!(!neighbour.is_cancelled());
    }

    #[test]
    fn neighbour_of_a_greedy_address_gets_a_permit_within_its_network() {
        let places = PermitPool::new(PoolLimits { total: 64, per_holder: 16 });
        let _greedy: Vec<_> = (0..400).map(|n| keep(&places, &format!("10.0.0.{}", n % 4))).collect();
        let (_one, one) = keep(&places, "10.0.0.9");
        let _again: Vec<_> = (0..400).map(|n| keep(&places, &format!("10.0.0.{}", n % 4))).collect();
        assert!(!one.is_cancelled());
    }

    #[test]
    fn holder_at_its_limit_loses_its_own_oldest_permit() {
        let places = PermitPool::new(PoolLimits { total: 100, per_holder: 2 });
        let (first, second) = (keep(&places, "10.0.0.1"), keep(&places, "10.0.0.1"));
        let _third = keep(&places, "10.0.0.1");
        assert!(first.1.is_cancelled() && !second.1.is_cancelled());
        drop(first);
        assert_eq!(places.held(), 2, "a place was given back twice");
        drop(second);
        assert_eq!(places.held(), 1);
    }

    #[test]
    fn ipv6_network_counts_as_one_and_a_mapped_address_as_what_it_maps() {
        let check = |address: &str, expected: &str, group: &str| {
            assert_eq!(origin(address).address(), expected.parse::<IpAddr>().unwrap());
            assert_eq!(origin(address).group().address(), group.parse::<IpAddr>().unwrap());
        };
        check("10.0.0.1", "10.0.0.1", "10.0.0.0");
        check("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.0");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::");
    }
}
