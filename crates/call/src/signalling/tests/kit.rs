//! A user agent in a world of values: its far end is text, its media ports are always open.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sip::message;
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Connection, Flow, Link, Peer, Protocol, Stream};
use sip::transport::listeners::{Listener, Listeners};

use crate::admission::Admission;
use crate::audio::Participant;
use crate::calls::Stats;
use crate::media::handshake::NoKeys;
use crate::rooms::{Callers, Room, Rooms};
use crate::settings::Settings;
use crate::time::Time;

use super::super::{Handover, Input, NoPort, Output, RefusedCall, UserAgent};

pub(crate) const NODE: &str = "192.0.2.1:5060";
pub(crate) const PHONE: &str = "192.0.2.2:5062";

pub(crate) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
                              m=audio 4000 RTP/AVP 0\r\n";

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// What becomes of a media port.
#[derive(Clone, Debug)]
pub(crate) enum Ports {
    Open,
    None(NoPort),
    /// Their outcome is not known yet.
    Pending,
}

/// Where the stream of every leg has come to.
pub(crate) use crate::handover::tests::STREAM;

pub(crate) struct World {
    pub(crate) agent: UserAgent,
    pub(crate) now: Time,
    pub(crate) ports: Ports,
    /// What was sent, with the address it went to, in order.
    pub(crate) sent: Vec<(Flow, String)>,
    /// Everything else that was to be done.
    pub(crate) done: Vec<String>,
    pub(crate) opening: Vec<Peer>,
    /// What was reported of calls that are moved.
    pub(crate) reports: Vec<Handover>,
    /// What was reported of refused calls.
    pub(crate) refused: Vec<RefusedCall>,
    pub(crate) sip: SocketAddr,
    /// What DNS knows.
    pub(crate) names: BTreeMap<String, IpAddr>,
}

pub(crate) fn settings() -> Settings {
    let node = address(NODE);
    let mut settings = Settings::new(node, node.ip());
    settings.media_timeout = Duration::from_secs(60);
    settings
}

impl World {
    pub(crate) fn new() -> World {
        World::with(settings())
    }

    pub(crate) fn with(settings: Settings) -> World {
        let here = settings.sip.to_string();
        World::listening(settings, &[(Protocol::Udp, &here), (Protocol::TCP, &here)])
    }

    /// A world whose node listens there.
    pub(crate) fn listening(settings: Settings, listeners: &[(Protocol, &str)]) -> World {
        let one = |&(protocol, at): &(Protocol, &str)| Listener {
            protocol,
            address: address(at),
            advertised: None,
        };
        let listeners = Listeners(listeners.iter().map(one).collect());
        let room = |name: &str, alias: &str, callers| Room {
            name: name.into(),
            aliases: vec![alias.into()],
            callers,
        };
        let rooms = Rooms::new([
            room("Meeting", "meet", Callers::Anyone),
            room("Number", "8000", Callers::Anyone),
            room("Odd", "team room", Callers::Anyone),
            room("Board", "board", Callers::Accounts),
        ]);
        let sip = settings.sip;
        let agent = UserAgent::new(settings, listeners, rooms, Admission::Open, [1; 32]);
        World {
            agent,
            now: Time(1000),
            ports: Ports::Open,
            sent: Vec::new(),
            done: Vec::new(),
            opening: Vec::new(),
            reports: Vec::new(),
            refused: Vec::new(),
            sip,
            names: BTreeMap::new(),
        }
    }

    pub(crate) fn act(&mut self, act: impl FnOnce(&mut UserAgent, Time) -> Vec<Output>) {
        let mut outputs = act(&mut self.agent, self.now);
        while !outputs.is_empty() {
            let inputs: Vec<_> = outputs.drain(..).flat_map(|output| self.perform(output)).collect();
            outputs = inputs.into_iter().flat_map(|input| self.agent.handle(self.now, input)).collect();
        }
    }

