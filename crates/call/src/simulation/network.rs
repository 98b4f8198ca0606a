//! The network between callers, proxy and node: datagrams that arrive late, twice, or never.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::media::random::Sequence;

/// A datagram on its way.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) text: String,
}

/// How the network treats messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quality {
    /// Every message arrives after 5 ms.
    Fair,
    /// As bad, but after a loss no other datagram of the same call is lost for a while: nobody can say that the network
    /// was to blame for the end of a call.
    Poor,
    /// One in ten is lost, one in twenty comes twice, and each takes up to 300 ms.
    Bad,
}

/// How long a poor network loses nothing of a call after a loss, in milliseconds: until what was lost was sent again, and
/// answered, on a way of four hops.
pub(super) const SPARED: u64 = 8_000;

/// The messages on their way, in the order in which they arrive.
pub(super) struct Network {
    pub(super) quality: Quality,
    random: Sequence,
    sent: u64,
    /// Until when a poor network loses nothing of a call, by its Call-ID.
    spared: BTreeMap<String, u64>,
    under_way: BTreeMap<(u64, u64), Datagram>,
}

impl Network {
    pub(super) fn new(seed: u64) -> Network {
        Network {
            quality: Quality::Bad,
            random: Sequence::new(seed),
            sent: 0,
            spared: BTreeMap::new(),
            under_way: BTreeMap::new(),
        }
    }

    pub(super) fn send(&mut self, now: u64, datagram: Datagram) {
        let (copies, longest) = match self.quality {
            Quality::Fair => (1, 0),
            Quality::Poor | Quality::Bad => match self.random.next() % 20 {
                0 | 1 if self.loses(now, &datagram) => (0, 0),
                2 => (2, 300),
                _ => (1, 300),
            },
        };
        for _ in 0..copies {
            let delay = 5 + if longest == 0 { 0 } else { self.random.next() % longest };
            self.sent += 1;
            self.under_way.insert((now + delay, self.sent), datagram.clone());
        }
    }

    /// Whether a datagram that should be lost is.
    fn loses(&mut self, now: u64, datagram: &Datagram) -> bool {
        let mut lines = datagram.text.lines();
        let call = lines.find_map(|line| line.strip_prefix("Call-ID: ")).unwrap_or_default();
        let is_spared = self.spared.get(call).is_some_and(|until| now < *until);
        if self.quality == Quality::Poor && is_spared {
            return false;
        }
        self.spared.insert(call.to_owned(), now + SPARED);
        true
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn arrived(&mut self, now: u64) -> Option<Datagram> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }
}
