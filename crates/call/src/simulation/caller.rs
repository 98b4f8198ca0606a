//! A caller: its requests, its answers to the node, and its sound. By the text of messages alone.

use std::net::SocketAddr;

use crate::signalling::kit::{Phone, header, response};

use super::guest::Guest;
use super::habits::{Access, Habits};
use super::requests::{Requests, Transport};
use super::voice::Voice;

/// How long a caller waits with its refresh while a request of its own has no response, in milliseconds.
const REFRESH_PAUSE: u64 = 500;

/// How far a call has come, by what its caller knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    Calling,
    Up,
    /// It has hung up, or given up its INVITE.
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

pub(super) struct Caller {
    pub(super) number: usize,
    pub(super) habits: Habits,
    /// Its call has to be refused.
    pub(super) guest: Option<Guest>,
    pub(super) phone: Phone,
    pub(super) state: State,
    pub(super) voice: Voice,
    /// Where the node takes its sound.
    pub(super) node: Option<SocketAddr>,
    /// What it wants: `sendrecv`, `sendonly`, or `inactive`.
    pub(super) direction: &'static str,
    /// When the node has agreed to that, and what it had agreed to before.
    pub(super) agreed: (u64, &'static str),
    /// What should not have happened to a request of it.
    pub(super) fault: Option<String>,
    /// The response that has refused its call.
    pub(super) refusal: String,
    /// The operator has muted it.
    pub(super) is_muted: bool,
    requests: Requests,
    /// Its next 2xx to the INVITE has an offer, so that the ACK has the answer.
    owes_answer: bool,
    /// The ACK for each 2xx by its CSeq.
    acks: Vec<(u32, String)>,
    /// When it refreshes the session.
    refresh: Option<u64>,
}

impl Caller {
    pub(super) fn new(number: usize, habits: Habits) -> Caller {
        let mut phone = Phone::new(&format!("caller{number}"));
        (phone.via, phone.contact) = habits.names(number);
        phone.extra = habits.headers();
        let transport = match habits.access {
            Access::Direct | Access::Proxied | Access::Translated => Transport::Datagrams,
            Access::Connected => Transport::Connection,
        };
        Caller {
            number,
            habits,
            is_muted: false,
            guest: None,
            phone,
            state: State::Idle,
            voice: Voice::new(habits.codec, habits.packet_time, number % 4),
            node: None,
            direction: "sendrecv",
            agreed: (0, "sendrecv"),
            fault: None,
            refusal: String::new(),
            requests: Requests::new(transport),
            owes_answer: habits.late_offer,
            acks: Vec::new(),
            refresh: None,
        }
    }

    /// A caller whose call has to be refused for this. Its INVITE makes an offer, so that it can be.
    pub(super) fn guest(number: usize, habits: Habits, guest: Guest) -> Caller {
        let mut caller = Caller::new(number, Habits { late_offer: false, ..habits });
        caller.phone.target = guest.target().into();
        Caller { guest: Some(guest), ..caller }
    }

    /// Where it is called.
    pub(super) fn address(&self) -> SocketAddr {
        self.habits.address(self.number)
    }

    /// Where it wants its sound.
    pub(super) fn sound(&self) -> SocketAddr {
        self.habits.sound(self.number)
    }

    fn description(&self) -> String {
        let sound = self.sound();
        let payload_type = self.voice.codec.offered_payload_type();
        let unknown = self.guest.and_then(Guest::payload_type);
        let format = if unknown.is_some() { String::new() } else { self.voice.format() };
        let payload_type = unknown.unwrap_or(payload_type);
        format!(
            "v=0\r\no=- 1 {} IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP {}\r\n{}a={}\r\n",
            self.phone.sequence,
            sound.port(),
            payload_type,
            format,
            self.direction,
            ip = sound.ip(),
        )
    }

    /// Whether it is in a call and waits for nothing.
    pub(super) fn is_settled(&self) -> bool {
        self.state == State::Up && self.requests.is_empty()
    }

    pub(super) fn next(&self) -> Option<u64> {
        let refresh = self.refresh.filter(|_| self.state == State::Up);
        self.requests.next().into_iter().chain(refresh).min()
    }

    /// Calls the room.
    pub(super) fn dial(&mut self, now: u64) -> String {
        self.state = State::Calling;
        let body = if self.owes_answer { String::new() } else { self.description() };
        let required = if self.habits.reliable { "Require: 100rel\r\n" } else { "" };
        self.ask(now, "INVITE", &(self.timer() + required), &body)
    }

