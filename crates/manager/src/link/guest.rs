//! Whom a listener has taken on: three rooms, one after the other. Whoever connects is arriving until its
//! handshake is done, a stranger until it has proved who it is, and known from then on. Each room is
//! bounded for itself, so strangers never take the places of those who are known.
//!
//! Connections from the machine itself have rooms of their own beside those of everybody else: whoever
//! sits at the machine gets in whatever comes over the network.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use edge::places::{Holder, Origin, Place, Places, Room};
use fleet::node::NodeId;
use fleet::version::Sha256;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use wire::RegistrationId;

use super::certificate::Certificate;

/// Whether it is known who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquaintance {
    /// It has proved nothing yet.
    Stranger,
    /// It has proved who it is.
    Known,
}

/// By what places of those who are known are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KnownBy {
    /// The registration in its certificate: a number of connections for each node, whatever keys it has had, and
    /// none for one that has its number from a registration that has ended.
    Registration(NodeId, RegistrationId),
    /// The key of a certificate without a registration, which release 34 made.
    Key(Sha256),
    /// Where it logged in from.
    Origin(Origin),
}

impl Holder for KnownBy {
    fn group(&self) -> Self {
        match self {
            Self::Registration(..) | Self::Key(_) => *self,
            Self::Origin(origin) => Self::Origin(origin.group()),
        }
    }
}

/// A room twice: for the network, and for the machine itself.
#[derive(Clone, Debug)]
struct Twice {
    network: Places<Origin>,
    machine: Places<Origin>,
}

/// The rooms of a listener. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Rooms {
    arriving: Twice,
    strangers: Twice,
    known: Places<KnownBy>,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct From {
    origin: Origin,
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Network,
    Machine,
}

impl From {
    /// A connection from the address of one side to that of the other.
    pub(super) fn new(peer: SocketAddr, own: Option<SocketAddr>) -> Self {
        let peer: IpAddr = peer.ip().to_canonical();
        let same = own.is_some_and(|own| own.ip().to_canonical() == peer);
        let side = if peer.is_loopback() || same { Side::Machine } else { Side::Network };
        Self { origin: Origin::of(peer), side }
    }
}

impl Twice {
    fn new(room: Room) -> Self {
        Self { network: Places::new(room), machine: Places::new(room) }
    }

    fn take(&self, from: From, end: CancellationToken) -> Place<Origin> {
        match from.side {
            Side::Network => self.network.take(from.origin, end),
            Side::Machine => self.machine.take(from.origin, end),
        }
    }
}

impl Rooms {
    /// Empty ones.
    pub(super) fn new(arriving: Room, strangers: Room, known: Room) -> Self {
        Self { arriving: Twice::new(arriving), strangers: Twice::new(strangers), known: Places::new(known) }
    }

    /// Takes on a connection whose handshake begins.
    pub(super) fn arrive(&self, from: From) -> Guest {
        let end = CancellationToken::new();
        let place = Held::Arriving(self.arriving.take(from, end.clone()));
        Guest(Arc::new(Inner { rooms: self.clone(), from, end, place: Mutex::new(place) }))
    }
}

/// A connection as its listener sees it. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Guest(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rooms: Rooms,
    from: From,
    end: CancellationToken,
    place: Mutex<Held>,
}

