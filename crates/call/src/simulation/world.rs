//! The world: a node, its callers, a stranger, and time.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sip::message;
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::Protocol;
use sip::transport::listeners::{Listener, Listeners};

use crate::admission::{Admission, Closed};
use crate::audio::Participant;
use crate::media::control::Channel;
use crate::media::random::Sequence;
use crate::media::shard::{Input as MediaInput, LegId, Output as MediaOutput, Shard};
use crate::rooms::{Callers, Room, Rooms};
use crate::settings::{Settings, SourceRate};
use crate::signalling::{Input, Output, UserAgent};
use crate::time::Time;

use super::caller::{Caller, State, address, sound};
use super::network::{End, Habits, Message, Network};
use super::oracle;

const NODE: &str = "192.0.2.1:5060";
/// Who forges.
const STRANGER: &str = "203.0.113.66:6666";
const CALLERS: usize = 4;
/// How long callers do something at random, over a bad network.
const UNREST: u64 = 20_000;
/// How long all that is under way takes to end over a fair network.
const SETTLE: u64 = 40_000;
/// How long sound flows, and how much of it is judged.
const SOUND: u64 = 2_000;

/// A fault of the node that the oracle must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sabotage {
    None,
    /// A leg stays in its conference after its call.
    KeepLegs,
    /// A call that is confirmed sends no sound.
    LoseStart,
    /// A caller's sound is mixed in under another name, so that it hears itself.
    MixOwnSound,
    /// A stranger gets the sound of a call.
    SendToStranger,
    /// Maintenance mode ends calls.
    HangUpInMaintenance,
    /// The count of calls stays at none.
    CountNothing,
}

pub(super) struct World {
    pub(super) now: u64,
    pub(super) agent: UserAgent,
    pub(super) callers: Vec<Caller>,
    /// Everything that was sent over the network, as one number.
    pub(super) trace: u64,
    sabotage: Sabotage,
    random: Sequence,
    network: Network,
    shard: Shard,
    /// The legs in the conference, and the port that each has.
    pub(super) legs: BTreeMap<LegId, SocketAddr>,
    ports: BTreeMap<Participant, SocketAddr>,
    last_port: u16,
}

