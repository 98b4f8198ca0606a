//! A user agent that takes any datagrams and bytes of connections, while connections close, ports are refused and
//! admission changes, for the fuzz targets: what it promises for every input.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sip::framer::Framer;
use sip::message::{self, Message, Request};
use sip::method::Method;
use sip::name::Name;
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Connection, Flow, Link, Peer, Protocol, Stream};
use sip::transport::listeners::{Listener, Listeners};

use crate::accounts::{Account, Accounts, Secret};
use crate::admission::{Admission, Closed};
use crate::audio::Participant;
use crate::dial::{DialOptions, DialTarget};
use crate::handover::message::ExportedCall;
use crate::logins::{Login, Logins};
use crate::rooms::{Callers, Room, Rooms};
use crate::settings::Settings;
use crate::time::Time;

use super::authentication::Authorizations;
use super::call::Media;
use super::{Algorithm, Dial, Input, NoPort, Output, UserAgent};

const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5060);
const THERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 5060);
/// Longer than a call lasts that nobody confirms, and its transactions.
const WAIT: u64 = 80_000;
/// Longer than any transaction, dialog or BYE lasts: an INVITE of ours waits for 200 s after a provisional response, and
/// for what comes late.
const LONG: u64 = 400_000;

/// Gives the parts to a user agent, a second after each other, and then ends it. A part is a datagram, or one of these:
///
/// - `DIAL` with a URI or an alias behind it has it dial, and `HANG UP` has it hang up what it has dialled;
/// - `STREAM` has the bytes behind it come over the newest connection, which is opened if there is none, and `CLOSE`
///   closes it; from `CONNECT` on those that the user agent opens succeed;
/// - `EXHAUSTED` and `REFUSED` say why there are no media ports from then on, and `PORTS` that there are;
/// - `MAINTENANCE` closes admission, and `ADMIT` opens it;
/// - `SILENT` has the far ends of all calls be silent, and `WAIT` lets time pass, to the next deadlines.
///
/// # Panics
/// It sends what is no SIP message, has other calls with media than ports and legs were opened and not released, keeps
/// anything of calls that have ended, or reports another number of outcomes than of calls that it has dialled.
pub(crate) fn events<'a>(parts: impl Iterator<Item = &'a [u8]>) {
    let mut world = World::new();
    for part in parts {
        world.pass(1000);
        world.take(part);
    }
    world.end();
}

/// Has a user agent take a call over from another process, while the datagrams arrive.
///
/// # Panics
/// As [`events`].
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

/// The media of a call as the shell has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shell {
    Port,
    Leg,
}

