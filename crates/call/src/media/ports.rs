//! The UDP ports for media: for each leg an even one for RTP and the odd one above it for RTCP (RFC 3550 section 11).
//! Which one is next is decided in `pairs`.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use crate::time::Clock;

use super::pairs::{Pairs, even};

/// How many ports are tried for one leg when other programs sit in the range.
const MAX_TRIES: usize = 64;

/// The receive buffer of a port in bytes; the system doubles it for its own needs. It holds some 340 datagrams, nearly
/// as many as are read in a tick: what comes above that is dropped at once and does not delay the rest.
const RECEIVE_BUFFER: usize = 128 * 1024;

/// A source of random numbers that nobody can guess.
pub(crate) type Randomness = fn() -> u64;

/// No port could be had for a leg.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PortError {
    /// All ports are taken by legs.
    #[error("no free UDP port for media between {0} and {1}; widen media_ports")]
    Exhausted(u16, u16),
    /// The system refused every one that was tried. The text is the same for every attempt, so that a
    /// fault that lasts is reported once.
    #[error(
        "cannot open a UDP port for media on {address} between {first} and {last}: {source}; free the ports, or \
         correct media and media_ports"
    )]
    Refused {
        /// The media address.
        address: IpAddr,
        /// The first port of the range.
        first: u16,
        /// The last port of the range.
        last: u16,
        /// Why not the last one that was tried.
        source: io::Error,
    },
}

/// The ports of a node, at whichever of its addresses: a port that is taken at one is not given at another.
#[derive(Debug)]
pub(crate) struct PortPool {
    range: RangeInclusive<u16>,
    clock: Clock,
    random: Randomness,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pairs: Pairs,
}

impl PortPool {
    pub(crate) fn new(range: RangeInclusive<u16>, clock: Clock, random: Randomness) -> Arc<PortPool> {
        let state = Mutex::new(State { pairs: Pairs::new(&range) });
        Arc::new(PortPool { range, clock, random, state })
    }

    /// Opens a port that no call needs: as [`PortPool::open`], but never the last free one of a range
    /// that calls are using.
    pub(crate) fn open_spare(self: &Arc<PortPool>, at: IpAddr) -> Result<MediaPort, PortError> {
        let (used, all) = self.count();
        if used > 0 && used + 1 >= all {
            return Err(self.exhausted());
        }
        self.open(at)
    }

    /// How many pairs are used, and how many there are.
    fn count(&self) -> (usize, usize) {
        let state = self.lock();
        (state.pairs.used(), state.pairs.all())
    }

    /// Opens a free port at random: who does not see the call's signalling cannot know where its sound goes.
    pub(crate) fn open(self: &Arc<PortPool>, at: IpAddr) -> Result<MediaPort, PortError> {
        let mut failure = self.exhausted();
        for _ in 0..MAX_TRIES {
            let taken = self.lock().pairs.take(self.clock.now(), (self.random)());
            let Some(port) = taken else { return Err(failure) };
            let address = SocketAddr::new(at, port);
            match bind_pair(address) {
                Ok((socket, rtcp)) => {
                    return Ok(MediaPort { socket, rtcp, address, pool: Arc::clone(self) });
                }
                Err(source) => {
                    self.lock().pairs.give_back(self.clock.now(), port);
                    let (first, last) = (*self.range.start(), *self.range.end());
                    failure = PortError::Refused { address: at, first, last, source };
                }
            }
        }
        Err(failure)
    }