    /// Gives up its INVITE, when it knows that the node has it (RFC 3261 section 9.1).
    pub(super) fn cancel(&mut self, now: u64) -> Option<String> {
        let invite = self.requests.of("INVITE").filter(|invite| invite.is_heard)?;
        let phone = Phone { sequence: invite.sequence, tag: String::new(), ..self.phone.clone() };
        let text = phone.request("CANCEL", &branch("INVITE", phone.sequence), "");
        self.state = State::Ending;
        self.requests.add(now, "CANCEL", phone.sequence, text.clone());
        Some(text)
    }

    /// Changes the session, unless a request is under way.
    pub(super) fn change(&mut self, now: u64, direction: &'static str) -> Option<String> {
        if !self.is_settled() {
            return None;
        }
        self.direction = direction;
        Some(self.ask(now, "INVITE", &self.timer(), &self.description()))
    }

    /// Refreshes the session.
    pub(super) fn update(&mut self, now: u64) -> Option<String> {
        self.is_settled().then(|| self.ask(now, "UPDATE", &self.timer(), ""))
    }

    pub(super) fn hang_up(&mut self, now: u64) -> Option<String> {
        if !self.is_settled() {
            return None;
        }
        self.state = State::Ending;
        Some(self.ask(now, "BYE", "", ""))
    }

    /// What its requests say about session timers.
    fn timer(&self) -> String {
        let refreshes = "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n";
        if self.habits.refreshes { refreshes.into() } else { String::new() }
    }

    /// Sends a request with the next CSeq.
    fn ask(&mut self, now: u64, method: &'static str, headers: &str, body: &str) -> String {
        let text = self.request(method, self.phone.sequence, headers, body);
        self.requests.add(now, method, self.phone.sequence, text.clone());
        self.phone.sequence += 1;
        text
    }

    fn request(&self, method: &str, sequence: u32, headers: &str, body: &str) -> String {
        let extra = self.phone.extra.clone() + headers;
        let phone = Phone { sequence, extra, ..self.phone.clone() };
        phone.request(method, &branch(method, sequence), body)
    }

    /// Sends what is due.
    pub(super) fn pass_time(&mut self, now: u64) -> Vec<String> {
        let mut sent = self.requests.due(now);
        if let Some(pending) = self.requests.given_up(now) {
            self.fault = Some(format!("its {} is never answered", pending.method));
        }
        if self.state == State::Up && self.refresh.is_some_and(|at| at <= now) {
            self.refresh = Some(now + REFRESH_PAUSE);
            sent.extend(self.update(now));
        }
        sent
    }

    /// Its connection has broken: what it still wants to know goes over another one.
    pub(super) fn reconnected(&mut self) -> Vec<String> {
        self.requests.again()
    }

    /// Takes in a message of the node; returns what it sends then.
    pub(super) fn receive(&mut self, now: u64, text: &str) -> Vec<String> {
        if !text.contains(&format!("Call-ID: {}\r\n", self.phone.call_id)) {
            return Vec::new();
        }
        match text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok()) {
            Some(status) => self.answered(now, status, text),
            None => self.asked(text),
        }
    }

    fn answered(&mut self, now: u64, status: u16, text: &str) -> Vec<String> {
        // What a neighbour has forged may be answered to here.
        let Some((method, sequence)) = self.answered_request(text) else { return Vec::new() };
        if status < 200 {
            return self.provisional(now, method, sequence, text).into_iter().collect();
        }
        let pending = self.requests.answered(method, sequence);
        let is_new = pending.is_some();
        match (method, status) {
            ("INVITE", 200..=299) => return self.accepted(now, sequence, text, is_new),
            ("INVITE", _) => return self.refused(sequence, text, is_new),
            ("BYE", _) if is_new => self.state = State::Over(By::Caller),
            ("UPDATE", 200) if is_new => self.agree_refresh(now, text),
            ("PRACK", 300..) if pending.is_some_and(|prack| !prack.is_sent_again) => {
                let is_wanted = matches!(self.state, State::Calling | State::Up);
                self.fault = is_wanted.then(|| format!("its PRACK is answered {status}"));
            }
            _ => {}
        }
        Vec::new()
    }

