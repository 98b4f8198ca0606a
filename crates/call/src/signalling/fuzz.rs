//! A user agent that takes any datagrams, for the fuzz targets: what it promises for every input.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sip::message::{self, Message, Request};
use sip::method::Method;
use sip::name::Name;
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::Protocol;
use sip::transport::listeners::{Listener, Listeners};

use crate::accounts::{Account, Accounts, Secret};
use crate::admission::Admission;
use crate::audio::Participant;
use crate::dial::{DialOptions, DialTarget};
use crate::handover::message::ExportedCall;
use crate::logins::{Login, Logins};
use crate::rooms::{Callers, Room, Rooms};
use crate::settings::Settings;
use crate::time::Time;

use super::authentication::Authorizations;
use super::{Algorithm, Dial, Input, Output, UserAgent};

const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);
const THERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 5060);
/// Longer than any transaction, dialog or BYE lasts.
const LONG: u64 = 120_000;

/// Gives the datagrams to a user agent, a second after each other, and then ends it. `DIAL` with a URI or an alias behind it
/// has it dial, and `HANG UP` has it hang up what it has dialled.
///
/// # Panics
/// It sends what is no SIP message, has another number of calls than of legs it was given, keeps a call that has ended,
/// or reports another number of outcomes than of calls that it has dialled.
pub(crate) fn datagrams<'a>(datagrams: impl Iterator<Item = &'a [u8]>) {
    let mut world = World::new();
    for datagram in datagrams {
        world.pass(1000);
        match datagram.strip_prefix(b"DIAL ") {
            Some(target) => world.dial(&String::from_utf8_lossy(target)),
            None if datagram == b"HANG UP" => world.hang_up(),
            None => world.receive(datagram),
        }
    }
    world.end();
}

/// Has a user agent take a call over from another process, while the datagrams arrive.
///
/// # Panics
/// As [`datagrams`].
pub(crate) fn handover<'a>(call: &[u8], datagrams: impl Iterator<Item = &'a [u8]>) {
    let Ok(exported) = serde_json::from_slice::<ExportedCall>(call) else { return };
    let mut world = World::new();
    world.act(|agent, now| agent.import(now, exported).1);
    for datagram in datagrams {
        // Within the time that a probe has.
        world.pass(100);
        world.receive(datagram);
        world.act(|agent, now| agent.take_over(now, Participant(1)));
        world.act(|agent, now| agent.go_on(now, Participant(1), None));
    }
    world.end();
}

/// A user agent, the time, and what its far end has learned.
struct World {
    agent: UserAgent,
    now: Time,
    /// The tag of the last response.
    tag: String,
    /// The headers of the last request that a response repeats.
    request: String,
    /// The answers to the last challenge.
    authorizations: Authorizations,
    /// How many calls were dialled, and how many of them have an outcome.
    dialled: [usize; 2],
}

impl World {
    fn new() -> World {
        let here = Listener { protocol: Protocol::Udp, address: HERE, advertised: None };
        let room = |name: &str, alias: &str, callers| Room {
            name: name.into(),
            aliases: vec![alias.into()],
            callers,
        };
        let rooms = [room("Meeting", "meet", Callers::Anyone), room("Board", "board", Callers::Accounts)];
        let mut settings = Settings::new(HERE, HERE.ip());
        settings.authentication.algorithms = vec![Algorithm::Sha256, Algorithm::Md5];
        let rooms = Rooms::new(rooms);
        let mut agent = UserAgent::new(settings, Listeners(vec![here]), rooms, Admission::Open, [7; 32]);
        let (aliases, secret) = (vec!["ann".into()], secret());
        let ann = Account { username: "ann".into(), secret, aliases };
        agent.set_accounts(Accounts::new([ann]).unwrap_or_default());
        agent.set_logins(logins("provider"));
        World {
            agent,
            now: Time(0),
            tag: String::new(),
            request: String::new(),
            authorizations: Authorizations::default(),
            dialled: [0; 2],
        }
    }

    fn dial(&mut self, target: &str) {
        let target = match target.split_once(':') {
            Some(_) => DialTarget::Uri(target.into()),
            None => DialTarget::Device(target.into()),
        };
        let dial = Dial { room: "Meeting".into(), target, options: DialOptions::default() };
        let mut begun = 0;
        self.act(|agent, now| {
            let (dialled, outputs) = agent.dial(now, &dial);
            begun = usize::from(dialled.is_ok());
            outputs
        });
        self.dialled[0] += begun;
    }

    fn hang_up(&mut self) {
        for call in self.agent.calls.ids() {
            self.act(|agent, now| agent.hang_up_dialled(now, call));
        }
    }

