//! The UDP ports for sound: one even port for each leg, the odd one above it left free for RTCP.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many ports are tried for one leg when other programs sit in the range.
const MAX_TRIES: usize = 64;

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

/// The ports of a node.
#[derive(Debug)]
pub(crate) struct PortPool {
    address: IpAddr,
    range: RangeInclusive<u16>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: u16,
    used: BTreeSet<u16>,
}

impl PortPool {
    pub(crate) fn new(address: IpAddr, range: RangeInclusive<u16>) -> Arc<PortPool> {
        let next = first_even(&range);
        Arc::new(PortPool { address, range, state: Mutex::new(State { next, used: BTreeSet::new() }) })
    }

    /// Opens a port that no call needs: as [`PortPool::open`], but never the last free one of a range
    /// that calls are using.
    pub(crate) fn open_spare(self: &Arc<PortPool>) -> Result<MediaPort, PortError> {
        let used = u32::try_from(self.lock().used.len()).unwrap_or(u32::MAX);
        if used > 0 && used + 1 >= self.pairs() {
            return Err(self.exhausted());
        }
        self.open()
    }

    /// Opens the next free port. Ports are taken in turn, so that late packets of an ended call do not
    /// meet the next one.
    pub(crate) fn open(self: &Arc<PortPool>) -> Result<MediaPort, PortError> {
        let mut failure = self.exhausted();
        for _ in 0..MAX_TRIES {
            let Some(port) = self.take() else { return Err(failure) };
            let address = SocketAddr::new(self.address, port);
            match bind(address) {
                Ok(socket) => return Ok(MediaPort { socket, address, pool: Arc::clone(self) }),
                Err(source) => {
                    self.lock().used.remove(&port);
                    let (first, last) = (*self.range.start(), *self.range.end());
                    failure = PortError::Refused { address: self.address, first, last, source };
                }
            }
        }
        Err(failure)
    }

    fn take(&self) -> Option<u16> {
        let mut state = self.lock();
        let first = first_even(&self.range);
        for _ in 0..self.pairs() {
            let port = state.next;
            let pair_after_next = u32::from(port) + 3;
            let wraps = pair_after_next > u32::from(*self.range.end());
            state.next = if wraps { first } else { port + 2 };
            if state.used.insert(port) {
                return Some(port);
            }
        }
        None
    }

    /// How many pairs of ports the range holds.
    fn pairs(&self) -> u32 {
        (u32::from(*self.range.end()) + 1 - u32::from(first_even(&self.range))) / 2
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
    let first = first_even(range);
    let pairs = (u32::from(*range.end()) + 1).saturating_sub(u32::from(first)) / 2;
    let mut available = Available { pairs, found: 0, taken: 0, last: None };
    for port in (first..*range.end()).step_by(2) {
        if available.found >= enough {
            break;
        }
        match bind(SocketAddr::new(address, port)) {
            Ok(_) => available.found += 1,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => available.taken += 1,
            Err(error) => available.last = Some(error),
        }
    }
    available
}

fn first_even(range: &RangeInclusive<u16>) -> u16 {
    range.start().checked_next_multiple_of(2).unwrap_or(u16::MAX - 1)
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// An open port; given back when dropped.
#[derive(Debug)]
pub(crate) struct MediaPort {
    pub(crate) socket: UdpSocket,
    pub(crate) address: SocketAddr,
    pool: Arc<PortPool>,
}

impl Drop for MediaPort {
    fn drop(&mut self) {
        self.pool.lock().used.remove(&self.address.port());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_even_taken_in_turn_and_given_back() {
        let pool = PortPool::new([127, 91, 0, 1].into(), 30_001..=30_006);
        let open = || pool.open().map(|port| (port.address.port(), port));
        let (first, a) = open().expect("first");
        let (second, _b) = open().expect("second");
        assert_eq!((first, second), (30_002, 30_004));
        assert!(matches!(open(), Err(PortError::Exhausted(30_001, 30_006))));
        drop(a);
        assert_eq!(open().expect("given back").0, 30_002);
    }

    #[test]
    fn a_probe_never_takes_the_last_port_that_a_call_could_need() {
        let pool = PortPool::new([127, 91, 0, 3].into(), 30_000..=30_005);
        let spare = || pool.open_spare().map(|port| port.address.port());
        assert!(spare().is_ok(), "three are free");
        let _a = pool.open().expect("first");
        assert!(spare().is_ok(), "two are free");
        let _b = pool.open().expect("second");
        assert!(matches!(spare(), Err(PortError::Exhausted(..))), "a caller may need it");
        let single = PortPool::new([127, 91, 0, 3].into(), 30_010..=30_011);
        assert!(single.open_spare().is_ok(), "a node for one call is probed while it has none");
        let _only = single.open().expect("the only one");
        assert!(matches!(single.open_spare(), Err(PortError::Exhausted(..))));
    }

    #[test]
    fn a_refused_port_is_reported_in_the_same_words_each_time() {
        let _others = [30_000, 30_002].map(|port| UdpSocket::bind(("127.91.0.4", port)).expect("bind"));
        let pool = PortPool::new([127, 91, 0, 4].into(), 30_000..=30_003);
        let said = [(); 3].map(|()| pool.open().map(drop).expect_err("taken").to_string());
        assert!(said[0].contains("between 30000 and 30003: Address already in use"), "{}", said[0]);
        assert!(said.iter().all(|text| *text == said[0]), "{said:?}");
    }

    #[test]
    fn a_port_that_another_program_holds_is_passed_over() {
        let _other = UdpSocket::bind("127.91.0.2:30002").expect("bind");
        let pool = PortPool::new([127, 91, 0, 2].into(), 30_002..=30_005);
        assert_eq!(pool.open().expect("the other pair").address.port(), 30_004);
    }
}
