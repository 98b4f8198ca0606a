//! The UDP socket. On a wildcard address it reports which address of ours each datagram was sent to, and sends from
//! the address that it is given: a far end, and a NAT before it, only takes answers from where it has sent to.
//!
//! Whoever receives is a thread that waits in the system: a wake-up of the async pool costs more than the datagram.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockaddrStorage, recvfrom, recvmsg, sendmsg,
    sendto, setsockopt, shutdown, sockopt,
};

/// A datagram that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// How many bytes it has.
    pub(crate) length: usize,
    /// The address of ours that it was sent to.
    pub(crate) local: SocketAddr,
    /// Where it came from.
    pub(crate) remote: SocketAddr,
}

/// The socket. Addresses of IPv4 are never written as mapped ones of IPv6, even if the socket is one of both.
#[derive(Debug)]
pub(crate) struct Datagrams {
    socket: UdpSocket,
    bound: SocketAddr,
    is_closed: AtomicBool,
}

impl Datagrams {
    /// Opens the socket.
    ///
    /// # Errors
    /// The address cannot be had.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Datagrams> {
        let socket = UdpSocket::bind(address)?;
        if address.ip().is_unspecified() {
            match address {
                SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
                SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
            }
        }
        let bound = socket.local_addr()?;
        Ok(Datagrams { socket, bound, is_closed: AtomicBool::new(false) })
    }

    /// Waits for the next datagram; `None` when the socket is closed. What is longer than the buffer is cut.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Option<Received> {
        loop {
            let received = self.try_receive(buffer);
            if self.is_closed.load(Ordering::Relaxed) {
                return None;
            }
            match received {
                Ok(received) => return Some(received),
                // An error concerns an earlier datagram of ours, or is over by the next try.
                Err(_) => thread::yield_now(),
            }
        }
    }

    /// Nothing is received any more, also by those who wait. What is sent still leaves.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        // "Not connected" is what Linux says after it has woken those who wait.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Read);
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        if self.bound.ip().is_unspecified() {
            return self.receive_with_address(buffer);
        }
        // A closed socket returns no bytes and no address, for which the standard library's own call panics.
        let (length, remote) = recvfrom::<SockaddrStorage>(self.socket.as_raw_fd(), buffer)?;
        let remote = remote.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Received { length, local: canonical(self.bound), remote: canonical(remote) })
    }

    fn receive_with_address(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let mut control = nix::cmsg_space!(in_pktinfo, in6_pktinfo);
        let mut parts = [IoSliceMut::new(buffer)];
        let descriptor = self.socket.as_raw_fd();
        let message =
            recvmsg::<SockaddrStorage>(descriptor, &mut parts, Some(&mut control), MsgFlags::empty())?;
        let remote = message.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
        let local = message.cmsgs()?.find_map(|control| {
            if let ControlMessageOwned::Ipv4PacketInfo(info) = control {
                Some(IpAddr::from(from_network(info.ipi_addr)))
            } else if let ControlMessageOwned::Ipv6PacketInfo(info) = control {
                Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).to_canonical())
            } else {
                None
            }
        });
        let local = local.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Received {
            length: message.bytes,
            local: SocketAddr::new(local, self.bound.port()),
            remote: canonical(remote),
        })
    }

    /// Sends a datagram at once, or not at all: a lost one is sent again by whoever waits for its answer.
    ///
    /// # Errors
    /// It is not sent.
    pub(crate) fn send(&self, bytes: &[u8], local: IpAddr, remote: SocketAddr) -> io::Result<()> {
        let to = SockaddrStorage::from(self.of_the_socket(remote));
        if !self.bound.ip().is_unspecified() {
            sendto(self.socket.as_raw_fd(), bytes, &to, MsgFlags::MSG_DONTWAIT)?;
            return Ok(());
        }
        let (info4, info6);
        let control = match (self.bound, local.to_canonical()) {
            (SocketAddr::V4(_), IpAddr::V4(local)) => {
                info4 = in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: to_network(local),
                    ipi_addr: in_addr { s_addr: 0 },
                };
                ControlMessage::Ipv4PacketInfo(&info4)
            }
            (SocketAddr::V4(_) | SocketAddr::V6(_), local) => {
                let local = match local {
                    IpAddr::V4(local) => local.to_ipv6_mapped(),
                    IpAddr::V6(local) => local,
                };
                info6 = in6_pktinfo { ipi6_ifindex: 0, ipi6_addr: in6_addr { s6_addr: local.octets() } };
                ControlMessage::Ipv6PacketInfo(&info6)
            }
        };
        let parts = [IoSlice::new(bytes)];
        sendmsg(self.socket.as_raw_fd(), &parts, &[control], MsgFlags::MSG_DONTWAIT, Some(&to))?;
        Ok(())
    }

    /// An address as the socket takes it: one of IPv6 takes IPv4 as mapped addresses.
    fn of_the_socket(&self, remote: SocketAddr) -> SocketAddr {
        match (self.bound, remote) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            (SocketAddr::V4(_) | SocketAddr::V6(_), remote) => remote,
        }
    }
}

/// The address with an IPv4 one as such.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        // With its scope, without which a link-local one cannot be reached.
        IpAddr::V6(_) => address,
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}

fn from_network(address: in_addr) -> Ipv4Addr {
    Ipv4Addr::from(address.s_addr.to_ne_bytes())
}

fn to_network(address: Ipv4Addr) -> in_addr {
    in_addr { s_addr: u32::from_ne_bytes(address.octets()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bound: &str, caller: &str, at: &str) {
        let node = Datagrams::bind((bound.parse::<IpAddr>().expect("address"), 0).into()).expect("bind");
        let at: IpAddr = at.parse().expect("address");
        let port = node.bound.port();
        let caller = UdpSocket::bind((caller.parse::<IpAddr>().expect("address"), 0)).expect("bind");
        let from = caller.local_addr().expect("address");
        caller.send_to(b"question", (at, port)).expect("send");
        let mut buffer = [0; 100];
        let received = node.receive(&mut buffer).expect("a datagram");
        assert_eq!(received, Received { length: 8, local: (at, port).into(), remote: from });
        node.send(b"answer", received.local.ip(), received.remote).expect("send");
        let (length, answered_from) = caller.recv_from(&mut buffer).expect("receive");
        assert_eq!((&buffer[..length], answered_from), (&b"answer"[..], (at, port).into()));
    }

    #[test]
    fn answer_leaves_from_the_address_that_was_asked() {
        check("127.91.2.1", "127.91.2.2", "127.91.2.1");
        check("0.0.0.0", "127.91.2.2", "127.91.2.7");
        check("::", "127.91.2.2", "127.91.2.7");
        check("::", "::1", "::1");
        check("::1", "::1", "::1");
    }

    #[test]
    fn who_waits_for_a_datagram_is_told_when_the_socket_is_closed() {
        for bound in ["127.91.2.3:0", "0.0.0.0:0", "[::]:0"] {
            let node = Datagrams::bind(bound.parse().expect("address")).expect("bind");
            thread::scope(|scope| {
                let waiting = scope.spawn(|| node.receive(&mut [0; 100]));
                thread::sleep(std::time::Duration::from_millis(50));
                node.close();
                assert_eq!(waiting.join().expect("it does not panic"), None, "{bound}");
            });
            assert_eq!(node.receive(&mut [0; 100]), None, "{bound}, as does who comes later");
        }
    }
}
