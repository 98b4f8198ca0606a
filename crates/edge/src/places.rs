//! A limit on concurrent connections with eviction, so that no single source can exhaust it.
//!
//! A new connection is never refused. When all places are taken, it gets the place of another one, which is
//! cancelled: the oldest of the source with the most places, so a source that fills the limit evicts its own
//! connections. A source above its own limit loses its oldest place. It counts places and closes nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// The part of an IPv6 address that one customer commonly has for itself, in bits (RFC 6177).
const IPV6_ORIGIN_BITS: u32 = 64;

/// The part of an IPv6 address that one site commonly has, in bits (RFC 6177, section 2).
const IPV6_NETWORK_BITS: u32 = 48;

/// The longest IPv4 prefix that is commonly routed on the internet, in bits.
const IPV4_NETWORK_BITS: u32 = 24;

/// The holder of places, such as a source address.
pub trait Holder: Ord + Clone {
    /// A group of holders that may be one party: they are counted together when all places are taken.
    fn group(&self) -> Self;
}

/// The source of a connection: an IPv4 address, or an IPv6 /64, since one party commonly has all addresses of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(IpAddr);

impl Origin {
    /// The origin of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => Self(cut_v6(address, IPV6_ORIGIN_BITS)),
        }
    }

    /// The address that represents it.
    pub fn address(self) -> IpAddr {
        self.0
    }
}

impl Holder for Origin {
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

/// The numbers of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// For all together.
    pub places: usize,
    /// For one holder.
    pub each: usize,
}

/// The places, and who holds them. Cheap to clone; all clones are the same places.
#[derive(Debug)]
pub struct Places<K: Holder> {
    table: Arc<Mutex<Table<K>>>,
}

impl<K: Holder> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table) }
    }
}

#[derive(Debug)]
struct Table<K> {
    room: Room,
    /// Counts up, so that the oldest place of a holder is its first.
    next: u64,
    held: BTreeMap<u64, (K, CancellationToken)>,
    of: BTreeMap<K, BTreeSet<u64>>,
}

/// One place; dropping it frees the place.
#[derive(Debug)]
pub struct Place<K: Holder> {
    table: Arc<Mutex<Table<K>>>,
    number: u64,
}

impl<K: Holder> Places<K> {
    /// With all places free.
    pub fn new(room: Room) -> Self {
        let table = Table { room, next: 0, held: BTreeMap::new(), of: BTreeMap::new() };
        Self { table: Arc::new(Mutex::new(table)) }
    }

    /// Takes a place for this holder. `end` is cancelled when the place is given to another holder; it counts as
    /// free from then on.
    pub fn take(&self, holder: K, end: CancellationToken) -> Place<K> {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = table.evicted_by(&holder) {
            table.end(number);
        }
        let number = table.next;
        table.next += 1;
        table.of.entry(holder.clone()).or_default().insert(number);
        table.held.insert(number, (holder, end));
        Place { table: Arc::clone(&self.table), number }
    }

    /// How many places are held.
    pub fn held(&self) -> usize {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).held.len()
    }
}

impl<K: Holder> Table<K> {
    /// The place that is evicted for one more of this holder, if one must be.
    fn evicted_by(&self, holder: &K) -> Option<u64> {
        let own = self.of.get(holder);
        if own.map_or(0, BTreeSet::len) >= self.room.each {
            return own.and_then(BTreeSet::first).copied();
        }
        if self.held.len() < self.room.places {
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

impl<K: Holder> Drop for Place<K> {
    fn drop(&mut self) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).free(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(address: &str) -> Origin {
        Origin::of(address.parse().unwrap())
    }

    /// Takes a place that is kept, and says by what it is ended.
    fn keep(places: &Places<Origin>, address: &str) -> (Place<Origin>, CancellationToken) {
        let end = CancellationToken::new();
        (places.take(origin(address), end.clone()), end)
    }

    #[test]
    fn source_that_fills_all_places_is_evicted_for_others() {
        let places = Places::new(Room { places: 100, each: 25 });
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
        let places = Places::new(Room { places: 100, each: 25 });
        let _network: Vec<_> = (0..200).map(|n| keep(&places, &format!("10.0.0.{n}"))).collect();
        let (_neighbour, neighbour) = keep(&places, "10.0.1.1");
        let _again: Vec<_> = (0..200).map(|n| keep(&places, &format!("10.0.0.{n}"))).collect();
        assert!(!neighbour.is_cancelled());
        let _v6: Vec<_> = (0..200).map(|n| keep(&places, &format!("2001:db8:1:{n:x}::1"))).collect();
        assert!(!neighbour.is_cancelled());
    }

    #[test]
    fn neighbour_of_a_greedy_address_gets_a_place_within_its_network() {
        let places = Places::new(Room { places: 64, each: 16 });
        let _greedy: Vec<_> = (0..400).map(|n| keep(&places, &format!("10.0.0.{}", n % 4))).collect();
        let (_one, one) = keep(&places, "10.0.0.9");
        let _again: Vec<_> = (0..400).map(|n| keep(&places, &format!("10.0.0.{}", n % 4))).collect();
        assert!(!one.is_cancelled());
    }

    #[test]
    fn holder_above_its_limit_loses_its_own_oldest_place() {
        let places = Places::new(Room { places: 100, each: 2 });
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
