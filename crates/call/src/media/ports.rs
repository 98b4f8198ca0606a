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
    /// The system refused the last one that was tried.
    #[error("cannot open a UDP port for media on {address}")]
    Refused {
        /// What was tried last.
        address: SocketAddr,
        /// Why not.
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

    /// Opens the next free port. Ports are taken in turn, so that late packets of an ended call do not
    /// meet the next one.
    pub(crate) fn open(self: &Arc<PortPool>) -> Result<MediaPort, PortError> {
        let mut failure = PortError::Exhausted(*self.range.start(), *self.range.end());
        for _ in 0..MAX_TRIES {
            let Some(port) = self.take() else { return Err(failure) };
            let address = SocketAddr::new(self.address, port);
            match bind(address) {
                Ok(socket) => return Ok(MediaPort { socket, address, pool: Arc::clone(self) }),
                Err(source) => {
                    self.lock().used.remove(&port);
                    failure = PortError::Refused { address, source };
                }
            }
        }
        Err(failure)
    }

    fn take(&self) -> Option<u16> {
        let mut state = self.lock();
        let first = first_even(&self.range);
        let pairs = (u32::from(*self.range.end()) + 1 - u32::from(first)) / 2;
        for _ in 0..pairs {
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
    fn a_port_that_another_program_holds_is_passed_over() {
        let _other = UdpSocket::bind("127.91.0.2:30002").expect("bind");
        let pool = PortPool::new([127, 91, 0, 2].into(), 30_002..=30_005);
        assert_eq!(pool.open().expect("the other pair").address.port(), 30_004);
    }
}
