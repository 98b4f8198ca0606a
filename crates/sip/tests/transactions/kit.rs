//! A layer with one peer, and its effects in a few words.

pub(crate) use crate::support::random::Random;
use core::net::SocketAddr;

use sip::draft::Draft;
use sip::framer::Framer;
use sip::message::{self, Message, Request};
use sip::method::Method;
use sip::name::Name;
use sip::reply::Reply;
use sip::status::Status;
use sip::time::Time;
use sip::transaction::TransactionId;
use sip::transaction::effect::{Effect, Event};
use sip::transaction::input::Input;
use sip::transaction::layer::Layer;
use sip::transaction::outgoing::{Branch, Outgoing, Unsendable};
use sip::transaction::responding::Unanswerable;
use sip::transaction::settings::Settings;
use sip::transport::arrival::Arrival;
use sip::transport::flow::{Connection, Destination, Flow, Link, Peer, Protocol, Stream};
use sip::transport::listeners::{Listener, Listeners};
use sip::uri::Uri;
use sip::value::Token;

/// Our address.
pub(crate) const OURS: &str = "192.0.2.2:5060";
/// The address that the peer sends from.
pub(crate) const PEER: &str = "192.0.2.1:5062";

pub(crate) const BOTH: [Protocol; 2] = [Protocol::Udp, Protocol::TCP];

pub(crate) fn at(address: &str) -> SocketAddr {
    address.parse().expect("an address")
}

pub(crate) fn settings() -> Settings {
    let listener = |protocol| Listener { protocol, address: at(OURS), advertised: None };
    let listeners = Listeners([Protocol::Udp, Protocol::TCP, Protocol::TLS].map(listener).to_vec());
    Settings { listeners, ..Settings::default() }
}

impl Random {
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn bytes(&mut self) -> [u8; 16] {
        let (one, other) = (self.next().to_le_bytes(), self.next().to_le_bytes());
        [one, other].concat().try_into().expect("twice eight bytes")
    }
}

/// A layer, the time, and a peer that it knows over one transport.
pub(crate) struct Side {
    pub(crate) layer: Layer,
    pub(crate) now: Time,
    pub(crate) flow: Flow,
    /// What was sent last.
    pub(crate) sent: Vec<u8>,
    /// How the last request came.
    pub(crate) arrival: Option<(Arrival, Request)>,
    drawn: u8,
}