    fn perform(&mut self, output: Output) -> Vec<Input> {
        match output {
            Output::Send { flow, bytes } => {
                self.sent.push((flow, String::from_utf8_lossy(&bytes).into_owned()));
                Vec::new()
            }
            Output::OpenPort { call, at, .. } => match &self.ports {
                Ports::Open => vec![Input::PortOpened { call, address: SocketAddr::new(at, 40_000) }],
                Ports::None(why) => vec![Input::NoPort { call, why: why.clone() }],
                Ports::Pending => Vec::new(),
            },
            Output::Release(call) => {
                self.done.push(format!("release {}", call.0));
                vec![Input::Released(call)]
            }
            Output::Resolve(name) => {
                let addresses = self.names.get(&name).copied().into_iter().collect();
                vec![Input::Resolved { name, addresses }]
            }
            Output::Connect { peer, .. } => {
                self.opening.push(peer);
                Vec::new()
            }
            Output::Join { call, room, .. } => self.note(format!("join {} {room}", call.0)),
            Output::Start(call) => self.note(format!("start {}", call.0)),
            Output::SetVoice { call, voice } => self.note(format!("voice {} {voice:?}", call.0)),
            Output::Disconnect(_) => self.note("disconnect".into()),
            Output::Refused(refused) => {
                self.refused.push(*refused);
                Vec::new()
            }
            Output::Change { call, plan } => {
                self.done.push(format!("change {} {:?}", call.0, plan.direction));
                Vec::new()
            }
            Output::HandOut(call) => {
                self.done.push(format!("hand out {}", call.0));
                vec![Input::HandedOut { call, stream: STREAM }, Input::Released(call)]
            }
            Output::GoOnReceiving { call, received } => {
                self.done.push(format!("go on receiving {} with {} streams", call.0, received.streams.len()));
                Vec::new()
            }
            Output::Resume { call, stream } => {
                self.done.push(format!("resume {} at {}", call.0, stream.sequence));
                Vec::new()
            }
            Output::Handover { event, .. } => {
                self.reports.push(event);
                Vec::new()
            }
            Output::Dialled { call, outcome } => {
                let outcome = outcome.map_or_else(|error| error.to_string(), |()| "answered".into());
                self.done.push(format!("dialled {}: {outcome}", call.0));
                Vec::new()
            }
            Output::ProbeOver => {
                self.done.push("probe over".into());
                Vec::new()
            }
        }
    }

    fn note(&mut self, what: String) -> Vec<Input> {
        self.done.push(what);
        Vec::new()
    }

    /// Takes in a datagram.
    pub(crate) fn receive(&mut self, from: &str, text: &str) {
        self.receive_bytes(from, text.as_bytes());
    }

    /// Takes in a datagram that may be no text.
    pub(crate) fn receive_bytes(&mut self, from: &str, bytes: &[u8]) {
        let read = message::datagram(bytes);
        let input = TransportInput::Datagram { local: self.sip, remote: address(from), read };
        self.act(|agent, now| agent.handle(now, Input::Transport(input)));
    }

    /// Opens connection 1 of a far end, over TCP.
    pub(crate) fn accept(&mut self, from: &str) -> Flow {
        self.accept_over(Stream::Tcp, from)
    }

    /// Opens connection 1 of a far end.
    pub(crate) fn accept_over(&mut self, stream: Stream, from: &str) -> Flow {
        let link = Link::Connection(stream, Connection(1));
        let flow = Flow { link, local: address(NODE), remote: address(from) };
        self.act(|agent, now| agent.handle(now, Input::Transport(TransportInput::Accepted(flow))));
        flow
    }

    /// Takes in a message over connection 1.
    pub(crate) fn receive_over_connection(&mut self, text: &str) {
        let mut framer = sip::framer::Framer::new();
        framer.push(text.as_bytes());
        while let Some(frame) = framer.next_frame() {
            let input = TransportInput::Frame { connection: Connection(1), frame };
            self.act(|agent, now| agent.handle(now, Input::Transport(input)));
        }
    }

    /// Connection 1 breaks.
    pub(crate) fn close(&mut self) {
        let input = TransportInput::Closed(Connection(1));
        self.act(|agent, now| agent.handle(now, Input::Transport(input)));
    }