    fn receive(&mut self, datagram: &[u8]) {
        let read = message::datagram(&self.filled_in(datagram));
        let input = TransportInput::Datagram { local: HERE, remote: THERE, read };
        self.act(|agent, now| agent.handle(now, Input::Transport(input)));
    }

    fn end(mut self) {
        self.act(UserAgent::shut_down);
        self.pass(LONG);
        assert_eq!(self.agent.counted(), (0, None), "a call outlives its end");
        let [dialled, outcomes] = self.dialled;
        assert_eq!(dialled, outcomes, "a call that was dialled has one outcome");
    }

    /// The datagram with its placeholders replaced: both addresses, the tag of the last response, what a response repeats
    /// of the last request, and the credentials of ann.
    fn filled_in(&mut self, datagram: &[u8]) -> Vec<u8> {
        let addressed = replaced(datagram, b"$THERE", b"127.0.0.1:5060");
        let mut words = addressed.split(|byte| *byte == b' ').map(String::from_utf8_lossy);
        let (method, uri) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let fields = Method::new(&method).map(|method| self.authorizations.next(method, &uri, 1));
        let written = fields.into_iter().flatten().map(|(name, value)| format!("{name}: {value}\r\n"));
        let authorization: String = written.collect();
        let filled = [
            (&b"$TAG"[..], self.tag.as_str()),
            (b"$HERE", "127.0.0.2:5060"),
            (b"$REQUEST", self.request.as_str()),
            (b"$AUTH", &authorization),
        ];
        filled
            .into_iter()
            .fold(addressed.clone(), |bytes, (name, value)| replaced(&bytes, name, value.as_bytes()))
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now = Time(self.now.0 + milliseconds);
        self.act(UserAgent::pass_time);
    }

    fn act(&mut self, act: impl FnOnce(&mut UserAgent, Time) -> Vec<Output>) {
        let mut outputs = act(&mut self.agent, self.now);
        while !outputs.is_empty() {
            let inputs: Vec<_> = outputs.drain(..).filter_map(|output| self.outcome(output)).collect();
            outputs = inputs.into_iter().flat_map(|input| self.agent.handle(self.now, input)).collect();
        }
    }

    /// The outcome of an output, if it is known at once.
    fn outcome(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Send { bytes, .. } => {
                match message::datagram(&bytes) {
                    Ok(Message::Response(response)) => {
                        self.tag = response.headers().to_tag().unwrap_or_default().into();
                        let mut authorizations = Authorizations::default();
                        if authorizations.learn(&response, &logins("pitlane")).is_ok() {
                            self.authorizations = authorizations;
                        }
                    }
                    Ok(Message::Request(request)) => self.request = repeated(&request),
                    // The answer to a message that cannot be read has its headers, as they came.
                    Err(_) => {
                        let is_refusal =
                            [&b"SIP/2.0 4"[..], b"SIP/2.0 5"].iter().any(|start| bytes.starts_with(start));
                        let text = String::from_utf8_lossy(&bytes);
                        assert!(is_refusal || &*bytes == b"\r\n", "it sends {text:?}");
                    }
                }
                None
            }
            Output::OpenPort { call, .. } => {
                Some(Input::PortOpened { call, address: ([127, 0, 0, 1], 40_000).into() })
            }
            Output::Release(call) => Some(Input::Released(call)),
            Output::Resolve(name) => Some(Input::Resolved { name, addresses: Vec::new() }),
            Output::Connect { peer, .. } => Some(Input::Transport(TransportInput::NotOpened(peer))),
            Output::Disconnect(_)
            | Output::Join { .. }
            | Output::Start(_)
            | Output::Change { .. }
            | Output::HandOut(_)
            | Output::Resume { .. }
            | Output::Handover { .. }
            | Output::ProbeOver => None,
            Output::Dialled { .. } => {
                self.dialled[1] += 1;
                None
            }
        }
    }
}

fn secret() -> Secret {
    Secret::Password("nna".into())
}

/// Ann's login of a realm.
fn logins(realm: &str) -> Logins {
    Logins::new([Login { realm: realm.into(), username: "ann".into(), secret: secret() }])
}

/// The headers of a request that its response repeats (RFC 3261 section 8.2.6.2).
fn repeated(request: &Request) -> String {
    let line = |name: Name| {
        let value = String::from_utf8_lossy(request.headers().value(name).unwrap_or_default());
        format!("{}: {value}\r\n", name.as_str())
    };
    [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq].map(line).concat()
}

fn replaced(bytes: &[u8], name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(name.len()).position(|window| window == name) {
        parts.extend([&rest[..at], value]);
        rest = &rest[at + name.len()..];
    }
    parts.push(rest);
    parts.concat()
}