impl Side {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self::with(protocol, settings())
    }

    pub(crate) fn with(protocol: Protocol, settings: Settings) -> Self {
        let mut flow = Flow::datagrams(at(OURS), at(PEER));
        if let Protocol::Stream(stream) = protocol {
            flow.link = Link::Connection(stream, Connection(1));
        }
        let layer = Layer::new(settings, 7);
        let mut side = Self { layer, now: Time(0), flow, sent: Vec::new(), arrival: None, drawn: 0 };
        if flow.link != Link::Datagrams {
            assert_eq!(side.input(Input::Accepted(flow)), "");
        }
        side
    }

    /// Hands something to the layer, and says what it does then.
    pub(crate) fn input(&mut self, input: Input) -> String {
        let effects = self.layer.apply(self.now, input);
        self.said(&effects)
    }

    /// The peer sends a message.
    pub(crate) fn came(&mut self, text: impl AsRef<[u8]>) -> String {
        let text = text.as_ref();
        match self.flow.link {
            Link::Datagrams => {
                let read = message::datagram(text);
                self.input(Input::Datagram { local: self.flow.local, remote: self.flow.remote, read })
            }
            Link::Connection(_, connection) => {
                let mut framer = Framer::new();
                framer.push(text);
                let frames: Vec<_> = std::iter::from_fn(|| framer.next_frame()).collect();
                let said = frames.into_iter().map(|frame| self.input(Input::Frame { connection, frame }));
                said.filter(|said| !said.is_empty()).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// The connection is closed, or datagrams do not arrive.
    pub(crate) fn breaks(&mut self) -> String {
        match self.flow.link {
            Link::Datagrams => {
                self.input(Input::Unreachable { local: self.flow.local, remote: self.flow.remote })
            }
            Link::Connection(_, connection) => self.input(Input::Closed(connection)),
        }
    }

    /// Lets time pass until so many milliseconds, and says what is done when.
    pub(crate) fn until(&mut self, end: u64) -> String {
        let mut all = Vec::new();
        while let Some(at) = self.layer.next_deadline().filter(|at| at.0 <= end) {
            self.now = self.now.max(at);
            let effects = self.layer.pass_time(self.now);
            let said = self.said(&effects);
            if !said.is_empty() {
                all.push(format!("{}: {said}", self.now.0));
            }
        }
        self.now = Time(end);
        all.join(", ")
    }

    /// The user answers the request that came last.
    pub(crate) fn respond(&mut self, id: u64, status: u16) -> String {
        let bytes = self.response(status);
        self.respond_with(id, bytes).expect("it can be answered")
    }

    pub(crate) fn respond_with(&mut self, id: u64, bytes: Vec<u8>) -> Result<String, Unanswerable> {
        let effects = self.layer.respond(self.now, TransactionId(id), &bytes)?;
        Ok(self.said(&effects))
    }

    /// An answer to the request that came last.
    pub(crate) fn response(&self, status: u16) -> Vec<u8> {
        let (arrival, request) = self.arrival.as_ref().expect("a request came");
        let status = Status::new(status).expect("a status");
        let tag = Token::new("ours").expect("a token");
        arrival.reply(request, status).tagged(tag).draft().finish()
    }

    /// The user sends a request to the peer, back over its flow.
    pub(crate) fn request(&mut self, method: &str) -> String {
        let destination = Destination::back_over(self.flow);
        self.request_over(method, 0, destination).expect("it can be sent")
    }

    /// The user sends a request with a subject of a length.
    pub(crate) fn request_over(
        &mut self,
        method: &str,
        length: usize,
        destination: Destination,
    ) -> Result<String, Unsendable> {
        self.drawn += 1;
        let branch = Branch::new([self.drawn; 16]);
        let (_, effects) =
            self.layer.request(self.now, Outgoing { bytes: bare(method, length), destination, branch })?;
        Ok(self.said(&effects))
    }

    pub(crate) fn cancel(&mut self, id: u64) -> Result<String, Unsendable> {
        let (_, effects) = self.layer.cancel(self.now, TransactionId(id))?;
        Ok(self.said(&effects))
    }

    /// Effects in a few words.
    pub(crate) fn said(&mut self, effects: &[Effect]) -> String {
        let said: Vec<_> = effects.iter().map(|effect| self.say(effect)).collect();
        said.join(", ")
    }

    fn say(&mut self, effect: &Effect) -> String {
        match effect {
            Effect::Send { flow, bytes } | Effect::Refuse { flow, bytes, .. } => {
                self.sent = bytes.to_vec();
                let to = if *flow == self.flow { String::new() } else { format!(" to {}", flow.remote) };
                let (what, over) = (first_word(bytes), over(*flow));
                format!("send {what}{to}{over}")
            }
            Effect::Open { peer, .. } => format!("open {}", who(peer)),
            Effect::Close(Connection(number)) => format!("close {number}"),
            Effect::Notify(event) => self.event(event),
        }
    }

    fn event(&mut self, event: &Event) -> String {
        match event {
            Event::Request { transaction, arrival, request } => {
                self.arrival = Some((arrival.clone(), request.clone()));
                format!("request {} {}", transaction.0, request.method())
            }
            Event::Cancel { transaction, invite, arrival, request } => {
                self.arrival = Some((arrival.clone(), request.clone()));
                format!("cancel {} of {}", transaction.0, invite.0)
            }
            Event::Ack { .. } => "ack".to_owned(),
            Event::Response { transaction, response, .. } => {
                format!("response {} {}", transaction.0, response.status())
            }
            Event::Timeout { transaction } => format!("timeout {}", transaction.0),
            Event::Failed { transaction } => format!("failed {}", transaction.0),
        }
    }

    /// What was sent last, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.sent).into_owned()
    }

    /// The entries of all maps.
    pub(crate) fn entries(&self) -> usize {
        self.layer.load().entries
    }
}

/// The method of a request, the status of a response, anything else as it is.
pub(crate) fn first_word(bytes: &[u8]) -> String {
    match message::datagram(bytes) {
        Ok(Message::Request(request)) => request.method().to_string(),
        Ok(Message::Response(response)) => response.status().to_string(),
        Err(refused) if !refused.fields().iter().any(|_| true) => bytes.escape_ascii().to_string(),
        Err(_) => String::from_utf8_lossy(&bytes[8..11]).into_owned(),
    }
}

fn over(flow: Flow) -> String {
    match flow.link {
        Link::Datagrams | Link::Connection(_, Connection(1)) => String::new(),
        Link::Connection(_, Connection(number)) => format!(" over {number}"),
    }
}

fn who(peer: &Peer) -> String {
    let stream = match peer.stream {
        Stream::Tcp => "tcp",
        Stream::Tls => "tls",
    };
    let name = peer.name.as_ref().map(|name| format!(" as {name}")).unwrap_or_default();
    format!("{stream} {}{name}", peer.remote)
}

/// A request of the peer, with a branch.
pub(crate) fn their(method: &str, branch: &str) -> String {
    their_via(method, &format!("SIP/2.0/UDP 192.0.2.1:5062;rport;branch=z9hG4bK{branch}"), "")
}

/// A request of the peer, with Via and what follows To.
pub(crate) fn their_via(method: &str, via: &str, to: &str) -> String {
    format!(
        "{method} sip:meet@192.0.2.2 SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@192.0.2.1>;tag=theirs\r\nTo: <sip:meet@192.0.2.2>{to}\r\nCall-ID: c1\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A request of ours without Via, with a subject of a length.
pub(crate) fn bare(method: &str, length: usize) -> Vec<u8> {
    let uri = Uri::new(b"sip:a@192.0.2.1:5062").expect("a URI");
    let method = Method::new(method).expect("a method");
    let fields = [
        (Name::MaxForwards, "70".to_owned()),
        (Name::Route, "<sip:192.0.2.1:5062;lr>".to_owned()),
        (Name::From, "<sip:meet@192.0.2.2>;tag=ours".to_owned()),
        (Name::To, "<sip:a@192.0.2.1>".to_owned()),
        (Name::CallId, "c2".to_owned()),
        (Name::CSeq, format!("1 {method}")),
        (Name::Subject, "x".repeat(length)),
    ];
    let draft = Draft::request(method, uri);
    let draft = fields.iter().try_fold(draft, |draft, (name, value)| draft.field(*name, value));
    draft.expect("the values can be written").finish()
}

/// The peer's answer to a request of ours.
pub(crate) fn answer(request: &[u8], status: u16) -> String {
    let Ok(Message::Request(request)) = message::datagram(request) else { panic!("no request was sent") };
    let tag = Token::new("theirs").expect("a token");
    let reply = Reply::to(&request, Status::new(status).expect("a status")).tagged(tag);
    String::from_utf8(reply.draft().finish()).expect("text")
}