    /// Lets time pass, from deadline to deadline.
    pub(crate) fn pass(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(at) = self.agent.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.act(UserAgent::pass_time);
        }
        self.now = end;
    }

    pub(crate) fn silent(&mut self, call: u64) {
        self.act(|agent, now| agent.handle(now, Input::Silent(Participant(call))));
    }

    pub(crate) fn no_keys(&mut self, call: u64) {
        let (call, why) = (Participant(call), NoKeys::Unanswered);
        self.act(|agent, now| agent.handle(now, Input::NoKeys { call, why }));
    }

    /// The messages that were sent since this was called last.
    pub(crate) fn take_sent(&mut self) -> Vec<String> {
        self.sent.drain(..).map(|(_, text)| text).collect()
    }

    /// The only message that was sent since the last time.
    pub(crate) fn answer(&mut self) -> String {
        let mut sent = self.take_sent();
        assert_eq!(sent.len(), 1, "{sent:#?}");
        sent.remove(0)
    }

    /// The only answer to a datagram.
    pub(crate) fn exchange(&mut self, from: &str, text: &str) -> String {
        self.receive(from, text);
        self.answer()
    }

    pub(crate) fn take_done(&mut self) -> Vec<String> {
        std::mem::take(&mut self.done)
    }

    pub(crate) fn count(&self) -> u32 {
        self.agent.counted().0
    }

    pub(crate) fn stats(&self) -> Stats {
        self.agent.stats()
    }

    /// A confirmed call of this phone.
    pub(crate) fn call(&mut self, phone: &mut Phone) {
        self.receive(PHONE, &phone.invite(SDP));
        let answer = self.answer();
        assert!(answer.starts_with("SIP/2.0 200 OK"), "{answer}");
        phone.answered(&answer);
        self.receive(PHONE, &phone.ack(""));
        assert!(self.sent.is_empty(), "an ACK is not answered");
    }
}

/// The requests of a far end.
#[derive(Clone)]
pub(crate) struct Phone {
    pub(crate) call_id: String,
    pub(crate) sequence: u32,
    pub(crate) tag: String,
    pub(crate) contact: String,
    pub(crate) via: String,
    pub(crate) target: String,
    pub(crate) extra: String,
}

impl Phone {
    pub(crate) fn new(call_id: &str) -> Phone {
        Phone {
            call_id: call_id.into(),
            sequence: 1,
            tag: String::new(),
            contact: format!("<sip:phone@{PHONE}>"),
            via: format!("SIP/2.0/UDP {PHONE}"),
            target: "sip:meet@192.0.2.1".into(),
            extra: String::new(),
        }
    }

    pub(crate) fn request(&self, method: &str, branch: &str, body: &str) -> String {
        let Phone { call_id, sequence, tag, contact, via, target, extra } = self;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {target} SIP/2.0\r\nVia: {via};branch=z9hG4bK{call_id}{branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:phone@example.com>;tag={call_id}\r\nTo: <sip:meet@192.0.2.1>{tag}\r\nCall-ID: {call_id}\r\n\
             CSeq: {sequence} {method}\r\nContact: {contact}\r\n{extra}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// An INVITE. Its branch has the number of its CSeq.
    pub(crate) fn invite(&self, body: &str) -> String {
        self.request("INVITE", &format!("i{}", self.sequence), body)
    }

    /// The tag of the node is known from now on.
    pub(crate) fn answered(&mut self, answer: &str) {
        self.tag = format!(";tag={}", header(answer, "To").split("tag=").nth(1).expect("a tag"));
    }

    /// The ACK for a 2xx; the next request has the next CSeq.
    pub(crate) fn ack(&mut self, body: &str) -> String {
        let ack = self.request("ACK", &format!("a{}", self.sequence), body);
        self.sequence += 1;
        ack
    }

    /// Another request within the call.
    pub(crate) fn next(&mut self, method: &str, body: &str) -> String {
        let request = self.request(method, &format!("n{}", self.sequence), body);
        self.sequence += 1;
        request
    }
}

/// A response to a request of the node.
pub(crate) fn response(request: &str, status: &str, headers: &str, body: &str) -> String {
    let vias = request.lines().filter(|line| line.starts_with("Via: ")).map(|via| format!("{via}\r\n"));
    let others =
        ["From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}\r\n", header(request, name)));
    let copied: Vec<String> = vias.chain(others).collect();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{}{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        copied.concat(),
        body.len()
    )
}

pub(crate) fn header<'t>(text: &'t str, name: &str) -> &'t str {
    let start = format!("{name}: ");
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no {name} in {text}"))
}

pub(crate) fn has_header(text: &str, name: &str) -> bool {
    let start = format!("{name}: ");
    text.lines().any(|line| line.starts_with(&start))
}