/// The place that it holds. It is given back when the guest is dropped.
#[derive(Debug)]
enum Held {
    Arriving(#[expect(dead_code, reason = "held until it is dropped")] Place<Origin>),
    Stranger(#[expect(dead_code, reason = "held until it is dropped")] Place<Origin>),
    Known(#[expect(dead_code, reason = "held until it is dropped")] Place<KnownBy>),
}

impl Guest {
    /// The handshake is done, and proved nothing.
    pub(super) fn is_stranger(&self) {
        let Inner { rooms, from, end, place } = &*self.0;
        *place.lock().unwrap_or_else(PoisonError::into_inner) =
            Held::Stranger(rooms.strangers.take(*from, end.clone()));
    }

    /// It has proved that this certificate, which is good, is its own.
    pub(super) fn has_shown(&self, shown: &Certificate) {
        self.known_by(match shown.registration {
            Some(registration) => KnownBy::Registration(shown.node, registration),
            None => KnownBy::Key(shown.key),
        });
    }

    /// It has proved who it is: it may stay.
    pub(crate) fn has_logged_in(&self) {
        if self.acquaintance() == Acquaintance::Stranger {
            self.known_by(KnownBy::Origin(self.0.from.origin));
        }
    }

    fn known_by(&self, by: KnownBy) {
        let Inner { rooms, from: _, end, place } = &*self.0;
        *place.lock().unwrap_or_else(PoisonError::into_inner) =
            Held::Known(rooms.known.take(by, end.clone()));
    }

    /// Whether it has proved who it is.
    pub(super) fn acquaintance(&self) -> Acquaintance {
        match &*self.0.place.lock().unwrap_or_else(PoisonError::into_inner) {
            Held::Arriving(_) | Held::Stranger(_) => Acquaintance::Stranger,
            Held::Known(_) => Acquaintance::Known,
        }
    }

    /// Ready when its place was given to somebody else.
    pub(super) fn sent_away(&self) -> WaitForCancellationFutureOwned {
        self.0.end.clone().cancelled_owned()
    }
}

#[cfg(test)]
impl Guest {
    /// One whose handshake proved nothing.
    pub(crate) fn stranger() -> Self {
        let one = Room { places: 1, each: 1 };
        let guest = Rooms::new(one, one, one).arrive(From::new(([192, 0, 2, 1], 1).into(), None));
        guest.is_stranger();
        guest
    }

    /// Whether it has proved who it is.
    pub(crate) fn is_known(&self) -> bool {
        self.acquaintance() == Acquaintance::Known
    }
}

#[cfg(test)]
mod tests {
    use fleet::time::Wall;

    use super::*;

    const ROOM: Room = Room { places: 4, each: 2 };

    fn from(peer: &str) -> From {
        From::new(peer.parse().unwrap(), Some("10.0.0.1:8443".parse().unwrap()))
    }

    /// A certificate of node 1.
    fn certificate(registration: u128, key: u8) -> Certificate {
        let (node, registration) = (NodeId(1), Some(RegistrationId(registration)));
        let (not_before, not_after) = (Wall(0), Wall(u64::MAX));
        Certificate { node, registration, key: Sha256([key; 32]), not_before, not_after }
    }

    fn sent_away(guest: &Guest) -> bool {
        guest.0.end.is_cancelled()
    }

    #[test]
    fn strangers_never_take_the_place_of_who_is_known() {
        let rooms = Rooms::new(ROOM, ROOM, ROOM);
        let known = rooms.arrive(from("10.0.0.2:1"));
        known.is_stranger();
        known.has_logged_in();
        let node = rooms.arrive(from("10.0.0.2:2"));
        node.has_shown(&certificate(1, 1));
        let strangers: Vec<_> =
            (0..100).map(|n| rooms.arrive(from(&format!("10.0.{}.2:1", n % 4)))).collect();
        strangers.iter().for_each(Guest::is_stranger);
        assert!(!sent_away(&known) && !sent_away(&node));
        assert_eq!(strangers.iter().filter(|stranger| !sent_away(stranger)).count(), ROOM.places);
    }

    #[test]
    fn the_machine_itself_is_not_counted_with_the_network() {
        let rooms = Rooms::new(ROOM, ROOM, ROOM);
        let own: Vec<_> =
            ["127.0.0.1:1", "[::1]:1", "10.0.0.1:9"].map(|peer| rooms.arrive(from(peer))).into();
        own.iter().for_each(Guest::is_stranger);
        let network: Vec<_> = (0..100).map(|n| rooms.arrive(from(&format!("10.{n}.0.2:1")))).collect();
        network.iter().for_each(Guest::is_stranger);
        assert!(own.iter().all(|guest| !sent_away(guest)));
    }

    #[test]
    fn whoever_sits_at_the_machine_is_known_by_any_of_its_addresses() {
        let own = [
            "127.0.0.1:1",
            "127.9.0.1:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
            "10.0.0.1:9",
            "[::ffff:10.0.0.1]:9",
        ];
        assert!(own.iter().all(|peer| from(peer).side == Side::Machine));
        assert!(["10.0.0.2:1", "[2001:db8::1]:1"].iter().all(|peer| from(peer).side == Side::Network));
    }

    #[test]
    fn one_registration_has_a_few_connections_whatever_its_key_and_the_newest_stay() {
        let rooms = Rooms::new(ROOM, ROOM, Room { places: 100, each: 2 });
        let guests: Vec<_> = (0..3).map(|n| rooms.arrive(from(&format!("10.{n}.0.2:1")))).collect();
        for (key, guest) in (1..).zip(&guests) {
            guest.has_shown(&certificate(1, key));
        }
        let earlier = rooms.arrive(from("10.0.0.2:3"));
        earlier.has_shown(&certificate(2, 1));
        assert_eq!(guests.iter().map(sent_away).collect::<Vec<_>>(), [true, false, false]);
        assert!(!sent_away(&earlier), "a registration that has ended is counted with the one in force");
    }
}
