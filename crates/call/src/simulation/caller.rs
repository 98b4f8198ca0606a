//! A caller: its requests and their repetition, its answers to the node, and its sound. By the text of messages alone.

use std::net::SocketAddr;

use crate::audio::{Codec, FRAME_SAMPLES};
use crate::rtp::Header;
use crate::signalling::kit::{Phone, header, response};

/// T1 and 64 × T1, in milliseconds.
const T1: u64 = 500;
const LIMIT: u64 = 64 * T1;

/// How far a call has come, by what its caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    Calling,
    Up,
    Ending,
    /// It is over, by whom this says.
    Over(By),
}

/// Who has ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Caller,
    Node,
    /// The node has refused it.
    Refusal,
}

/// A request that is repeated until its final response.
struct Pending {
    method: &'static str,
    sequence: u32,
    text: String,
    next: u64,
    pause: u64,
    give_up: u64,
    provisional: bool,
}

pub(super) struct Caller {
    pub(super) number: usize,
    pub(super) phone: Phone,
    pub(super) state: State,
    pub(super) level: i16,
    /// Where the node takes its sound.
    pub(super) node: Option<SocketAddr>,
    /// What it wants: `sendrecv`, `sendonly`, or `inactive`.
    pub(super) direction: &'static str,
    pub(super) heard: Vec<i16>,
    late_offer: bool,
    pending: Vec<Pending>,
    /// The ACK for each 2xx by its CSeq.
    acks: Vec<(u32, String)>,
    sent: u32,
}

impl Caller {
    pub(super) fn new(number: usize, late_offer: bool) -> Caller {
        let mut phone = Phone::new(&format!("caller{number}"));
        let address = address(number);
        phone.contact = format!("<sip:phone@{address}>");
        phone.via = format!("SIP/2.0/UDP {address}");
        Caller {
            number,
            phone,
            state: State::Idle,
            level: 1000 << number,
            node: None,
            direction: "sendrecv",
            heard: Vec::new(),
            late_offer,
            pending: Vec::new(),
            acks: Vec::new(),
            sent: 0,
        }
    }

    fn description(&self) -> String {
        let ip = address(self.number).ip();
        format!(
            "v=0\r\no=- 1 {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\na={}\r\n",
            self.phone.sequence,
            sound(self.number).port(),
            self.direction
        )
    }

