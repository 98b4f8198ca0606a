//! The sound of callers and node on its way: packets that get lost, come twice, late, and in another order.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::media::random::Sequence;

/// How bad the way of sound is. Within these bounds everybody must still be heard.
#[derive(Clone, Copy, Debug)]
struct Faults {
    /// So many in a thousand packets are lost.
    lost: u64,
    /// So many come twice.
    doubled: u64,
    /// Each takes up to so long more than the fastest, in milliseconds.
    delay: u64,
}

impl Faults {
    const WORST: Faults = Faults { lost: 30, doubled: 30, delay: 60 };
    /// How long the fastest packet takes.
    const FASTEST: u64 = 5;

    /// A way that is at most as bad as the worst. One in four has no faults.
    fn new(random: &mut Sequence) -> Faults {
        let mut up_to = |most: u64| random.next() % (most + 1);
        let Faults { lost, doubled, delay } = Faults::WORST;
        match up_to(3) {
            0 => Faults { lost: 0, doubled: 0, delay: 0 },
            _ => Faults { lost: up_to(lost), doubled: up_to(doubled), delay: up_to(delay) },
        }
    }
}

/// A packet on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) datagram: Vec<u8>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Lost,
    Arrives,
    Doubled,
}

/// The packets on their way, in the order in which they arrive.
pub(super) struct Media {
    random: Sequence,
    faults: Faults,
    sent: u64,
    under_way: BTreeMap<(u64, u64), Packet>,
}

impl Media {
    pub(super) fn new(seed: u64) -> Media {
        let mut random = Sequence::new(seed);
        let faults = Faults::new(&mut random);
        Media { random, faults, sent: 0, under_way: BTreeMap::new() }
    }

    pub(super) fn send(&mut self, now: u64, packet: Packet) -> Fate {
        let Faults { lost, doubled, delay } = self.faults;
        let fate = match self.random.next() % 1000 {
            number if number < lost => Fate::Lost,
            number if number < lost + doubled => Fate::Doubled,
            _ => Fate::Arrives,
        };
        let copies = match fate {
            Fate::Lost => 0,
            Fate::Arrives => 1,
            Fate::Doubled => 2,
        };
        for _ in 0..copies {
            let at = now + Faults::FASTEST + self.random.next() % (delay + 1);
            self.sent += 1;
            self.under_way.insert((at, self.sent), packet.clone());
        }
        fate
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn arrived(&mut self, now: u64) -> Option<Packet> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }
}
