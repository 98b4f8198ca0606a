//! The pools of connections of a listener. A connection passes three, one after the other: handshaking,
//! unauthenticated, authenticated. Each pool is bounded for itself, so that unauthenticated peers never take
//! the permits of authenticated ones.
//!
//! Connections from the machine itself have pools of their own for the first two, so that somebody who works
//! at the machine can always connect. Which permit is revoked when a pool is full, `edge::permit_pool`
//! decides.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use edge::permit_pool::{Holder, Permit, PermitPool, PoolLimits, SourcePrefix};
use fleet::node::NodeId;
use fleet::version::Sha256;
use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use wire::RegistrationId;

use crate::certificate::Certificate;

/// Whether the peer of a connection is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthState {
    /// The peer has not authenticated itself yet.
    Unauthenticated,
    /// The peer has authenticated itself.
    Authenticated,
}

/// The identity of an authenticated peer, by which its permits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identity {
    /// The registration in its certificate: a number of connections for each node, whatever keys it has had,
    /// apart from those of an ended registration with the same number.
    Registration(NodeId, RegistrationId),
    /// The key of a certificate without a registration, which release 34 issued.
    Key(Sha256),
    /// The address from which it logged in.
    SourcePrefix(SourcePrefix),
}

impl Holder for Identity {
    fn group(&self) -> Self {
        match self {
            Self::Registration(..) | Self::Key(_) => *self,
            Self::SourcePrefix(origin) => Self::SourcePrefix(origin.group()),
        }
    }
}

/// Two pools: for the network, and for the machine itself.
#[derive(Clone, Debug)]
struct PoolPair {
    network: PermitPool<SourcePrefix>,
    machine: PermitPool<SourcePrefix>,
}

/// The pools of a listener. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    handshaking: PoolPair,
    unauthenticated: PoolPair,
    authenticated: PermitPool<Identity>,
}

/// The remote end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoint {
    origin: SourcePrefix,
    side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Network,
    Machine,
}

impl Endpoint {
    /// A connection from the address of one side to that of the other.
    pub(super) fn new(peer: SocketAddr, own: Option<SocketAddr>) -> Self {
        let peer: IpAddr = peer.ip().to_canonical();
        let same = own.is_some_and(|own| own.ip().to_canonical() == peer);
        let side = if peer.is_loopback() || same { Side::Machine } else { Side::Network };
        Self { origin: SourcePrefix::of(peer), side }
    }
}

impl PoolPair {
    fn new(room: PoolLimits) -> Self {
        Self { network: PermitPool::new(room), machine: PermitPool::new(room) }
    }

    fn take(&self, from: Endpoint, end: CancellationToken) -> Permit<SourcePrefix> {
        match from.side {
            Side::Network => self.network.acquire(from.origin, end),
            Side::Machine => self.machine.acquire(from.origin, end),
        }
    }
}

impl Pools {
    /// Empty pools.
    pub(super) fn new(
        handshaking: PoolLimits,
        unauthenticated: PoolLimits,
        authenticated: PoolLimits,
    ) -> Self {
        Self {
            handshaking: PoolPair::new(handshaking),
            unauthenticated: PoolPair::new(unauthenticated),
            authenticated: PermitPool::new(authenticated),
        }
    }

    /// Admits a connection whose handshake begins.
    pub(super) fn admit(&self, from: Endpoint) -> ConnectionHandle {
        let end = CancellationToken::new();
        let stage = Stage::Handshaking(self.handshaking.take(from, end.clone()));
        ConnectionHandle(Arc::new(Inner { pools: self.clone(), from, end, stage: Mutex::new(stage) }))
    }
}

/// A handle on a connection, with its permit. All clones are the same connection.
#[derive(Clone, Debug)]
pub struct ConnectionHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pools: Pools,
    from: Endpoint,
    end: CancellationToken,
    stage: Mutex<Stage>,
}