    /// Whether it waits for nothing.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.pending.iter().map(|pending| pending.next.min(pending.give_up)).min()
    }

    /// Calls the room.
    pub(super) fn dial(&mut self, now: u64) -> String {
        self.state = State::Calling;
        let body = if self.late_offer { String::new() } else { self.description() };
        let text = self.phone.invite(&body);
        self.ask("INVITE", now, text)
    }

    /// Changes the session, unless a change is under way.
    pub(super) fn change(&mut self, now: u64, direction: &'static str) -> Option<String> {
        if self.state != State::Up || !self.is_settled() {
            return None;
        }
        self.direction = direction;
        let text = self.phone.invite(&self.description());
        Some(self.ask("INVITE", now, text))
    }

    /// Refreshes the session.
    pub(super) fn update(&mut self, now: u64) -> Option<String> {
        if self.state != State::Up || !self.is_settled() {
            return None;
        }
        let text = self.phone.request("UPDATE", &format!("n{}", self.phone.sequence), "");
        Some(self.ask("UPDATE", now, text))
    }

    pub(super) fn hang_up(&mut self, now: u64) -> Option<String> {
        if self.state != State::Up || !self.is_settled() {
            return None;
        }
        self.state = State::Ending;
        let text = self.phone.request("BYE", &format!("n{}", self.phone.sequence), "");
        Some(self.ask("BYE", now, text))
    }

    /// Sends a request with the present CSeq; the next one has the next.
    fn ask(&mut self, method: &'static str, now: u64, text: String) -> String {
        let sequence = self.phone.sequence;
        let (next, give_up) = (now + T1, now + LIMIT);
        self.pending.push(Pending {
            method,
            sequence,
            text: text.clone(),
            next,
            pause: T1,
            give_up,
            provisional: false,
        });
        if method != "INVITE" {
            self.phone.sequence += 1;
        }
        text
    }

    /// Repeats what is due.
    pub(super) fn pass_time(&mut self, now: u64) -> Vec<String> {
        let mut sent = Vec::new();
        for pending in &mut self.pending {
            if pending.next <= now {
                pending.pause = (pending.pause * 2).min(8 * T1);
                pending.next = now + pending.pause;
                sent.extend((!pending.provisional).then(|| pending.text.clone()));
            }
        }
        let given_up: Vec<_> = self.pending.extract_if(.., |pending| pending.give_up <= now).collect();
        for pending in given_up {
            match pending.method {
                // RFC 3261 section 8.1.3.1: a timeout counts as 408, which ends the dialog.
                "INVITE" if self.state == State::Calling => self.state = State::Over(By::Refusal),
                "BYE" => self.state = State::Over(By::Caller),
                _ => {}
            }
        }
        sent
    }

    /// Takes in a message of the node; returns what it sends then.
    pub(super) fn receive(&mut self, text: &str) -> Vec<String> {
        if !text.contains(&format!("Call-ID: {}\r\n", self.phone.call_id)) {
            return Vec::new();
        }
        match text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok()) {
            Some(status) => self.answered(status, text),
            None => self.asked(text),
        }
    }

    fn answered(&mut self, status: u16, text: &str) -> Vec<String> {
        let mut cseq = header(text, "CSeq").split(' ');
        let sequence: u32 = cseq.next().and_then(|number| number.parse().ok()).expect("a number");
        let method = cseq.next().expect("a method");
        let place = self.pending.iter().position(|p| p.sequence == sequence && p.method == method);
        if status < 200 {
            place.into_iter().for_each(|place| self.pending[place].provisional = true);
            return Vec::new();
        }
        let is_new = place.map(|place| self.pending.remove(place)).is_some();
        match (method, status) {
            ("INVITE", 200..=299) => self.accepted(sequence, text, is_new),
            ("INVITE", _) => self.refused(sequence, text, is_new),
            ("BYE", _) if is_new => {
                self.state = State::Over(By::Caller);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn accepted(&mut self, sequence: u32, text: &str, is_new: bool) -> Vec<String> {
        if !is_new {
            return self.acks.iter().filter(|(of, _)| *of == sequence).map(|(_, ack)| ack.clone()).collect();
        }
        if self.state == State::Calling {
            self.phone.answered(text);
            self.state = State::Up;
        }
        let port = text.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        self.node = port.map(|port| SocketAddr::new([192, 0, 2, 1].into(), port));
        let offered = std::mem::take(&mut self.late_offer);
        let body = if offered { self.description() } else { String::new() };
        let ack = self.phone.ack(&body);
        self.acks.push((sequence, ack.clone()));
        vec![ack]
    }

    fn refused(&mut self, sequence: u32, text: &str, is_new: bool) -> Vec<String> {
        if is_new {
            self.phone.sequence = sequence + 1;
            if self.state == State::Calling {
                self.state = State::Over(By::Refusal);
            }
        }
        let to = header(text, "To");
        let ack = Phone { sequence, tag: String::new(), ..self.phone.clone() };
        let ack = ack.request("ACK", &format!("i{sequence}"), "");
        vec![ack.replace("To: <sip:meet@192.0.2.1>\r\n", &format!("To: {to}\r\n"))]
    }

    /// A request of the node.
    fn asked(&mut self, text: &str) -> Vec<String> {
        let method = text.split(' ').next().unwrap_or_default();
        match method {
            "BYE" => {
                if !matches!(self.state, State::Over(_)) {
                    self.state = State::Over(if self.state == State::Ending { By::Caller } else { By::Node });
                    self.pending.clear();
                }
                vec![response(text, "200 OK", "", "")]
            }
            "INVITE" if self.state == State::Up => {
                let contact = format!("Contact: {}\r\n", self.phone.contact);
                vec![response(text, "200 OK", &contact, &self.description())]
            }
            "INVITE" => vec![response(text, "481 Gone", "", "")],
            _ => Vec::new(),
        }
    }

    /// The next packet of its sound.
    pub(super) fn say(&mut self) -> Vec<u8> {
        let (mut payload, mut datagram) = (Vec::new(), Vec::new());
        Codec::Pcmu.encode(&[self.level; FRAME_SAMPLES], &mut payload);
        let header = Header {
            payload_type: 0,
            marker: false,
            sequence: self.sent as u16,
            timestamp: self.sent * FRAME_SAMPLES as u32,
            ssrc: self.number as u32 + 1,
        };
        self.sent += 1;
        header.write(&payload, &mut datagram);
        datagram
    }

    /// Takes in sound of the node.
    pub(super) fn hear(&mut self, datagram: &[u8]) {
        let Some((_, payload)) = Header::parse(datagram) else { return };
        let mut samples = Vec::new();
        Codec::Pcmu.decode(payload, &mut samples);
        self.heard.extend(samples.first());
    }
}

/// Where a caller is called.
pub(super) fn address(number: usize) -> SocketAddr {
    ([192, 0, 2, 10 + number as u8], 5062).into()
}

/// Where a caller wants its sound.
pub(super) fn sound(number: usize) -> SocketAddr {
    ([192, 0, 2, 10 + number as u8], 4000).into()
}
