//! How messages and sound get from one to the other, and what time does.

use std::net::SocketAddr;

use sip::framer::Frame;
use sip::message::{self, Message};
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Connection, Link};

use crate::media::control::Channel;
use crate::media::shard::Output as MediaOutput;
use crate::rtcp;
use crate::signalling::kit::NODE;
use crate::signalling::{Input, UserAgent};
use crate::time::Time;

use super::address;
use super::caller::{Caller, State};
use super::guest::Guest;
use super::habits::Access;
use super::hostile::STRANGER;
use super::media::{Fate, Packet};
use super::network::Datagram;
use super::oracle;
use super::proxy::{self, PROXY};
use super::sabotage::Sabotage;
use super::streams::Arrived;
use super::translator::Translator;
use super::world::World;

/// The shortest packet, half of a tick of the node, in milliseconds.
const STEP: u64 = 10;

impl World {
    /// A caller sends a message.
    pub(super) fn send(&mut self, number: usize, text: String) -> Result<(), String> {
        let (access, from) = (self.callers[number].habits.access, self.callers[number].address());
        let method = ["PRACK", "CANCEL", "UPDATE"].into_iter().find(|method| text.starts_with(method));
        method.into_iter().for_each(|method| self.see(method));
        match access {
            Access::Direct => self.send_datagram(from, address(NODE), text),
            Access::Proxied if proxy::forwards(&text) => self.send_datagram(from, address(PROXY), text),
            // The answer to a stranger's call, which has not come this way.
            Access::Proxied => self.send_datagram(from, address(NODE), text),
            Access::Translated => {
                let outside = self.translator.outward(from);
                self.send_datagram(outside, address(NODE), text);
            }
            Access::Connected => {
                self.note(&text);
                let connection = self.connection_of(number)?;
                self.streams.send_to_node(self.now, self.network.quality, connection, text.as_bytes());
            }
        }
        Ok(())
    }

    pub(super) fn send_datagram(&mut self, from: SocketAddr, to: SocketAddr, text: String) {
        self.note(&text);
        self.overhear(&text);
        self.network.send(self.now, Datagram { from, to, text });
    }

    /// The connection that a caller sends over. It opens one if there is none.
    fn connection_of(&mut self, number: usize) -> Result<Connection, String> {
        if let Some(connection) = self.streams.of_caller(number) {
            return Ok(connection);
        }
        let remote = SocketAddr::new(self.callers[number].address().ip(), self.streams.next_port());
        let flow = self.streams.open(number, address(NODE), remote);
        self.act(|agent, now| agent.handle(now, Input::Transport(TransportInput::Accepted(flow))))?;
        match flow.link {
            Link::Connection(_, connection) => Ok(connection),
            Link::Datagrams => Err("a connection is none".into()),
        }
    }

    /// The connections of a caller break, and it opens another one if it waits for something.
    pub(super) fn break_connections(&mut self, number: usize) -> Result<(), String> {
        for connection in self.streams.break_those_of(number) {
            self.see("broken connection");
            let closed = Input::Transport(TransportInput::Closed(connection));
            self.act(|agent, now| agent.handle(now, closed))?;
        }
        self.streams.may_refuse(number);
        for text in self.callers[number].reconnected() {
            self.send(number, text)?;
        }
        Ok(())
    }

