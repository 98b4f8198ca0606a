//! Strangers: what they send to the node without a tag, a branch or a stream that is a caller's. They know its Call-ID,
//! its addresses and the ports of its sound, and hear what passes.

use std::net::SocketAddr;

use crate::media::control::Channel;
use crate::media::random::Sequence;
use crate::media::shard::Input as MediaInput;
use crate::signalling::kit::{NODE, Phone, SDP, response};
use crate::time::Time;

use super::address;
use super::habits::Access;
use super::sabotage::Sabotage;
use super::voice::{STRANGE, Voice};
use super::world::World;

/// Who forges.
pub(super) const STRANGER: &str = "203.0.113.66:6666";
/// The INVITEs that a stranger sends at once: more than its address may, and than there may be calls.
const BURST: usize = 60;
/// The messages that a stranger keeps in mind.
const OVERHEARD: usize = 32;
/// How far the port of a neighbour is from that of the caller whose address it shares.
const NEIGHBOUR: u16 = 1_000;
/// One in so many packets of a caller is followed by RTCP and garbage.
const GARBAGE_EVERY: u64 = 10;
/// The most characters of garbage.
const GARBAGE: u64 = 600;

impl World {
    /// Keeps in mind a message that passes.
    pub(super) fn overhear(&mut self, text: &str) {
        self.overheard.push_back(text.to_owned());
        if self.overheard.len() > OVERHEARD {
            self.overheard.pop_front();
        }
    }

    /// A stranger, or one who shares the address of a caller, sends what that caller could have sent.
    pub(super) fn forge(&mut self, number: usize) {
        let text = match self.random.next() % 8 {
            0 => garbage(&mut self.random),
            1..=3 => self.copied(),
            _ => self.forged(number),
        };
        self.see("forged message");
        let from = if self.random.next().is_multiple_of(2) { address(STRANGER) } else { self.beside(number) };
        self.send_datagram(from, address(NODE), text);
    }

    /// Where one sends from who shares the address of a caller.
    fn beside(&mut self, number: usize) -> SocketAddr {
        let (access, inside) = (self.callers[number].habits.access, self.callers[number].address());
        let caller = match access {
            Access::Translated => self.translator.outward(inside),
            Access::Direct | Access::Proxied | Access::Connected => inside,
        };
        SocketAddr::new(caller.ip(), caller.port() + NEIGHBOUR)
    }

    /// A message of a caller's call, whose tag and branch are guessed.
    fn forged(&mut self, number: usize) -> String {
        let caller = &self.callers[number];
        let mut phone = caller.phone.clone();
        phone.sequence += 100;
        let branch = format!("forged{}", self.random.next());
        let tag = std::mem::replace(&mut phone.tag, ";tag=guessed".into());
        match self.random.next() % 7 {
            0 => Phone { tag: String::new(), ..phone }.request("INVITE", &branch, SDP),
            1 => Phone { tag: String::new(), ..phone }.request("CANCEL", &branch, ""),
            2 => phone.request("INVITE", &branch, SDP),
            3 => phone.request("ACK", &branch, SDP),
            4 => response(&phone.request("INVITE", &branch, ""), "200 OK", "", SDP),
            5 => response(&phone.request("BYE", &branch, ""), "481 Gone", "", ""),
            _ if self.sabotage == Sabotage::TrustBye => Phone { tag, ..phone }.request("BYE", &branch, ""),
            _ => phone.request("BYE", &branch, ""),
        }
    }

    /// A message that has passed, with other tags and branches, and some characters that are wrong.
    fn copied(&mut self) -> String {
        let place = self.random.next() as usize % self.overheard.len().max(1);
        let text = self.overheard.get(place).cloned().unwrap_or_default();
        let lines = text.split_inclusive("\r\n").filter(|line| !line.starts_with("Record-Route"));
        let text: String = lines.collect();
        let other = format!("{:x}", self.random.next());
        let text =
            text.replace("tag=", &format!("tag={other}")).replace("z9hG4bK", &format!("z9hG4bK{other}"));
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..self.random.next() % 4 {
            let place = self.random.next() as usize % characters.len().max(1);
            let wrong = wrong(&mut self.random);
            characters.get_mut(place).into_iter().for_each(|character| *character = wrong);
        }
        characters.into_iter().collect()
    }

