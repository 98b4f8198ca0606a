//! The world: two nodes, their far ends, the network, and the link between the nodes.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use sip::message;
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::Protocol;
use sip::transport::listeners::{Listener, Listeners};

use crate::admission::Admission;
use crate::audio::Participant;
use crate::handover::giver::{Given, Giver};
use crate::handover::protocol::{FromGiver, FromTaker};
use crate::handover::taker::Taker;
use crate::handover::tests::STREAM;
use crate::media::random::Sequence;
use crate::rooms::{Callers, Room, Rooms};
use crate::settings::Settings;
use crate::signalling::{Handover, Input, Output, UserAgent};
use crate::time::Time;

use super::far_end::{FarEnd, address};

pub(super) const CALLERS: usize = 3;
/// When the conference moves, after all have called.
const MOVE_AT: u64 = 5_000;
/// How long callers hang up and messages get lost.
const UNREST: u64 = 60_000;
/// How long a call lasts that is known to nobody but a node: its silence, and what its BYE waits for.
const SETTLE: u64 = 240_000;
/// How often the node that has a call refreshes its session: a CSeq that both have used is noticed then.
const REFRESH: Duration = Duration::from_secs(60);
/// How long a far end is silent before its node has an input for that.
const SILENCE: u64 = 60_000;

/// What fails in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Nothing,
    /// The connection between the nodes.
    Link,
    /// The node that takes the calls over.
    Taker,
}

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sabotage {
    None,
    /// The first node keeps a leg that it was to hand out.
    KeepLeg,
    /// The first node uses a CSeq again that the other has used.
    ForgetSequence,
    /// The other node does not go on with the sound of a call that it has taken over.
    StaySilent,
}

/// What travels between the nodes.
pub(super) enum Said {
    ByGiver(FromGiver),
    ByTaker(FromTaker),
    /// The connection is closed.
    Closed,
}

pub(super) struct Node {
    pub(super) agent: UserAgent,
    pub(super) is_alive: bool,
    pub(super) giver: Option<Giver>,
    pub(super) taker: Option<Taker>,
    /// The calls whose sound leaves here, since when their far end is silent.
    pub(super) sends: BTreeMap<Participant, u64>,
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) random: Sequence,
    pub(super) failure: Failure,
    pub(super) sabotage: Sabotage,
    pub(super) nodes: [Node; 2],
    pub(super) far_ends: Vec<FarEnd>,
    /// Messages of SIP on their way, with their destination and their source.
    pub(super) under_way: BTreeMap<(u64, u64), (SocketAddr, SocketAddr, String)>,
    /// Messages between the nodes on their way, with the node that they go to.
    pub(super) link: VecDeque<(u64, usize, Said)>,
    pub(super) is_bad: bool,
    pub(super) has_failed: bool,
    pub(super) sent: u64,
    pub(super) given: Vec<Given>,
    /// What the nodes report of calls that are moved.
    pub(super) reports: VecDeque<(usize, Participant, Handover)>,
}

pub(super) fn node(number: usize) -> SocketAddr {
    ([192, 0, 2, [1, 3][number]], 5060).into()
}

impl Node {
    fn new(number: usize) -> Node {
        let address = node(number);
        let listener = Listener { protocol: Protocol::Udp, address, advertised: None };
        let meeting = Room { name: "Meeting".into(), aliases: vec!["meet".into()], callers: Callers::Anyone };
        let rooms = Rooms::new([meeting]);
        let mut settings = Settings::new(address, address.ip());
        settings.session_interval = REFRESH * 2;
        let seed = [number as u8; 32];
        Node {
            agent: UserAgent::new(settings, Listeners(vec![listener]), rooms, Admission::Open, seed),
            is_alive: true,
            giver: None,
            taker: None,
            sends: BTreeMap::new(),
        }
    }
}

impl World {
    pub(super) fn new(seed: u64, sabotage: Sabotage) -> World {
        let mut random = Sequence::new(seed);
        let failures = [Failure::Nothing, Failure::Link, Failure::Taker];
        World {
            now: 0,
            failure: failures[(random.next() % 3) as usize],
            random,
            sabotage,
            nodes: [Node::new(0), Node::new(1)],
            far_ends: (0..CALLERS).map(|number| FarEnd::new(number, node(0))).collect(),
            under_way: BTreeMap::new(),
            link: VecDeque::new(),
            is_bad: false,
            has_failed: false,
            sent: 0,
            given: Vec::new(),
            reports: VecDeque::new(),
        }
    }