    /// The request of this caller that a response answers: its topmost Via has the branch (RFC 3261 section 17.1.3).
    fn answered_request<'t>(&self, text: &'t str) -> Option<(&'t str, u32)> {
        let value = |name| text.lines().find_map(|line: &'t str| line.strip_prefix(name));
        let (sequence, method) = value("CSeq: ")?.split_once(' ')?;
        let sequence = sequence.parse().ok()?;
        let own = branch(if method == "CANCEL" { "INVITE" } else { method }, sequence);
        let own = format!("branch=z9hG4bK{}{own}", self.phone.call_id);
        value("Via: ")?.split(';').any(|part| part == own).then_some((method, sequence))
    }

    /// A provisional response: a reliable one is acknowledged, once (RFC 3262 section 4).
    fn provisional(&mut self, now: u64, method: &str, sequence: u32, text: &str) -> Option<String> {
        let is_first = self.phone.tag.is_empty() && self.requests.of("INVITE").is_some();
        self.requests.heard(method, sequence);
        let rseq = text.lines().find_map(|line| line.strip_prefix("RSeq: ")).filter(|_| is_first)?;
        self.phone.answered(text);
        Some(self.ask(now, "PRACK", &format!("RAck: {rseq} {sequence} INVITE\r\n"), ""))
    }

    fn accepted(&mut self, now: u64, sequence: u32, text: &str, is_new: bool) -> Vec<String> {
        if !is_new {
            return self.acks.iter().filter(|(of, _)| *of == sequence).map(|(_, ack)| ack.clone()).collect();
        }
        self.phone.answered(text);
        let port = text.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        self.node = port.map(|port| SocketAddr::new([192, 0, 2, 1].into(), port));
        let body = if std::mem::take(&mut self.owes_answer) { self.description() } else { String::new() };
        let ack = self.request("ACK", sequence, "", &body);
        self.acks.push((sequence, ack.clone()));
        self.agreed = (now, self.direction);
        self.agree_refresh(now, text);
        match self.state {
            // Its CANCEL has crossed the answer.
            State::Ending => vec![ack, self.ask(now, "BYE", "", "")],
            State::Calling => {
                self.state = State::Up;
                vec![ack]
            }
            State::Idle | State::Up | State::Over(_) => vec![ack],
        }
    }

    /// Reads who refreshes the session (RFC 4028 section 7.2): after half of its interval.
    fn agree_refresh(&mut self, now: u64, text: &str) {
        let (seconds, refresher) = header(text, "Session-Expires").split_once(';').expect("a refresher");
        let interval: u64 = seconds.parse().expect("seconds");
        self.refresh = (refresher == "refresher=uac").then_some(now + interval * 1000 / 2);
    }

    fn refused(&mut self, sequence: u32, text: &str, is_new: bool) -> Vec<String> {
        if is_new {
            self.direction = self.agreed.1;
            match self.state {
                State::Calling => {
                    self.refusal = text.into();
                    self.state = State::Over(By::Refusal);
                }
                State::Ending => self.state = State::Over(By::Caller),
                State::Idle | State::Up | State::Over(_) => {}
            }
        }
        let phone = Phone { sequence, tag: String::new(), ..self.phone.clone() };
        let ack = phone.request("ACK", &branch("INVITE", sequence), "");
        vec![ack.replace("To: <sip:meet@192.0.2.1>\r\n", &format!("To: {}\r\n", header(text, "To")))]
    }

    /// Whether a request of the node is of the call of this caller, by the tag of the node. Strangers may have begun others
    /// with the same Call-ID.
    pub(super) fn is_of_its_call(&self, text: &str) -> bool {
        !self.phone.tag.is_empty() && header(text, "From").ends_with(&self.phone.tag)
    }

    /// A request of the node.
    fn asked(&mut self, text: &str) -> Vec<String> {
        let method = text.split(' ').next().unwrap_or_default();
        match method {
            "BYE" | "INVITE" if !self.is_of_its_call(text) => {
                vec![response(text, "481 Call Does Not Exist", "", "")]
            }
            "BYE" => {
                if !matches!(self.state, State::Over(_)) {
                    self.state = State::Over(if self.state == State::Ending { By::Caller } else { By::Node });
                    self.requests.forget();
                }
                vec![response(text, "200 OK", "", "")]
            }
            "INVITE" if self.requests.of("INVITE").is_some() => {
                vec![response(text, "491 Request Pending", "", "")]
            }
            "INVITE" if self.state == State::Up => {
                let contact = format!("Contact: {}\r\n", self.phone.contact);
                vec![response(text, "200 OK", &contact, &self.description())]
            }
            "INVITE" => vec![response(text, "481 Gone", "", "")],
            _ => Vec::new(),
        }
    }
}

/// The branch of a request. That of a CANCEL, and of the ACK for a refusal, is its INVITE's.
fn branch(method: &str, sequence: u32) -> String {
    let kind = match method {
        "INVITE" => "i",
        "ACK" => "a",
        _ => "n",
    };
    format!("{kind}{sequence}")
}
