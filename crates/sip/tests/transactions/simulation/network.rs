//! A network between two sides that loses, doubles, delays and reorders datagrams, opens connections or not, and
//! breaks them. Everything follows from a seed.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use sip::framer::Framer;
use sip::message;
use sip::transaction::effect::Effect;
use sip::transaction::input::Input;
use sip::transport::flow::{Connection, Flow, Link, Peer};

use crate::kit::{Random, at};

/// How bad the network is, in percent and milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub(super) loss: u64,
    pub(super) doubled: u64,
    /// The longest delay. Below T4, which is how long the RFC expects a message to live.
    pub(super) delay: u64,
    /// How many connections come about.
    pub(super) opened: u64,
    /// How many of them break.
    pub(super) broken: u64,
}

/// What is on its way to a side.
enum Parcel {
    Datagram { from: SocketAddr, bytes: Vec<u8> },
    Bytes { connection: Connection, bytes: Vec<u8> },
    Said(Input),
}

/// No message is lost more often than this in a row. A request that is not INVITE is sent 11 times in 32 s, 4 of them
/// before its user answers at the latest, and each answer follows one that arrives: with more, it may time out though
/// nobody has made a mistake (RFC 4320).
const IN_A_ROW: u32 = 1;

pub(super) struct Network {
    pub(super) random: Random,
    habits: Habits,
    queue: BTreeMap<(u64, u64), (usize, Parcel)>,
    sequence: u64,
    lost: BTreeMap<(usize, Vec<u8>), u32>,
    /// When the last bytes of a connection arrive at a side.
    in_order: BTreeMap<(Connection, usize), u64>,
    framers: BTreeMap<(Connection, usize), Framer>,
    connections: u64,
}

pub(super) fn address(side: usize) -> SocketAddr {
    at(["192.0.2.1:5060", "192.0.2.2:5060"][side])
}

impl Network {
    pub(super) fn new(seed: u64, habits: Habits) -> Self {
        Self {
            random: Random(seed),
            habits,
            queue: BTreeMap::new(),
            sequence: 0,
            lost: BTreeMap::new(),
            in_order: BTreeMap::new(),
            framers: BTreeMap::new(),
            connections: 0,
        }
    }

    /// When the next parcel arrives.
    pub(super) fn next(&self) -> Option<u64> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// The parcels that arrive now, as what their side is described.
    pub(super) fn arrived(&mut self, now: u64) -> Vec<(usize, Input)> {
        let mut inputs = Vec::new();
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= now) {
            let (to, parcel) = entry.remove();
            match parcel {
                Parcel::Said(input) => inputs.push((to, input)),
                Parcel::Datagram { from, bytes } => {
                    let read = message::datagram(&bytes);
                    inputs.push((to, Input::Datagram { local: address(to), remote: from, read }));
                }
                Parcel::Bytes { connection, bytes } => {
                    let framer = self.framers.entry((connection, to)).or_default();
                    framer.push(&bytes);
                    while let Some(frame) = framer.next_frame() {
                        inputs.push((to, Input::Frame { connection, frame }));
                    }
                }
            }
        }
        inputs
    }

    /// Takes what a side has its shell do.
    pub(super) fn carry(&mut self, now: u64, from: usize, effect: Effect) {
        match effect {
            Effect::Send { flow, bytes } | Effect::Refuse { flow, bytes, .. } => match flow.link {
                Link::Datagrams => self.datagram(now, from, &bytes),
                Link::Connection(_, connection) => self.bytes(now, from, connection, bytes.to_vec()),
            },
            Effect::Open { peer, .. } => self.open(now, from, peer),
            Effect::Close(connection) => self.close(now, connection),
            Effect::Notify(_) => panic!("this is for the user"),
        }
    }

    fn put(&mut self, at: u64, to: usize, parcel: Parcel) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), (to, parcel));
    }

    fn datagram(&mut self, now: u64, from: usize, bytes: &[u8]) {
        let lost = self.lost.entry((from, bytes.to_vec())).or_default();
        if *lost < IN_A_ROW && self.random.percent(self.habits.loss) {
            *lost += 1;
            return;
        }
        *lost = 0;
        let copies = if self.random.percent(self.habits.doubled) { 2 } else { 1 };
        for _ in 0..copies {
            let at = now + 1 + self.random.below(self.habits.delay);
            self.put(at, 1 - from, Parcel::Datagram { from: address(from), bytes: bytes.to_vec() });
        }
    }

    fn bytes(&mut self, now: u64, from: usize, connection: Connection, bytes: Vec<u8>) {
        let at = now + 1 + self.random.below(200);
        let last = self.in_order.entry((connection, 1 - from)).or_default();
        *last = at.max(*last);
        let at = *last;
        self.put(at, 1 - from, Parcel::Bytes { connection, bytes });
    }

    fn open(&mut self, now: u64, from: usize, peer: Peer) {
        // Now and then it takes longer than anybody waits.
        let at = now + 1 + self.random.below(3_000);
        if peer.remote != address(1 - from) || !self.random.percent(self.habits.opened) {
            return self.put(at, from, Parcel::Said(Input::NotOpened(peer)));
        }
        self.connections += 1;
        let connection = Connection(self.connections);
        let link = Link::Connection(peer.stream, connection);
        let mut outer = address(from);
        outer.set_port(40_000 + u16::try_from(self.connections).expect("there are not so many"));
        let ours = Flow { link, local: outer, remote: peer.remote };
        let theirs = Flow { link, local: peer.remote, remote: outer };
        self.put(at, 1 - from, Parcel::Said(Input::Accepted(theirs)));
        self.put(at, from, Parcel::Said(Input::Opened { peer, flow: ours }));
        if self.random.percent(self.habits.broken) {
            let end = at + self.random.below(10_000);
            self.close(end, connection);
        }
    }

    fn close(&mut self, at: u64, connection: Connection) {
        for side in [0, 1] {
            self.put(at, side, Parcel::Said(Input::Closed(connection)));
        }
    }
}
