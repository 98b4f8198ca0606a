//! The network between the callers and the node: datagrams that arrive late, twice, or never.

use std::collections::BTreeMap;

use crate::media::random::Sequence;

/// Who is at an end of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Node,
    Caller(usize),
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) to: End,
    /// The caller at the other end, or none for the stranger.
    pub(super) from: Option<End>,
    pub(super) text: String,
}

/// How the network treats messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habits {
    /// Every message arrives after 5 ms.
    Fair,
    /// One in ten is lost, one in twenty comes twice, and each takes up to 300 ms.
    Bad,
}

/// The messages on their way, in the order in which they arrive.
pub(super) struct Network {
    pub(super) habits: Habits,
    random: Sequence,
    sent: u64,
    under_way: BTreeMap<(u64, u64), Message>,
}

impl Network {
    pub(super) fn new(seed: u64) -> Network {
        Network { habits: Habits::Bad, random: Sequence::new(seed), sent: 0, under_way: BTreeMap::new() }
    }

    pub(super) fn send(&mut self, now: u64, message: Message) {
        let (copies, longest) = match self.habits {
            Habits::Fair => (1, 0),
            Habits::Bad => match self.random.next() % 20 {
                0 | 1 => (0, 0),
                2 => (2, 300),
                _ => (1, 300),
            },
        };
        for _ in 0..copies {
            let delay = 5 + if longest == 0 { 0 } else { self.random.next() % longest };
            self.sent += 1;
            self.under_way.insert((now + delay, self.sent), message.clone());
        }
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.under_way.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn arrived(&mut self, now: u64) -> Option<Message> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }
}
