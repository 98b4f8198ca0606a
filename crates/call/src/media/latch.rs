//! Which source address a leg believes: the first that sends it sound (symmetric RTP), so that callers
//! behind address translation are heard, and no later one, so that nobody can take a call over.

use std::net::SocketAddr;
use std::time::Duration;

use crate::time::Time;

/// A leg listens to another source when its own was silent this long: the far end's translated
/// address may change. Long enough that a hijacker cannot win between two packets.
pub(crate) const RELATCH_AFTER: Duration = Duration::from_secs(3);

/// The source a leg believes, and where it sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latch {
    declared: Option<SocketAddr>,
    source: Option<(SocketAddr, Time)>,
    may_move: bool,
}

impl Latch {
    /// A latch on nothing yet; `declared` is what the session description says.
    pub(crate) fn new(declared: Option<SocketAddr>) -> Latch {
        Latch { declared, source: None, may_move: false }
    }

    /// The far end described itself anew: when it names another address, its sound may come from
    /// another source.
    pub(crate) fn declare(&mut self, declared: Option<SocketAddr>) {
        if declared != self.declared {
            self.declared = declared;
            self.may_move = true;
        }
    }

    /// Whether a datagram from `from` is to be believed; remembers the source when it is.
    pub(crate) fn believes(&mut self, now: Time, from: SocketAddr) -> bool {
        let believed = match self.source {
            None => true,
            Some((source, _)) if source == from => true,
            Some((_, heard)) => self.may_move || now.since(heard) >= RELATCH_AFTER,
        };
        if believed {
            self.may_move &= self.source.is_some_and(|(source, _)| source == from);
            self.source = Some((from, now));
        }
        believed
    }

    /// Where sound is sent: to the real source once there is one, else to the declared address.
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        match self.source {
            Some(_) if self.may_move && self.declared.is_some() => self.declared,
            Some((source, _)) => Some(source),
            None => self.declared,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    #[test]
    fn the_first_source_is_believed_and_no_other_while_it_lives() {
        let mut latch = Latch::new(Some(address(1)));
        assert_eq!(latch.target(), Some(address(1)));
        assert!(latch.believes(Time(0), address(2)));
        assert_eq!(latch.target(), Some(address(2)));
        assert!(!latch.believes(Time(1000), address(3)));
        assert!(latch.believes(Time(2000), address(2)));
        assert!(!latch.believes(Time(4999), address(3)));
        assert_eq!(latch.target(), Some(address(2)));
    }

    #[test]
    fn another_source_is_believed_after_a_silence() {
        let mut latch = Latch::new(None);
        assert!(latch.believes(Time(0), address(2)));
        assert!(latch.believes(Time(3000), address(3)));
        assert!(!latch.believes(Time(3001), address(2)));
    }

    #[test]
    fn a_new_description_lets_the_source_move_once() {
        let mut latch = Latch::new(Some(address(1)));
        assert!(latch.believes(Time(0), address(2)));
        latch.declare(Some(address(1)));
        assert!(!latch.believes(Time(1), address(3)), "nothing new was declared");
        latch.declare(Some(address(9)));
        assert_eq!(latch.target(), Some(address(9)));
        assert!(latch.believes(Time(2), address(2)), "its last packets from the old place");
        assert!(latch.believes(Time(3), address(4)));
        assert!(!latch.believes(Time(4), address(2)));
        assert_eq!(latch.target(), Some(address(4)));
    }
}