    pub(super) fn note(&mut self, text: &str) {
        let fold = |trace: u64, byte: u8| (trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.trace = text.bytes().fold(self.trace.wrapping_add(self.now), fold);
    }

    /// Lets time pass, from event to event.
    pub(super) fn pass(&mut self, length: u64) -> Result<(), String> {
        let end = self.now + length;
        loop {
            let callers = self.callers.iter().filter_map(Caller::next).min();
            let agent = self.agent.next_deadline().map(|at| at.0);
            let next = [callers, agent, self.network.next(), self.streams.next(), self.media.next()];
            let next = next.into_iter().flatten().min().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            while let Some(datagram) = self.network.arrived(self.now) {
                self.deliver(datagram)?;
            }
            while let Some(packet) = self.media.arrived(self.now) {
                self.deliver_sound(&packet)?;
            }
            while let Some(arrived) = self.streams.arrived(self.now) {
                self.take(arrived)?;
            }
            for number in 0..self.callers.len() {
                let sent = self.callers[number].pass_time(self.now);
                sent.into_iter().try_for_each(|text| self.send(number, text))?;
            }
            oracle::no_request_of_a_caller_fails(self)?;
            self.act(UserAgent::pass_time)?;
        }
        self.now = end;
        Ok(())
    }

    fn deliver(&mut self, datagram: Datagram) -> Result<(), String> {
        let Datagram { from, to, text } = datagram;
        if to == address(NODE) {
            if self.sabotage == Sabotage::IgnorePrack && text.starts_with("PRACK ") {
                return Ok(());
            }
            let read = message::datagram(text.as_bytes());
            read.iter().for_each(|message| self.arrives(message));
            let input = TransportInput::Datagram { local: to, remote: from, read };
            return self.act(|agent, now| agent.handle(now, Input::Transport(input)));
        }
        if to == address(PROXY) {
            return if self.now < self.proxy_from { Ok(()) } else { self.forward(&text) };
        }
        let inside = self.translator.inward(to).unwrap_or(to);
        match self.callers.iter().position(|caller| caller.address() == inside) {
            Some(number) => {
                oracle::comes_the_way_of_the_call(self, number, from, &text)?;
                self.receive(number, &text)
            }
            // What a stranger is answered, and what a translator has no binding for any more.
            None => Ok(()),
        }
    }

    /// A message arrives at the node.
    fn arrives(&mut self, message: &Message) {
        self.observed.arrived(message);
        let call_id = match message {
            Message::Request(request) => request.headers().call_id(),
            Message::Response(response) => response.headers().call_id(),
        };
        let is_its = |caller: &&Caller| caller.phone.call_id == call_id;
        let guest = self.callers.iter().find(is_its).and_then(|caller| caller.guest);
        self.has_no_port = guest == Some(Guest::NoPort);
    }

    fn forward(&mut self, text: &str) -> Result<(), String> {
        let (to, text) = proxy::forward(text)?;
        self.send_datagram(address(PROXY), to, text);
        Ok(())
    }

    /// Takes what has arrived over a connection.
    fn take(&mut self, arrived: Arrived) -> Result<(), String> {
        match arrived {
            Arrived::AtNode { connection, frames } => frames.into_iter().try_for_each(|frame| {
                if let Frame::Message(message) = &frame {
                    self.arrives(message);
                }
                let input = TransportInput::Frame { connection, frame };
                self.act(|agent, now| agent.handle(now, Input::Transport(input)))
            }),
            Arrived::AtCaller { caller, messages } => {
                messages.iter().try_for_each(|text| self.receive(caller, text))
            }
        }
    }

    fn receive(&mut self, number: usize, text: &str) -> Result<(), String> {
        for text in self.callers[number].receive(self.now, text) {
            self.send(number, text)?;
        }
        let Caller { state, guest, .. } = self.callers[number];
        if let (State::Over(_), Some(guest)) = (state, guest) {
            self.see(guest.seen());
        }
        oracle::is_ended_by_its_caller(self, number)
    }

    /// Everybody sends sound for so long, and so do strangers.
    pub(super) fn sound(&mut self, length: u64) -> Result<(), String> {
        for step in 0..length / STEP {
            for number in 0..self.callers.len() {
                self.speak(number, step * STEP);
            }
            self.pass(STEP)?;
            if step % 2 == 1 {
                self.tick();
            }
        }
        Ok(())
    }

    /// A caller sends its next packet if it is due.
    fn speak(&mut self, number: usize, since: u64) {
        let caller = &mut self.callers[number];
        let (State::Up, "sendrecv", Some(to)) = (caller.state, caller.direction, caller.node) else { return };
        if !since.is_multiple_of(caller.voice.packet_time) {
            return;
        }
        let (datagram, inside) = (caller.voice.say(), caller.sound());
        let from = match caller.habits.access {
            Access::Translated => self.translator.outward(inside),
            Access::Direct | Access::Proxied | Access::Connected => inside,
        };
        self.forge_sound(number, to, from, &datagram);
        self.send_sound(Packet { from, to, datagram });
    }

    fn send_sound(&mut self, packet: Packet) {
        match self.media.send(self.now, packet) {
            Fate::Lost => self.see("lost sound"),
            Fate::Doubled => self.see("doubled sound"),
            Fate::Arrives => {}
        }
    }

    /// The node mixes once.
    fn tick(&mut self) {
        let mut sent: Vec<Packet> = Vec::new();
        let ports = &self.legs;
        self.shard.tick(Time(self.now), |output| {
            if let MediaOutput::Send { leg, channel, to, datagram } = output {
                let port = ports.get(&leg).map(|port| port.port()).unwrap_or_default();
                let from = SocketAddr::new(address(NODE).ip(), port + u16::from(channel == Channel::Control));
                sent.push(Packet { from, to, datagram: datagram.to_vec() });
            }
        });
        if self.sabotage == Sabotage::SendToStranger {
            sent.first_mut().into_iter().for_each(|packet| packet.to = address(STRANGER));
        }
        sent.into_iter().for_each(|packet| self.send_sound(packet));
    }

    /// A packet of sound arrives, or one of RTCP, which callers do not read.
    fn deliver_sound(&mut self, packet: &Packet) -> Result<(), String> {
        let Packet { from, to, datagram } = packet;
        if to.ip() == address(NODE).ip() {
            self.play_to(*to, Channel::Media, *from, datagram);
            Ok(())
        } else if rtcp::is_rtcp(datagram) {
            oracle::no_report_goes_to_a_stranger(*to)
        } else {
            self.hear(*to, datagram)
        }
    }

    fn hear(&mut self, to: SocketAddr, datagram: &[u8]) -> Result<(), String> {
        let inside = self.translator.inward(to);
        let before = inside.and_then(|inside| self.bound_before.get(&inside));
        if self.sabotage == Sabotage::KeepSource && before.is_some() {
            return Ok(());
        }
        let caller = self.callers.iter_mut().find(|caller| match caller.habits.access {
            Access::Translated => inside == Some(caller.sound()),
            Access::Direct | Access::Proxied | Access::Connected => caller.sound() == to,
        });
        match caller {
            Some(caller) => caller.voice.hear(datagram),
            // Before the source of a call is known, sound goes to where its description says.
            None if Translator::has(to) => {}
            None => return Err(format!("sound goes to {to}, a stranger")),
        }
        Ok(())
    }
}
