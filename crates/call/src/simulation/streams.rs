//! Connections of TCP between callers and the node: what is sent arrives in order and in any portions, until the
//! connection breaks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use sip::framer::{Frame, Framer};
use sip::transport::flow::{Connection, Flow, Link, Stream};

use crate::media::random::Sequence;

use super::network::Quality;

/// The longest portion, in bytes. A message has 300 to 900.
const PORTION: u64 = 500;

/// An open connection.
struct Open {
    caller: usize,
    framer: Framer,
    /// What the caller has received of its next message.
    received: String,
    to_node: VecDeque<(u64, Vec<u8>)>,
    to_caller: VecDeque<(u64, Vec<u8>)>,
}

/// What has arrived over a connection.
pub(super) enum Arrived {
    AtNode { connection: Connection, frames: Vec<Frame> },
    AtCaller { caller: usize, messages: Vec<String> },
}

/// All connections.
pub(super) struct Streams {
    random: Sequence,
    /// The fault that the node cannot put portions together.
    pub(super) forgets_portions: bool,
    last: u64,
    open: BTreeMap<Connection, Open>,
    refusing: BTreeSet<usize>,
}

impl Streams {
    pub(super) fn new(seed: u64) -> Streams {
        Streams {
            random: Sequence::new(seed),
            forgets_portions: false,
            last: 0,
            open: BTreeMap::new(),
            refusing: BTreeSet::new(),
        }
    }

    /// A new connection between a caller and the node. At the side that opens it the port is any.
    pub(super) fn open(&mut self, caller: usize, node: SocketAddr, remote: SocketAddr) -> Flow {
        self.last += 1;
        let connection = Connection(self.last);
        let flow = Flow { link: Link::Connection(Stream::Tcp, connection), local: node, remote };
        let (to_node, to_caller) = (VecDeque::new(), VecDeque::new());
        let (framer, received) = (Framer::new(), String::new());
        self.open.insert(connection, Open { caller, framer, received, to_node, to_caller });
        flow
    }

    /// A port for the side that opens the next connection.
    pub(super) fn next_port(&self) -> u16 {
        30_001 + self.last as u16
    }

    /// The connection that a caller uses: its newest.
    pub(super) fn of_caller(&self, caller: usize) -> Option<Connection> {
        self.open.iter().rev().find(|(_, open)| open.caller == caller).map(|(connection, _)| *connection)
    }

    /// All connections of a caller break, and what was under way is lost. Returns what they were.
    pub(super) fn break_those_of(&mut self, caller: usize) -> Vec<Connection> {
        let broken = self.open.extract_if(.., |_, open| open.caller == caller);
        broken.map(|(connection, _)| connection).collect()
    }

    /// A caller refuses the next connection that the node opens, at times.
    pub(super) fn may_refuse(&mut self, caller: usize) {
        if self.random.next().is_multiple_of(3) {
            self.refusing.insert(caller);
        }
    }

    /// Whether a caller refuses a connection of the node. It does so once.
    pub(super) fn refuses(&mut self, caller: usize) -> bool {
        self.refusing.remove(&caller)
    }

    pub(super) fn send_to_node(&mut self, now: u64, quality: Quality, connection: Connection, bytes: &[u8]) {
        if let Some(open) = self.open.get_mut(&connection) {
            cut(&mut self.random, now, quality, bytes, &mut open.to_node);
        }
    }

    /// What is sent over a connection that has broken is lost.
    pub(super) fn send_to_caller(
        &mut self,
        now: u64,
        quality: Quality,
        connection: Connection,
        bytes: &[u8],
    ) {
        if let Some(open) = self.open.get_mut(&connection) {
            cut(&mut self.random, now, quality, bytes, &mut open.to_caller);
        }
    }

    pub(super) fn next(&self) -> Option<u64> {
        let ways = self.open.values().flat_map(|open| [&open.to_node, &open.to_caller]);
        ways.filter_map(|way| way.front()).map(|(at, _)| *at).min()
    }

    /// The next portion that has arrived by now.
    pub(super) fn arrived(&mut self, now: u64) -> Option<Arrived> {
        let is_due = |way: &VecDeque<(u64, Vec<u8>)>| way.front().is_some_and(|(at, _)| *at <= now);
        let due = self.open.iter_mut().find(|(_, open)| is_due(&open.to_node) || is_due(&open.to_caller));
        let (connection, open) = due?;
        if is_due(&open.to_node) {
            let (_, portion) = open.to_node.pop_front()?;
            if self.forgets_portions {
                open.framer = Framer::new();
            }
            open.framer.push(&portion);
            let frames = std::iter::from_fn(|| open.framer.next_frame()).collect();
            return Some(Arrived::AtNode { connection: *connection, frames });
        }
        let (_, portion) = open.to_caller.pop_front()?;
        open.received += &String::from_utf8_lossy(&portion);
        let messages = std::iter::from_fn(|| message(&mut open.received)).collect();
        Some(Arrived::AtCaller { caller: open.caller, messages })
    }
}

/// Cuts bytes into portions that arrive one after the other, behind those that are under way.
fn cut(
    random: &mut Sequence,
    now: u64,
    quality: Quality,
    mut bytes: &[u8],
    way: &mut VecDeque<(u64, Vec<u8>)>,
) {
    let mut at = way.back().map_or(now + 5, |(at, _)| *at).max(now + 5);
    while !bytes.is_empty() {
        let length = (1 + random.next() % PORTION) as usize;
        let (portion, rest) = bytes.split_at(length.min(bytes.len()));
        way.push_back((at, portion.to_vec()));
        bytes = rest;
        at += match quality {
            Quality::Fair => 1,
            Quality::Poor | Quality::Bad => random.next() % 100,
        };
    }
}

/// Takes the next message from the text that a caller has received, when all of it is there.
fn message(received: &mut String) -> Option<String> {
    let head = received.find("\r\n\r\n")? + 4;
    let length = received[..head].split("Content-Length: ").nth(1)?.split("\r\n").next()?;
    let end = head + length.parse::<usize>().ok()?;
    (received.len() >= end).then(|| received.drain(..end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_arrives_in_order_whatever_its_portions_are() {
        let mut streams = Streams::new(7);
        let (node, caller) = (([192, 0, 2, 1], 5060).into(), ([192, 0, 2, 9], 30_000).into());
        let Link::Connection(_, connection) = streams.open(3, node, caller).link else {
            panic!("it is a connection");
        };
        let sent: Vec<String> = (0..50)
            .map(|n: usize| format!("SIP/2.0 {n}\r\nContent-Length: {n}\r\n\r\n{}", "x".repeat(n)))
            .collect();
        for text in &sent {
            streams.send_to_caller(0, Quality::Bad, connection, text.as_bytes());
        }
        let mut came = Vec::new();
        while let Some(at) = streams.next() {
            if let Some(Arrived::AtCaller { caller: 3, messages }) = streams.arrived(at) {
                came.extend(messages);
            }
        }
        assert_eq!(came, sent);
    }
}
