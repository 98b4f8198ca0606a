//! The UDP socket. On a wildcard address it reports which address of ours each datagram was sent to, and sends from
//! the address that it is given: a far end, and a NAT before it, only takes answers from where it has sent to.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

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
}

impl Datagrams {
    /// Opens the socket.
    ///
    /// # Errors
    /// The address cannot be had.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Datagrams> {
        let socket = UdpSocket::bind(address).await?;
        if address.ip().is_unspecified() {
            match address {
                SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
                SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
            }
        }
        let bound = socket.local_addr()?;
        Ok(Datagrams { socket, bound })
    }

    /// The next datagram. What is longer than the buffer is cut.
    ///
    /// # Errors
    /// An earlier datagram could not be delivered, or the system fails.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        if self.bound.ip().is_unspecified() {
            return self.socket.async_io(Interest::READABLE, || self.receive_with_address(buffer)).await;
        }
        let (length, remote) = self.socket.recv_from(buffer).await?;
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
        let remote = self.of_the_socket(remote);
        if !self.bound.ip().is_unspecified() {
            return self.socket.try_send_to(bytes, remote).map(drop);
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
        self.socket.try_io(Interest::WRITABLE, || {
            let to = SockaddrStorage::from(remote);
            let parts = [IoSlice::new(bytes)];
            Ok(sendmsg(self.socket.as_raw_fd(), &parts, &[control], MsgFlags::empty(), Some(&to))?)
        })?;
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

    async fn check(bound: &str, caller: &str, at: &str) {
        let node =
            Datagrams::bind((bound.parse::<IpAddr>().expect("address"), 0).into()).await.expect("bind");
        let at: IpAddr = at.parse().expect("address");
        let port = node.bound.port();
        let caller = UdpSocket::bind((caller.parse::<IpAddr>().expect("address"), 0)).await.expect("bind");
        let from = caller.local_addr().expect("address");
        caller.send_to(b"question", (at, port)).await.expect("send");
        let mut buffer = [0; 100];
        let received = node.receive(&mut buffer).await.expect("receive");
        assert_eq!(received, Received { length: 8, local: (at, port).into(), remote: from });
        node.send(b"answer", received.local.ip(), received.remote).expect("send");
        let (length, answered_from) = caller.recv_from(&mut buffer).await.expect("receive");
        assert_eq!((&buffer[..length], answered_from), (&b"answer"[..], (at, port).into()));
    }

    #[tokio::test]
    async fn answer_leaves_from_the_address_that_was_asked() {
        check("127.91.2.1", "127.91.2.2", "127.91.2.1").await;
        check("0.0.0.0", "127.91.2.2", "127.91.2.7").await;
        check("::", "127.91.2.2", "127.91.2.7").await;
        check("::", "::1", "::1").await;
        check("::1", "::1", "::1").await;
    }
}
