//! A user agent that takes any datagrams, for the fuzz targets: what it promises for every input.

use std::net::SocketAddr;

use sip::message::{self, Message};
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::Protocol;
use sip::transport::listeners::{Listener, Listeners};

use crate::admission::Admission;
use crate::rooms::{Callers, Room, Rooms};
use crate::settings::Settings;
use crate::time::Time;

use super::{Input, Output, UserAgent};

/// Longer than any transaction, dialog or BYE lasts.
const LONG: u64 = 120_000;

/// Gives the datagrams to a user agent, a second after each other, and then ends it.
///
/// # Panics
/// It sends what is no SIP message, has another number of calls than of legs it was given, or keeps a call that has
/// ended.
pub(crate) fn datagrams<'a>(datagrams: impl Iterator<Item = &'a [u8]>) {
    let here: SocketAddr = ([127, 0, 0, 1], 5060).into();
    let there: SocketAddr = ([127, 0, 0, 2], 5060).into();
    let listeners = Listeners(vec![Listener { protocol: Protocol::Udp, address: here, advertised: None }]);
    let rooms =
        Rooms::new([Room { name: "Meeting".into(), aliases: vec!["meet".into()], callers: Callers::Anyone }]);
    let settings = Settings::new(here, here.ip());
    let agent = UserAgent::new(settings, listeners, rooms, Admission::Open, [7; 32]);
    let mut world = World { agent, now: Time(0), tag: String::new() };
    for datagram in datagrams {
        world.pass(1000);
        let read = message::datagram(&world.filled_in(datagram));
        let input = TransportInput::Datagram { local: here, remote: there, read };
        world.act(|agent, now| agent.handle(now, Input::Transport(input)));
    }
    world.act(UserAgent::shut_down);
    world.pass(LONG);
    assert_eq!(world.agent.counted(), (0, None), "a call outlives its end");
}

/// A user agent, the time, and the tag of its last response.
struct World {
    agent: UserAgent,
    now: Time,
    tag: String,
}

impl World {
    /// The datagram with its placeholders replaced: both addresses, and the tag of the last response.
    fn filled_in(&self, datagram: &[u8]) -> Vec<u8> {
        let filled =
            [(&b"$TAG"[..], self.tag.as_str()), (b"$HERE", "127.0.0.2:5060"), (b"$THERE", "127.0.0.1:5060")];
        filled
            .into_iter()
            .fold(datagram.to_vec(), |bytes, (name, value)| replaced(&bytes, name, value.as_bytes()))
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
                        self.tag = response.headers().to().tag().unwrap_or_default().into();
                    }
                    Ok(Message::Request(_)) => {}
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
            | Output::ProbeOver => None,
        }
    }
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
