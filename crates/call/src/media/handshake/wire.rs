//! What OpenSSL takes for a socket: one datagram in, a few out.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

/// The most datagrams that wait to be sent: those of two flights, with a certificate of our size. What is beyond is lost,
/// as on the network.
const MAX_WAITING: usize = 16;

/// The datagrams of one attempt, each way.
#[derive(Debug, Default)]
pub(super) struct Wire {
    incoming: Option<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Wire {
    /// The datagram that is read next. One before that nobody has read is lost.
    pub(super) fn put(&mut self, datagram: &[u8]) {
        self.incoming = Some(datagram.to_vec());
    }

    /// Moves what is to be sent to `outgoing`.
    pub(super) fn take_outgoing(&mut self, outgoing: &mut VecDeque<Vec<u8>>) {
        let room = MAX_WAITING.saturating_sub(outgoing.len());
        outgoing.extend(self.outgoing.drain(..).take(room));
    }
}

impl Read for Wire {
    /// Reads one datagram; what does not fit is lost.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.take().ok_or(ErrorKind::WouldBlock)?;
        datagram.as_slice().read(buffer)
    }
}

impl Write for Wire {
    /// Each write is a datagram.
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        if self.outgoing.len() < MAX_WAITING {
            self.outgoing.push_back(datagram.to_vec());
        }
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