    fn exhausted(&self) -> PortError {
        PortError::Exhausted(*self.range.start(), *self.range.end())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a range of ports can be opened now.
#[derive(Debug)]
pub(crate) struct Available {
    /// How many legs the range has room for.
    pub(crate) pairs: u32,
    /// How many of them could be opened; it is not looked for more than was asked.
    pub(crate) found: u32,
    /// How many are in use.
    pub(crate) taken: u32,
    /// The last refusal that came from something else.
    pub(crate) last: Option<io::Error>,
}

/// Tries the ports of a range until `enough` could be opened. They are closed again.
pub(crate) fn available(address: IpAddr, range: &RangeInclusive<u16>, enough: u32) -> Available {
    let pairs = u32::try_from(even(range).count()).unwrap_or(u32::MAX);
    let mut available = Available { pairs, found: 0, taken: 0, last: None };
    for port in even(range) {
        if available.found >= enough {
            break;
        }
        match bind_pair(SocketAddr::new(address, port)) {
            Ok(_) => available.found += 1,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => available.taken += 1,
            Err(error) => available.last = Some(error),
        }
    }
    available
}

/// Opens the port and the one above it.
fn bind_pair(address: SocketAddr) -> io::Result<(UdpSocket, UdpSocket)> {
    let above = SocketAddr::new(address.ip(), address.port() + 1);
    Ok((bind(address)?, bind(above)?))
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
    net::bind(&socket, &address)?;
    Ok(socket.into())
}

/// An open port and the one above it; given back when dropped.
#[derive(Debug)]
pub(crate) struct MediaPort {
    pub(crate) socket: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) address: SocketAddr,
    pool: Arc<PortPool>,
}

impl Drop for MediaPort {
    fn drop(&mut self) {
        let now = self.pool.clock.now();
        self.pool.lock().pairs.give_back(now, self.address.port());
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::super::random;
    use super::*;

    /// The ports of a node, at one address.
    struct Pool(Arc<PortPool>, IpAddr);

    impl Pool {
        fn open(&self) -> Result<MediaPort, PortError> {
            self.0.open(self.1)
        }

        fn open_spare(&self) -> Result<MediaPort, PortError> {
            self.0.open_spare(self.1)
        }
    }

    fn pool(host: u8, range: RangeInclusive<u16>) -> Pool {
        Pool(PortPool::new(range, Clock::start(), random::kernel), [127, 91, 0, host].into())
    }

    #[test]
    fn ports_are_opened_at_the_address_that_is_asked_for() {
        let pool = PortPool::new(30_000..=30_003, Clock::start(), random::kernel);
        for at in [[127, 91, 0, 5].into(), Ipv6Addr::LOCALHOST.into()] {
            let port = pool.open(at).expect("free");
            let bound = [&port.socket, &port.rtcp].map(|socket| socket.local_addr().expect("local").ip());
            assert_eq!((bound, port.address.ip()), ([at; 2], at));
        }
    }

    #[test]
    fn ports_are_even_have_the_odd_one_above_them_and_are_given_back() {
        let pool = self::pool(1, 30_001..=30_006);
        let open = || pool.open().map(|port| (port.address.port(), port));
        let (first, a) = open().expect("first");
        let (second, _b) = open().expect("second");
        assert_eq!([first.min(second), first.max(second)], [30_002, 30_004]);
        assert_eq!(a.rtcp.local_addr().expect("local").port(), first + 1);
        assert!(matches!(open(), Err(PortError::Exhausted(30_001, 30_006))));
        drop(a);
        assert_eq!(open().expect("given back").0, first);
    }

    #[test]
    fn nobody_can_tell_the_next_port_from_the_last_ones() {
        let pool = self::pool(6, 30_000..=39_999);
        let ports: Vec<u16> = (0..20).map(|_| pool.open().expect("free").address.port()).collect();
        let in_turn = ports.windows(2).filter(|pair| pair[1] == pair[0] + 2).count();
        // Twenty of five thousand: that two follow each other happens in one of 260 runs, four in none.
        assert!(in_turn < 4, "{ports:?}");
        assert_eq!(
            ports.iter().collect::<std::collections::BTreeSet<_>>().len(),
            20,
            "none twice: {ports:?}"
        );
    }

    #[test]
    fn a_probe_never_takes_the_last_port_that_a_call_could_need() {
        let pool = self::pool(3, 30_000..=30_005);
        let spare = || pool.open_spare().map(|port| port.address.port());
        assert!(spare().is_ok(), "three are free");
        let _a = pool.open().expect("first");
        assert!(spare().is_ok(), "two are free");
        let _b = pool.open().expect("second");
        assert!(matches!(spare(), Err(PortError::Exhausted(..))), "a caller may need it");
        let single = self::pool(3, 30_010..=30_011);
        assert!(single.open_spare().is_ok(), "a node for one call is probed while it has none");
        let _only = single.open().expect("the only one");
        assert!(matches!(single.open_spare(), Err(PortError::Exhausted(..))));
    }

    #[test]
    fn a_refused_port_is_reported_in_the_same_words_each_time() {
        let _others = [30_000, 30_002].map(|port| UdpSocket::bind(("127.91.0.4", port)).expect("bind"));
        let pool = self::pool(4, 30_000..=30_003);
        let said = [(); 3].map(|()| pool.open().map(drop).expect_err("taken").to_string());
        assert!(said[0].contains("between 30000 and 30003: Address already in use"), "{}", said[0]);
        assert!(said.iter().all(|text| *text == said[0]), "{said:?}");
    }

    #[test]
    fn a_port_that_another_program_holds_is_passed_over() {
        for taken in ["127.91.0.2:30002", "127.91.0.2:30003"] {
            let _other = UdpSocket::bind(taken).expect("bind");
            let pool = self::pool(2, 30_002..=30_005);
            assert_eq!(pool.open().expect("the other pair").address.port(), 30_004, "{taken}");
        }
    }
}