    /// A stranger begins calls as fast as it can.
    pub(super) fn burst(&mut self) {
        for number in 0..BURST {
            let mut phone = Phone::new(&format!("burst{number}"));
            phone.via = format!("SIP/2.0/UDP {STRANGER}");
            phone.contact = format!("<sip:phone@{STRANGER}>");
            self.send_datagram(address(STRANGER), address(NODE), phone.invite(SDP));
        }
    }

    /// What arrives at the port of a caller beside its packet: the same packet from a stranger, and what one sends who
    /// shares its address.
    pub(super) fn forge_sound(&mut self, number: usize, port: SocketAddr, from: SocketAddr, packet: &[u8]) {
        let neighbour = SocketAddr::new(from.ip(), from.port() + NEIGHBOUR);
        self.play_to(port, Channel::Media, address(STRANGER), packet);
        if self.now < self.forged_from {
            return;
        }
        let from_neighbour = if self.sabotage == Sabotage::HearNeighbour { from } else { neighbour };
        let sound = self.loud(number);
        self.play_to(port, Channel::Media, from_neighbour, &sound);
        if self.random.next().is_multiple_of(GARBAGE_EVERY) {
            let (ssrc, garbage) = (self.callers[number].voice.ssrc(), garbage(&mut self.random));
            let report = self.wild_report(ssrc);
            for from in [address(STRANGER), neighbour] {
                self.play_to(port, Channel::Control, from, &report);
                self.play_to(port, Channel::Media, from, &report);
                self.play_to(port, Channel::Media, from, garbage.as_bytes());
            }
        }
    }

    /// A packet of a stream of its own, in the codec of a caller.
    fn loud(&mut self, number: usize) -> Vec<u8> {
        let (random, voice) = (self.random.next(), &self.callers[number].voice);
        let strange = Voice::new(voice.codec, voice.packet_time, STRANGE);
        strange.at(random as u16, (random >> 16) as u32).say()
    }

    /// A sender report of a stream with any values, and its BYE (RFC 3550 sections 6.4.1 and 6.6).
    fn wild_report(&mut self, ssrc: u32) -> Vec<u8> {
        let mut report = vec![0x81, 200, 0, 12];
        report.extend(ssrc.to_be_bytes());
        for _ in 0..11 {
            report.extend((self.random.next() as u32).to_be_bytes());
        }
        report.extend([0x81, 203, 0, 1]);
        report.extend(ssrc.to_be_bytes());
        report
    }

    /// A packet arrives at a port of the node.
    pub(super) fn play_to(&mut self, port: SocketAddr, channel: Channel, from: SocketAddr, datagram: &[u8]) {
        let leg = self.legs.iter().find(|(_, address)| **address == port).map(|(leg, _)| *leg);
        if let Some(leg) = leg {
            let input = MediaInput::Datagram { leg, channel, from, datagram };
            self.shard.handle(Time(self.now), input);
        }
    }
}

/// Characters of any kind, some of which SIP knows.
fn garbage(random: &mut Sequence) -> String {
    (0..random.next() % GARBAGE).map(|_| wrong(random)).collect()
}

/// Any character.
fn wrong(random: &mut Sequence) -> char {
    let common = ['\r', '\n', ' ', ':', ';', '<', '>', '@', '"', ',', '0', '\0'];
    let number = random.next();
    match number % 3 {
        0 => common[(number >> 8) as usize % common.len()],
        _ => char::from((number >> 8) as u8),
    }
}
