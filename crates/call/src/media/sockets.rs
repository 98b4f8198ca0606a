//! The sockets of the legs of one thread. The system says which of them have something, so that a tick costs no call for
//! those that have nothing: nearly all of RTCP, and those of RTP behind their one packet.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::calls::Ticket;

use super::budget::Budget;
use super::control::Channel;
use super::ports::MediaPort;
use super::shard::{LegId, Silence};
use super::thread::OnSilence;

/// The largest datagram that is read; G.711 packets have some hundred bytes.
const MAX_DATAGRAM: usize = 2048;
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// What a leg has of the system.
pub(super) struct Socket {
    pub(super) port: MediaPort,
    pub(super) on_silence: OnSilence,
    pub(super) _ticket: Ticket,
}

/// All of a thread.
pub(super) struct Sockets {
    all: BTreeMap<LegId, Socket>,
    epoll: OwnedFd,
}

impl Sockets {
    /// None yet.
    ///
    /// # Errors
    /// The system has no room for them.
    pub(super) fn new() -> io::Result<Sockets> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Sockets { all: BTreeMap::new(), epoll })
    }

    pub(super) fn insert(&mut self, leg: LegId, socket: Socket) {
        for channel in [Channel::Media, Channel::Control] {
            let (data, readable) = (EventData::new_u64(name(leg, channel)), EventFlags::IN);
            if let Err(error) = epoll::add(&self.epoll, of(&socket.port, channel), data, readable) {
                // Nothing is heard of it, and its call ends for that.
                tracing::error!(%error, "the system does not watch a media port");
            }
        }
        self.all.insert(leg, socket);
    }

    /// Closes the sockets of a leg, which the system forgets then.
    pub(super) fn remove(&mut self, leg: LegId) {
        self.all.remove(&leg);
    }

    /// Sends a datagram. One that cannot be sent is lost, as others are on their way.
    pub(super) fn send(&self, leg: LegId, channel: Channel, to: SocketAddr, datagram: &[u8]) {
        if let Some(Socket { port, .. }) = self.all.get(&leg) {
            let _ = of(port, channel).send_to(datagram, to);
        }
    }

    pub(super) fn silent(&self, leg: LegId, why: Silence) {
        self.all.get(&leg).into_iter().for_each(|socket| (socket.on_silence)(why));
    }

    /// Reads what has come, within the budget of a tick: first one datagram of each socket, which is all that most of them
    /// have, then the rest.
    pub(super) fn receive(&self, mut each: impl FnMut(LegId, Channel, SocketAddr, &[u8])) {
        let mut buffer = [0; MAX_DATAGRAM];
        let mut budget = Budget::new();
        for is_first in [true, false] {
            for event in self.ready() {
                let (leg, channel) = named(event.data.u64());
                let Some(Socket { port, .. }) = self.all.get(&leg) else { continue };
                let mut read = usize::from(!is_first);
                while budget.allows(read)
                    && let Some((length, from)) = receive(of(port, channel), &mut buffer)
                {
                    read += 1;
                    each(leg, channel, from, &buffer[..length]);
                    if is_first {
                        break;
                    }
                }
            }
        }
    }

    /// Those that have something.
    fn ready(&self) -> Vec<Event> {
        let mut ready = Vec::with_capacity(2 * self.all.len());
        if !self.all.is_empty() {
            // What fails is tried again in the next tick.
            let _ = epoll::wait(&self.epoll, spare_capacity(&mut ready), Some(&AT_ONCE));
        }
        ready
    }
}

fn of(port: &MediaPort, channel: Channel) -> &UdpSocket {
    match channel {
        Channel::Media => &port.socket,
        Channel::Control => &port.rtcp,
    }
}

/// A socket as the system names it. Legs are numbered from the first call on, and do not use the highest bit.
fn name(leg: LegId, channel: Channel) -> u64 {
    debug_assert!(leg.0 >> 63 == 0, "the highest bit is lost");
    leg.0 << 1
        | match channel {
            Channel::Media => 0,
            Channel::Control => 1,
        }
}

fn named(name: u64) -> (LegId, Channel) {
    let channel = if name & 1 == 0 { Channel::Media } else { Channel::Control };
    (LegId(name >> 1), channel)
}

/// The next datagram of a socket. Errors of single datagrams (a refused port of the far end) are nothing to act on:
/// silence is noticed by its timeout.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(buffer) {
            Ok(received) => return Some(received),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(_) => return None,
        }
    }
}