    /// Lives the world to its end.
    ///
    /// # Errors
    /// The promise that was broken first.
    pub(super) fn run(&mut self) -> Result<(), String> {
        for number in 0..CALLERS {
            let text = self.far_ends[number].dial();
            self.send(address(number), node(0), text);
        }
        self.pass(MOVE_AT)?;
        self.is_bad = true;
        self.begin();
        let fails_at = self.now + self.random.next() % 2_000;
        let mut hang_up: Vec<u64> =
            (0..CALLERS).map(|_| self.now + self.random.next() % (2 * UNREST)).collect();
        let end = self.now + UNREST;
        while self.now < end {
            let pause = 1 + self.random.next() % 200;
            self.pass(pause)?;
            if self.now >= fails_at && self.failure != Failure::Nothing {
                self.fail();
            }
            let now = self.now;
            for (number, at) in hang_up.iter_mut().enumerate().filter(|(_, at)| **at <= now) {
                *at = u64::MAX;
                self.hang_up(number);
            }
        }
        self.is_bad = false;
        self.pass(SETTLE)?;
        self.every_call_is_at_one_node()?;
        (0..CALLERS).for_each(|number| self.hang_up(number));
        self.pass(SETTLE)?;
        self.nothing_is_left()
    }

    fn hang_up(&mut self, number: usize) {
        let far_end = &mut self.far_ends[number];
        let target = far_end.target;
        if let Some(text) = far_end.hang_up(self.now) {
            self.send(address(number), target, text);
        }
    }

    /// The conference of the first node moves to the second one.
    fn begin(&mut self) {
        let now = Time(self.now);
        let agent = &mut self.nodes[0].agent;
        let calls = agent.calls_in(&"Meeting".into());
        let exported = calls.into_iter().map(|call| (call, agent.export(now, call, Vec::new()))).collect();
        let (giver, steps) = Giver::begin(exported);
        self.nodes[0].giver = Some(giver);
        self.nodes[1].taker = Some(Taker::default());
        self.give(steps);
    }

    /// What fails in this world does, once.
    fn fail(&mut self) {
        let failure = std::mem::replace(&mut self.failure, Failure::Nothing);
        self.has_failed = true;
        self.link.clear();
        self.link.push_back((self.now, 0, Said::Closed));
        if failure == Failure::Taker {
            self.nodes[1] = Node { is_alive: false, ..Node::new(1) };
        } else {
            self.link.push_back((self.now, 1, Said::Closed));
        }
    }

    pub(super) fn say(&mut self, to: usize, said: Said) {
        let last = self.link.back().map_or(0, |(at, _, _)| *at);
        let at = last.max(self.now + self.random.next() % 5);
        self.link.push_back((at, to, said));
    }