impl World {
    pub(super) fn new(seed: u64, sabotage: Sabotage) -> World {
        let node: SocketAddr = NODE.parse().expect("an address");
        let mut settings = Settings::new(node, node.ip());
        settings.source_rate =
            SourceRate { admitted: 1000, burst: 1000, answered: 1000, ..SourceRate::default() };
        let listeners =
            Listeners(vec![Listener { protocol: Protocol::Udp, address: node, advertised: None }]);
        let rooms = Rooms::new([Room {
            name: "Meeting".into(),
            aliases: vec!["meet".into()],
            callers: Callers::Anyone,
        }]);
        let mut random = Sequence::new(seed);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&random.next().to_be_bytes());
        let agent = UserAgent::new(settings.clone(), listeners, rooms, Admission::Open, bytes);
        World {
            now: 1000,
            agent,
            callers: (0..CALLERS)
                .map(|number| Caller::new(number, random.next().is_multiple_of(3)))
                .collect(),
            trace: 0,
            sabotage,
            network: Network::new(random.next()),
            random,
            shard: Shard::new(settings.media_timeout, "node".into()),
            legs: BTreeMap::new(),
            ports: BTreeMap::new(),
            last_port: 40_000,
        }
    }

    /// How many calls were confirmed.
    pub(super) fn carried(&self) -> u64 {
        self.agent.stats().carried
    }

    /// Lives the world to its end.
    ///
    /// # Errors
    /// The promise that was broken first.
    pub(super) fn run(&mut self) -> Result<(), String> {
        self.unrest()?;
        self.calm(SETTLE)?;
        for number in 0..CALLERS {
            if let Some(text) = self.callers[number].change(self.now, "sendrecv") {
                self.send(number, text);
            }
        }
        self.calm(1000)?;
        self.play()?;
        self.maintain()?;
        for number in 0..CALLERS {
            if let Some(text) = self.callers[number].hang_up(self.now) {
                self.send(number, text);
            }
        }
        self.calm(200_000)?;
        oracle::is_empty(self)
    }

    /// Callers call, change, refresh and hang up at random.
    fn unrest(&mut self) -> Result<(), String> {
        self.network.habits = Habits::Bad;
        let end = self.now + UNREST;
        while self.now < end {
            let pause = 1 + self.random.next() % 1500;
            self.pass(pause)?;
            let number = (self.random.next() % CALLERS as u64) as usize;
            let (choice, now) = (self.random.next() % 8, self.now);
            let caller = &mut self.callers[number];
            let text = match (caller.state, choice) {
                (State::Idle, _) => Some(caller.dial(now)),
                (_, 0) => caller.change(now, "sendonly"),
                (_, 1) => caller.change(now, "inactive"),
                (_, 2 | 3) => caller.change(now, "sendrecv"),
                (_, 4) => caller.update(now),
                (_, 5) => caller.hang_up(now),
                _ => None,
            };
            match text {
                Some(text) => self.send(number, text),
                None => self.forge(number),
            }
        }
        Ok(())
    }

    /// The stranger sends what a caller could have sent, without its tags.
    fn forge(&mut self, number: usize) {
        let caller = &self.callers[number];
        let mut phone = caller.phone.clone();
        phone.tag = ";tag=guessed".into();
        phone.sequence += 100;
        let text = phone.request("BYE", &format!("forged{}", self.now), "");
        self.network.send(self.now, Message { to: End::Node, from: None, text });
    }

    /// Lets time pass over a fair network.
    fn calm(&mut self, length: u64) -> Result<(), String> {
        self.network.habits = Habits::Fair;
        self.pass(length)
    }

    /// Everybody sends sound, and so does the stranger; then what was heard is judged.
    fn play(&mut self) -> Result<(), String> {
        self.callers.iter_mut().for_each(|caller| caller.heard.clear());
        let stranger: SocketAddr = STRANGER.parse().expect("an address");
        for _ in 0..SOUND / 20 {
            for number in 0..CALLERS {
                let caller = &mut self.callers[number];
                if let (State::Up, "sendrecv", Some(node)) = (caller.state, caller.direction, caller.node) {
                    let datagram = caller.say();
                    self.play_to(node, sound(number), &datagram);
                    self.play_to(node, stranger, &datagram);
                }
            }
            self.pass(20)?;
            self.tick()?;
        }
        oracle::everyone_hears_everyone_else(self)
    }

    fn play_to(&mut self, port: SocketAddr, from: SocketAddr, datagram: &[u8]) {
        let leg = self.legs.iter().find(|(_, address)| **address == port).map(|(leg, _)| *leg);
        if let Some(leg) = leg {
            let input = MediaInput::Datagram { leg, channel: Channel::Media, from, datagram };
            self.shard.handle(Time(self.now), input);
        }
    }

    fn tick(&mut self) -> Result<(), String> {
        let mut sent: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
        self.shard.tick(Time(self.now), |output| {
            if let MediaOutput::Send { channel: Channel::Media, to, datagram, .. } = output {
                sent.push((to, datagram.to_vec()));
            }
        });
        if self.sabotage == Sabotage::SendToStranger {
            sent.first_mut().into_iter().for_each(|(to, _)| *to = STRANGER.parse().expect("an address"));
        }
        for (to, datagram) in sent {
            let caller = self.callers.iter_mut().find(|caller| sound(caller.number) == to);
            let caller = caller.ok_or(format!("sound goes to {to}, a stranger"))?;
            caller.hear(&datagram);
        }
        Ok(())
    }

    /// Maintenance mode begins: calls go on, and nobody new is admitted.
    fn maintain(&mut self) -> Result<(), String> {
        let up = |world: &World| world.callers.iter().filter(|caller| caller.state == State::Up).count();
        let before = up(self);
        self.agent.set_admission(Admission::Closed(Closed::maintenance_mode()));
        if self.sabotage == Sabotage::HangUpInMaintenance {
            self.act(UserAgent::shut_down)?;
        }
        self.calm(30_000)?;
        if up(self) == before {
            Ok(())
        } else {
            Err("calls were ended by the node in maintenance mode".into())
        }
    }

    fn send(&mut self, number: usize, text: String) {
        self.note(&text);
        let from = Some(End::Caller(number));
        self.network.send(self.now, Message { to: End::Node, from, text });
    }

    fn note(&mut self, text: &str) {
        let fold = |trace: u64, byte: u8| (trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.trace = text.bytes().fold(self.trace.wrapping_add(self.now), fold);
    }

    /// Lets time pass, from event to event.
    fn pass(&mut self, length: u64) -> Result<(), String> {
        let end = self.now + length;
        loop {
            let callers = self.callers.iter().filter_map(Caller::next).min();
            let agent = self.agent.next_deadline().map(|at| at.0);
            let next = [callers, agent, self.network.next()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            while let Some(message) = self.network.arrived(self.now) {
                self.deliver(&message)?;
            }
            for number in 0..CALLERS {
                for text in self.callers[number].pass_time(self.now) {
                    self.send(number, text);
                }
            }
            self.act(UserAgent::pass_time)?;
        }
        self.now = end;
        Ok(())
    }

    fn deliver(&mut self, message: &Message) -> Result<(), String> {
        match message.to {
            End::Caller(number) => {
                for text in self.callers[number].receive(&message.text) {
                    self.send(number, text);
                }
                oracle::is_ended_by_its_caller(self, number)
            }
            End::Node => {
                let from = match message.from {
                    Some(End::Caller(number)) => address(number),
                    Some(End::Node) | None => STRANGER.parse().expect("an address"),
                };
                let read = message::datagram(message.text.as_bytes());
                let local = NODE.parse().expect("an address");
                let input = TransportInput::Datagram { local, remote: from, read };
                self.act(|agent, now| agent.handle(now, Input::Transport(input)))
            }
        }
    }

    fn act(&mut self, act: impl FnOnce(&mut UserAgent, Time) -> Vec<Output>) -> Result<(), String> {
        let mut outputs = act(&mut self.agent, Time(self.now));
        while !outputs.is_empty() {
            let inputs: Vec<_> = outputs.drain(..).filter_map(|output| self.perform(output)).collect();
            let now = Time(self.now);
            outputs = inputs.into_iter().flat_map(|input| self.agent.handle(now, input)).collect();
        }
        oracle::count_is_the_truth(self)
    }

    /// The calls that the node counts.
    pub(super) fn counted(&self) -> usize {
        if self.sabotage == Sabotage::CountNothing { 0 } else { self.agent.counted().0 as usize }
    }

    fn perform(&mut self, output: Output) -> Option<Input> {
        let now = Time(self.now);
        match output {
            Output::Send { flow, bytes } => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.note(&text);
                let number = (0..CALLERS).find(|number| address(*number) == flow.remote)?;
                let from = Some(End::Node);
                self.network.send(self.now, Message { to: End::Caller(number), from, text });
                None
            }
            Output::OpenPort { call, .. } => {
                self.last_port += 2;
                let port = SocketAddr::new([192, 0, 2, 1].into(), self.last_port);
                self.ports.insert(call, port);
                Some(Input::PortOpened { call, address: port })
            }
            Output::Join { call, room, plan, outgoing } => {
                let leg = LegId(call.0);
                self.legs.extend(self.ports.get(&call).map(|port| (leg, *port)));
                let participant = if self.sabotage == Sabotage::MixOwnSound { Participant(0) } else { call };
                self.shard.handle(now, MediaInput::Join { leg, room, participant, plan, outgoing });
                None
            }
            Output::Start(call) => {
                if self.sabotage != Sabotage::LoseStart {
                    self.shard.handle(now, MediaInput::Start { leg: LegId(call.0) });
                }
                None
            }
            Output::Change { call, plan } => {
                self.shard.handle(now, MediaInput::Change { leg: LegId(call.0), plan });
                None
            }
            Output::Release(call) => {
                self.ports.remove(&call);
                if self.sabotage != Sabotage::KeepLegs {
                    self.legs.remove(&LegId(call.0));
                    self.shard.handle(now, MediaInput::Leave { leg: LegId(call.0) });
                }
                Some(Input::Released(call))
            }
            Output::Resolve(name) => Some(Input::Resolved { name, addresses: Vec::new() }),
            Output::Connect { peer, .. } => Some(Input::Transport(TransportInput::NotOpened(peer))),
            // No call of this world is moved.
            Output::HandOut(_) | Output::Resume { .. } | Output::Handover { .. } => None,
            Output::Disconnect(_) | Output::Dialled { .. } | Output::ProbeOver => None,
        }
    }
}
