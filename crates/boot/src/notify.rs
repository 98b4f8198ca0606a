//! The socket on which the program that `boot` started reports: `sd_notify(3)` on an abstract address.
//!
//! The kernel chooses the address (autobind), so nobody can occupy it beforehand, and it attaches the
//! sender's process id to each message: only the program itself is listened to.

use std::ffi::OsString;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags,
    SocketType, bind, recvmsg, socket_with,
};
use rustix::process::Pid;

/// Longest message read, in bytes; ours have under a hundred, and what is longer is cut.
const MESSAGE_MAX: usize = 4096;
/// Messages read in one go, so that a program that floods the socket cannot keep `boot` from its clocks.
const MESSAGES_AT_ONCE: usize = 64;

/// What a program reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// READY=1: it wrote its confirmation into the slot record.
    Ready,
    /// EXTEND_TIMEOUT_USEC: it makes progress and asks for this much time from now.
    Extend(Duration),
}

/// Our end of the socket.
#[derive(Debug)]
pub(crate) struct Notify {
    socket: UnixDatagram,
    address: OsString,
}

impl Notify {
    /// Opens a socket with an address that no other socket has.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        set_socket_passcred(&socket, true)?;
        bind(&socket, &SocketAddrUnix::new_unnamed())?;
        let socket = UnixDatagram::from(socket);
        let mut address = vec![b'@'];
        address.extend(socket.local_addr()?.as_abstract_name().unwrap_or_default());
        Ok(Self { socket, address: OsString::from_vec(address) })
    }

    /// The address as it goes into NOTIFY_SOCKET.
    pub(crate) fn address(&self) -> &OsString {
        &self.address
    }

    /// What `program` has reported since the last call; what others sent is dropped.
    pub(crate) fn messages(&self, program: Pid) -> Vec<Message> {
        let received = (0..MESSAGES_AT_ONCE).map_while(|_| self.receive().ok());
        let from_program = received.filter(|(sender, _)| *sender == Some(program));
        from_program.flat_map(|(_, text)| parse(&text)).collect()
    }

    fn receive(&self) -> io::Result<(Option<Pid>, Vec<u8>)> {
        let mut text = vec![0; MESSAGE_MAX];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        text.truncate(received.bytes);
        let mut sender = None;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmCredentials(credentials) = message {
                sender = Some(credentials.pid);
            }
        }
        Ok((sender, text))
    }
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The lines of one datagram that we know; the protocol requires that others are skipped.
fn parse(text: &[u8]) -> Vec<Message> {
    let text = String::from_utf8_lossy(text);
    let message = |line: &str| match line.split_once('=')? {
        ("READY", "1") => Some(Message::Ready),
        ("EXTEND_TIMEOUT_USEC", time) => time.parse().ok().map(Duration::from_micros).map(Message::Extend),
        _ => None,
    };
    text.lines().filter_map(message).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::SocketAddr;

    use rustix::process::getpid;

    use super::*;

    #[test]
    fn known_lines_are_parsed_and_others_skipped() {
        let text =
            b"STATUS=migrating\nEXTEND_TIMEOUT_USEC=2000000\nREADY=0\nREADY=1\nEXTEND_TIMEOUT_USEC=-1\n\xff";
        assert_eq!(parse(text), [Message::Extend(Duration::from_secs(2)), Message::Ready]);
    }

    #[test]
    fn messages_of_other_processes_are_dropped() {
        let notify = Notify::open().unwrap();
        let address = SocketAddr::from_abstract_name(&notify.address.as_encoded_bytes()[1..]).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to_addr(b"READY=1", &address).unwrap();
        assert_eq!(notify.messages(Pid::INIT), []);
        sender.send_to_addr(b"READY=1", &address).unwrap();
        assert_eq!(notify.messages(getpid()), [Message::Ready]);
    }

    #[test]
    fn two_sockets_never_share_an_address() {
        assert_ne!(Notify::open().unwrap().address, Notify::open().unwrap().address);
    }
}