/// A user agent, the time, and what its far end has learned.
struct World {
    agent: UserAgent,
    now: Time,
    /// Why no media port can be opened.
    no_port: Option<NoPort>,
    media: BTreeMap<Participant, Shell>,
    /// The number of the last connection.
    last: u64,
    /// The open connections, and what has come of the next message.
    connections: BTreeMap<Connection, Framer>,
    /// Whether those can be opened that the user agent wants.
    connects: bool,
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
        let here = |protocol| Listener { protocol, address: HERE, advertised: None };
        let listeners = Listeners(vec![here(Protocol::Udp), here(Protocol::TCP)]);
        let room = |name: &str, alias: &str, callers| Room {
            name: name.into(),
            aliases: vec![alias.into()],
            callers,
        };
        let rooms = [room("Meeting", "meet", Callers::Anyone), room("Board", "board", Callers::Accounts)];
        let mut settings = Settings::new(HERE, HERE.ip());
        settings.authentication.algorithms = vec![Algorithm::Sha256, Algorithm::Md5];
        let rooms = Rooms::new(rooms);
        let mut agent = UserAgent::new(settings, listeners, rooms, Admission::Open, [7; 32]);
        let (aliases, secret) = (vec!["ann".into()], secret());
        let ann = Account { username: "ann".into(), secret, aliases };
        agent.set_accounts(Accounts::new([ann]).unwrap_or_default());
        agent.set_logins(logins("127.0.0.2", "provider"));
        World {
            agent,
            now: Time(0),
            no_port: None,
            media: BTreeMap::new(),
            last: 0,
            connections: BTreeMap::new(),
            connects: false,
            tag: String::new(),
            request: String::new(),
            authorizations: Authorizations::default(),
            dialled: [0; 2],
        }
    }

    fn take(&mut self, part: &[u8]) {
        if let Some(target) = part.strip_prefix(b"DIAL ") {
            return self.dial(&String::from_utf8_lossy(target));
        }
        if let Some(bytes) = part.strip_prefix(b"STREAM ") {
            return self.receive_over_connection(bytes);
        }
        match part {
            b"HANG UP" => self.hang_up(),
            b"CONNECT" => self.connects = true,
            b"CLOSE" => self.close(),
            b"PORTS" => self.no_port = None,
            b"EXHAUSTED" => self.no_port = Some(NoPort::Exhausted),
            b"REFUSED" => self.no_port = Some(NoPort::Refused("refused".into())),
            b"ADMIT" => self.agent.set_admission(Admission::Open),
            b"MAINTENANCE" => self.agent.set_admission(Admission::Closed(Closed::maintenance_mode())),
            b"SILENT" => self.be_silent(),
            b"WAIT" => self.pass_to_deadlines(WAIT),
            datagram => self.receive(datagram),
        }
    }

    fn be_silent(&mut self) {
        for call in self.agent.calls.ids() {
            self.act(|agent, now| agent.handle(now, Input::Silent(call)));
        }
    }

    /// Opens the next connection.
    fn connect(&mut self, stream: Stream, local: SocketAddr, remote: SocketAddr) -> Flow {
        self.last += 1;
        let connection = Connection(self.last);
        self.connections.insert(connection, Framer::new());
        Flow { link: Link::Connection(stream, connection), local, remote }
    }

    fn receive_over_connection(&mut self, bytes: &[u8]) {
        if self.connections.is_empty() {
            let flow = self.connect(Stream::Tcp, HERE, THERE);
            self.act(|agent, now| agent.handle(now, Input::Transport(TransportInput::Accepted(flow))));
        }
        let bytes = self.filled_in(bytes);
        let Some(mut newest) = self.connections.last_entry() else { return };
        let connection = *newest.key();
        newest.get_mut().push(&bytes);
        while let Some(frame) = self.connections.get_mut(&connection).and_then(Framer::next_frame) {
            let input = TransportInput::Frame { connection, frame };
            self.act(|agent, now| agent.handle(now, Input::Transport(input)));
        }
    }

    fn close(&mut self) {
        if let Some((connection, _)) = self.connections.pop_last() {
            let input = TransportInput::Closed(connection);
            self.act(|agent, now| agent.handle(now, Input::Transport(input)));
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
        self.pass_to_deadlines(LONG);
        assert_eq!(self.agent.counted(), (0, None), "a call outlives its end");
        assert_eq!(self.agent.entries(), 0, "a dialog or a transaction outlives its call");
        let [dialled, outcomes] = self.dialled;
        assert_eq!(dialled, outcomes, "a call that was dialled has one outcome");
    }

    /// The datagram with its placeholders replaced: both addresses, the tag of the last response, what a response
    /// repeats of the last request, and the credentials of ann.
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

    /// Lets time pass, from deadline to deadline.
    fn pass_to_deadlines(&mut self, milliseconds: u64) {
        let end = Time(self.now.0 + milliseconds);
        while let Some(at) = self.agent.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.act(UserAgent::pass_time);
        }
        self.now = end;
    }

    fn act(&mut self, act: impl FnOnce(&mut UserAgent, Time) -> Vec<Output>) {
        let mut outputs = act(&mut self.agent, self.now);
        while !outputs.is_empty() {
            let inputs: Vec<_> = outputs.drain(..).filter_map(|output| self.outcome(output)).collect();
            outputs = inputs.into_iter().flat_map(|input| self.agent.handle(self.now, input)).collect();
        }
        self.check_media();
    }

    /// The calls that have media are those whose ports and legs there are.
    fn check_media(&self) {
        let known = self.agent.calls.media().map(|(call, media)| match media {
            Media::Port => (call, Shell::Port),
            Media::Leg => (call, Shell::Leg),
            Media::None | Media::Releasing => panic!("{call:?} has no media and is said to have some"),
        });
        assert_eq!(known.collect::<BTreeMap<_, _>>(), self.media, "ports and legs are those of the calls");
    }

    /// The outcome of an output, if it is known at once.
    fn outcome(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Send { bytes, .. } => {
                match message::datagram(&bytes) {
                    Ok(Message::Response(response)) => {
                        self.tag = response.headers().to_tag().unwrap_or_default().into();
                        let mut authorizations = Authorizations::at(Some("pitlane".into()));
                        if authorizations.learn(&response, &logins("pitlane", "pitlane")).is_ok() {
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
            Output::OpenPort { call, .. } => Some(self.open_port(call)),
            Output::Join { call, .. } => {
                assert_eq!(self.media.insert(call, Shell::Leg), Some(Shell::Port), "a leg has a port");
                None
            }
            // Nobody asks for the stream of the leg.
            Output::Release(call) | Output::HandOut(call) => {
                assert!(self.media.remove(&call).is_some(), "{call:?} has nothing that can be released");
                Some(Input::Released(call))
            }
            Output::Resolve(name) => Some(Input::Resolved { name, addresses: Vec::new() }),
            Output::Connect { peer, local } => Some(Input::Transport(self.try_to_connect(peer, local))),
            Output::Disconnect(connection) => {
                self.connections.remove(&connection);
                None
            }
            Output::Start(_)
            | Output::SetVoice { .. }
            | Output::Refused(_)
            | Output::Change { .. }
            | Output::GoOnReceiving { .. }
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

impl World {
    fn open_port(&mut self, call: Participant) -> Input {
        if let Some(why) = self.no_port.clone() {
            return Input::NoPort { call, why };
        }
        assert_eq!(self.media.insert(call, Shell::Port), None, "a call has one port");
        Input::PortOpened { call, address: ([127, 0, 0, 1], 40_000).into() }
    }

    fn try_to_connect(&mut self, peer: Peer, local: IpAddr) -> TransportInput {
        if !self.connects {
            return TransportInput::NotOpened(peer);
        }
        let flow = self.connect(peer.stream, SocketAddr::new(local, 30_000), peer.remote);
        TransportInput::Opened { peer, flow }
    }
}

fn secret() -> Secret {
    Secret::Password("nna".into())
}

/// Ann's login of a realm at a host.
fn logins(host: &str, realm: &str) -> Logins {
    let (host, realm, username) = (host.into(), realm.into(), "ann".into());
    Logins::new([Login { host, realm, username, secret: secret() }]).unwrap_or_default()
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