    /// Lets time pass, from event to event.
    fn pass(&mut self, length: u64) -> Result<(), String> {
        let end = self.now + length;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.arrive();
            self.hear_of_the_other();
            for number in 0..CALLERS {
                let target = self.far_ends[number].target;
                if let Some(text) = self.far_ends[number].pass_time(self.now) {
                    self.send(address(number), target, text);
                }
            }
            for number in 0..2 {
                self.act(number, |agent, now| ((), agent.pass_time(now)));
                self.note_silence(number);
            }
            self.report();
            self.no_sound_leaves_twice()?;
        }
        self.now = end;
        Ok(())
    }

    fn next(&self) -> Option<u64> {
        let far_ends = self.far_ends.iter().filter_map(FarEnd::next).min();
        let agents =
            self.nodes.iter().filter(|node| node.is_alive).filter_map(|node| node.agent.next_deadline());
        let silence = self.nodes.iter().flat_map(|node| node.sends.values()).map(|since| since + SILENCE);
        let link = self.link.front().map(|(at, _, _)| *at);
        let messages = self.under_way.keys().next().map(|(at, _)| *at);
        [far_ends, link, messages].into_iter().flatten().chain(agents.map(|at| at.0)).chain(silence).min()
    }

    /// The messages of SIP that are due arrive.
    fn arrive(&mut self) {
        while let Some(entry) = self.under_way.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (to, from, text) = entry.remove();
            if let Some(number) = (0..CALLERS).find(|number| address(*number) == to) {
                if let Some(answer) = self.far_ends[number].receive(&text) {
                    self.send(to, from, answer);
                }
            } else if let Some(number) = (0..2).find(|number| node(*number) == to) {
                let read = message::datagram(text.as_bytes());
                let input = TransportInput::Datagram { local: to, remote: from, read };
                self.act(number, |agent, now| ((), agent.handle(now, Input::Transport(input))));
            }
        }
    }

    /// The messages between the nodes that are due arrive.
    fn hear_of_the_other(&mut self) {
        while let Some((_, to, said)) = self.link.pop_front_if(|(at, _, _)| *at <= self.now) {
            match (said, to) {
                (Said::ByGiver(said), _) => {
                    let taker = self.nodes[1].taker.as_mut();
                    let steps = taker.map(|taker| taker.hear(said)).unwrap_or_default();
                    self.take(steps);
                }
                (Said::ByTaker(said), _) => {
                    let giver = self.nodes[0].giver.as_mut();
                    let steps = giver.map(|giver| giver.hear(said)).unwrap_or_default();
                    self.give(steps);
                }
                (Said::Closed, 0) => {
                    let steps = self.nodes[0].giver.as_mut().map(Giver::lose).unwrap_or_default();
                    self.give(steps);
                }
                (Said::Closed, _) => {
                    let steps = self.nodes[1].taker.as_mut().map(Taker::lose).unwrap_or_default();
                    self.take(steps);
                }
            }
        }
    }

    /// What the nodes report of calls that are moved is heard.
    fn report(&mut self) {
        while let Some((number, call, event)) = self.reports.pop_front() {
            if let Some(giver) = self.nodes[number].giver.as_mut() {
                let steps = giver.report(call, &event);
                self.give(steps);
            } else if let Some(taker) = self.nodes[number].taker.as_mut() {
                let steps = taker.report(call, &event);
                self.take(steps);
            }
        }
    }

    /// A far end that has gone to the other node is silent at this one.
    fn note_silence(&mut self, number: usize) {
        let now = self.now;
        let silent: Vec<_> = self.nodes[number]
            .sends
            .iter()
            .filter(|(_, since)| **since + SILENCE <= now)
            .map(|(call, _)| *call)
            .collect();
        for call in silent {
            self.nodes[number].sends.insert(call, now);
            if !self.is_target(number, call) {
                self.act(number, |agent, now| ((), agent.handle(now, Input::Silent(call))));
            }
        }
    }

    /// Whether the far end of a call takes this node for the one that it is connected to.
    fn is_target(&self, number: usize, call: Participant) -> bool {
        let id = self.nodes[number].agent.call_id_of(call);
        let far_end = self.far_ends.iter().find(|far_end| id.as_deref() == Some(&far_end.call_id()));
        far_end.is_some_and(|far_end| far_end.is_up && far_end.target == node(number))
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, text: String) {
        let (copies, longest) = match (self.is_bad, self.random.next() % 20) {
            (false, _) => (1, 1),
            (true, 0 | 1) => (0, 1),
            (true, 2) => (2, 300),
            (true, _) => (1, 300),
        };
        for _ in 0..copies {
            let at = self.now + 5 + self.random.next() % longest;
            self.sent += 1;
            self.under_way.insert((at, self.sent), (to, from, text.clone()));
        }
    }

    pub(super) fn act<T>(
        &mut self,
        number: usize,
        act: impl FnOnce(&mut UserAgent, Time) -> (T, Vec<Output>),
    ) -> T {
        let now = Time(self.now);
        let (result, mut outputs) = act(&mut self.nodes[number].agent, now);
        while !outputs.is_empty() {
            let inputs: Vec<_> = outputs.drain(..).flat_map(|output| self.perform(number, output)).collect();
            let agent = &mut self.nodes[number].agent;
            outputs = inputs.into_iter().flat_map(|input| agent.handle(now, input)).collect();
        }
        result
    }

    fn perform(&mut self, number: usize, output: Output) -> Vec<Input> {
        let now = self.now;
        let this = &mut self.nodes[number];
        match output {
            Output::Send { flow, bytes } if this.is_alive => {
                self.send(node(number), flow.remote, String::from_utf8_lossy(&bytes).into_owned());
            }
            Output::OpenPort { call, .. } => {
                return vec![Input::PortOpened { call, address: SocketAddr::new(node(number).ip(), 40_000) }];
            }
            Output::Start(call) => drop(this.sends.insert(call, now)),
            Output::Release(call) => {
                this.sends.remove(&call);
                return vec![Input::Released(call)];
            }
            Output::HandOut(call) => {
                if self.sabotage != Sabotage::KeepLeg {
                    this.sends.remove(&call);
                }
                return vec![Input::HandedOut { call, stream: STREAM }, Input::Released(call)];
            }
            Output::Handover { call, event } => self.reports.push_back((number, call, event)),
            Output::Resolve(name) => return vec![Input::Resolved { name, addresses: Vec::new() }],
            Output::Connect { peer, .. } => return vec![Input::Transport(TransportInput::NotOpened(peer))],
            Output::Send { .. }
            | Output::Disconnect(_)
            | Output::Join { .. }
            | Output::Change { .. }
            | Output::SetVoice { .. }
            | Output::Refused(_)
            | Output::GoOnReceiving { .. }
            | Output::Resume { .. }
            | Output::Dialled { .. }
            | Output::ProbeOver => {}
        }
        Vec::new()
    }
}