/// The stage of a connection, with its permit, which is released when the last handle is dropped.
#[derive(Debug)]
enum Stage {
    Handshaking(#[expect(dead_code, reason = "held until it is dropped")] Permit<SourcePrefix>),
    Unauthenticated(#[expect(dead_code, reason = "held until it is dropped")] Permit<SourcePrefix>),
    Authenticated(#[expect(dead_code, reason = "held until it is dropped")] Permit<Identity>),
}

impl ConnectionHandle {
    /// The handshake is done without a certificate that is valid.
    pub(super) fn set_unauthenticated(&self) {
        let Inner { pools, from, end, stage } = &*self.0;
        *stage.lock() = Stage::Unauthenticated(pools.unauthenticated.take(*from, end.clone()));
    }

    /// The peer has authenticated itself with this certificate, which is valid.
    pub(super) fn set_certificate(&self, shown: &Certificate) {
        self.set_identity(match shown.registration {
            Some(registration) => Identity::Registration(shown.node, registration),
            None => Identity::Key(shown.key),
        });
    }

    /// The peer has logged in.
    pub(crate) fn set_logged_in(&self) {
        if self.auth_state() == AuthState::Unauthenticated {
            self.set_identity(Identity::SourcePrefix(self.0.from.origin));
        }
    }

    fn set_identity(&self, by: Identity) {
        let Inner { pools, from: _, end, stage } = &*self.0;
        *stage.lock() = Stage::Authenticated(pools.authenticated.acquire(by, end.clone()));
    }

    /// Whether the peer is authenticated.
    pub(super) fn auth_state(&self) -> AuthState {
        match &*self.0.stage.lock() {
            Stage::Handshaking(_) | Stage::Unauthenticated(_) => AuthState::Unauthenticated,
            Stage::Authenticated(_) => AuthState::Authenticated,
        }
    }

    /// Ready when its permit was revoked for another connection.
    pub(super) fn evicted(&self) -> WaitForCancellationFutureOwned {
        self.0.end.clone().cancelled_owned()
    }
}

#[cfg(test)]
impl ConnectionHandle {
    /// One whose peer is not authenticated.
    pub(crate) fn unauthenticated() -> Self {
        let one = PoolLimits { total: 1, per_holder: 1 };
        let handle = Pools::new(one, one, one).admit(Endpoint::new(([192, 0, 2, 1], 1).into(), None));
        handle.set_unauthenticated();
        handle
    }

    /// Whether the peer is authenticated.
    pub(crate) fn is_authenticated(&self) -> bool {
        self.auth_state() == AuthState::Authenticated
    }
}

#[cfg(test)]
mod tests {
    use fleet::time::Wall;

    use super::*;

    const POOL: PoolLimits = PoolLimits { total: 4, per_holder: 2 };

    fn from(peer: &str) -> Endpoint {
        Endpoint::new(peer.parse().unwrap(), Some("10.0.0.1:8443".parse().unwrap()))
    }

    /// A certificate of node 1.
    fn certificate(registration: u128, key: u8) -> Certificate {
        let (node, registration) = (NodeId(1), Some(RegistrationId(registration)));
        let (not_before, not_after) = (Wall(0), Wall(u64::MAX));
        Certificate { node, registration, key: Sha256([key; 32]), not_before, not_after }
    }

    fn evicted(handle: &ConnectionHandle) -> bool {
        handle.0.end.is_cancelled()
    }

    #[test]
    fn unauthenticated_connections_never_displace_authenticated_ones() {
        let pools = Pools::new(POOL, POOL, POOL);
        let known = pools.admit(from("10.0.0.2:1"));
        known.set_unauthenticated();
        known.set_logged_in();
        let node = pools.admit(from("10.0.0.2:2"));
        node.set_certificate(&certificate(1, 1));
        let unauthenticated: Vec<_> =
            (0..100).map(|n| pools.admit(from(&format!("10.0.{}.2:1", n % 4)))).collect();
        unauthenticated.iter().for_each(ConnectionHandle::set_unauthenticated);
        assert!(!evicted(&known) && !evicted(&node));
        assert_eq!(unauthenticated.iter().filter(|stranger| !evicted(stranger)).count(), POOL.total);
    }

    #[test]
    fn connections_from_the_machine_are_not_counted_with_the_network() {
        let pools = Pools::new(POOL, POOL, POOL);
        let own: Vec<_> = ["127.0.0.1:1", "[::1]:1", "10.0.0.1:9"].map(|peer| pools.admit(from(peer))).into();
        own.iter().for_each(ConnectionHandle::set_unauthenticated);
        let network: Vec<_> = (0..100).map(|n| pools.admit(from(&format!("10.{n}.0.2:1")))).collect();
        network.iter().for_each(ConnectionHandle::set_unauthenticated);
        assert!(own.iter().all(|handle| !evicted(handle)));
    }

    #[test]
    fn connections_from_the_machine_are_recognised_by_any_of_its_addresses() {
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
        let pools = Pools::new(POOL, POOL, PoolLimits { total: 100, per_holder: 2 });
        let handles: Vec<_> = (0..3).map(|n| pools.admit(from(&format!("10.{n}.0.2:1")))).collect();
        for (key, handle) in (1..).zip(&handles) {
            handle.set_certificate(&certificate(1, key));
        }
        let earlier = pools.admit(from("10.0.0.2:3"));
        earlier.set_certificate(&certificate(2, 1));
        assert_eq!(handles.iter().map(evicted).collect::<Vec<_>>(), [true, false, false]);
        assert!(!evicted(&earlier), "a registration that has ended is counted with the one in force");
    }
}
