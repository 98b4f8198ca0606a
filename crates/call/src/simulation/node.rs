//! The node in the world: what its user agent decides is performed, as the shell would.

use std::net::{IpAddr, SocketAddr};

use sip::transaction::TransactionId;
use sip::transaction::input::Input as TransportInput;
use sip::transport::flow::{Flow, Link, Peer};

use crate::audio::Participant;
use crate::media::leg::Plan;
use crate::media::shard::{Input as MediaInput, LegId};
use crate::participants::Voice;
use crate::sdp::PacketTime;
use crate::signalling::kit::NODE;
use crate::signalling::{Input, NoPort, Output, UserAgent};
use crate::time::Time;

use super::caller::Caller;
use super::habits::Access;
use super::oracle;
use super::proxy::{self, PROXY};
use super::sabotage::Sabotage;
use super::world::World;
use super::{address, network::Datagram};

impl World {
    /// Has the user agent act, and performs what it decides.
    pub(super) fn act(
        &mut self,
        act: impl FnOnce(&mut UserAgent, Time) -> Vec<Output>,
    ) -> Result<(), String> {
        let mut outputs = act(&mut self.agent, Time(self.now));
        while !outputs.is_empty() {
            let mut inputs = Vec::new();
            for output in outputs.drain(..) {
                inputs.extend(self.perform(output)?);
            }
            let now = Time(self.now);
            outputs = inputs.into_iter().flat_map(|input| self.agent.handle(now, input)).collect();
        }
        self.note_oldest();
        self.follow()?;
        oracle::state_is_bounded(self)?;
        oracle::count_is_the_truth(self)?;
        oracle::nothing_outlives_its_call(self)
    }

    fn note_oldest(&mut self) {
        let kept = (self.sabotage == Sabotage::KeepTransaction).then_some(TransactionId(1));
        let oldest = kept.or(self.agent.oldest_transaction());
        if oldest != self.oldest.map(|(transaction, _)| transaction) {
            self.oldest = oldest.map(|transaction| (transaction, self.now));
        }
    }

    /// The dialogs that the node has, and those that lead to a call.
    pub(super) fn dialogs(&self) -> [usize; 2] {
        let [dialogs, lead_to_calls] = self.agent.dialogs();
        let kept = if self.sabotage == Sabotage::KeepDialogs { self.begun() } else { dialogs };
        [kept, lead_to_calls]
    }

    /// The calls that the node counts.
    pub(super) fn counted(&self) -> usize {
        let counted = self.agent.counted().0 as usize;
        let refused = self.callers.iter().filter(|caller| !caller.refusal.is_empty()).count();
        if self.sabotage == Sabotage::CountRefused {
            counted + refused
        } else if self.sabotage == Sabotage::CountTooFew {
            counted.saturating_sub(1)
        } else {
            counted
        }
    }

    fn perform(&mut self, output: Output) -> Result<Option<Input>, String> {
        let now = Time(self.now);
        Ok(match output {
            Output::Send { flow, bytes } => {
                self.transmit(flow, &bytes);
                None
            }
            Output::Connect { peer, local } => Some(Input::Transport(self.connect(peer, local))),
            Output::Disconnect(connection) => return Err(oracle::closes_a_connection(connection)),
            Output::OpenPort { call, .. } if self.has_no_port => {
                Some(Input::NoPort { call, why: NoPort::Exhausted })
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
                let plan = self.planned(plan);
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
                let plan = self.planned(plan);
                self.shard.handle(now, MediaInput::Change { leg: LegId(call.0), plan });
                None
            }
            Output::SetVoice { call, voice } => {
                let voice = if self.sabotage == Sabotage::HearMuted { Voice::Heard } else { voice };
                self.shard.handle(now, MediaInput::SetVoice { leg: LegId(call.0), voice });
                None
            }
            Output::Release(call) => self.release(call),
            Output::Resolve(name) => Some(Input::Resolved { name, addresses: Vec::new() }),
            // No call of these worlds is moved: see `moving`.
            Output::HandOut(_)
            | Output::GoOnReceiving { .. }
            | Output::Resume { .. }
            | Output::Handover { .. }
            | Output::Dialled { .. }
            | Output::Refused(_)
            | Output::ProbeOver => None,
        })
    }

    fn planned(&self, plan: Plan) -> Plan {
        let is_wrong = self.sabotage == Sabotage::IgnorePacketTime;
        Plan { packet_time: if is_wrong { PacketTime::USUAL } else { plan.packet_time }, ..plan }
    }

    fn transmit(&mut self, flow: Flow, bytes: &[u8]) {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        if self.sabotage == Sabotage::ForgetTheProxy {
            text = text.replace(&format!("\r\nRoute: {}\r\n", proxy::ROUTE), "\r\n");
        }
        if self.sabotage == Sabotage::RefuseForever {
            text = text.replace("\r\nRetry-After: ", "\r\nX-Retry-After: ");
        }
        self.note(&text);
        self.observed.sent(self.now, bytes);
        if text.starts_with("INVITE ") {
            self.see("refresh of the node");
        }
        match flow.link {
            Link::Datagrams => {
                let to = self.destination(flow.remote, &text);
                self.network.send(self.now, Datagram { from: address(NODE), to, text });
            }
            Link::Connection(_, connection) => {
                self.streams.send_to_caller(self.now, self.network.quality, connection, text.as_bytes());
            }
        }
    }

    /// Where a datagram goes: to the caller that it names, when the node ignores the proxy on its way.
    fn destination(&self, remote: SocketAddr, text: &str) -> SocketAddr {
        let caller = self.callers.iter().find(|caller| text.contains(&caller.phone.call_id));
        match caller {
            Some(caller) if self.sabotage == Sabotage::PassTheProxy && remote == address(PROXY) => {
                caller.address()
            }
            Some(_) | None => remote,
        }
    }

    /// Opens a connection to a caller that listens, and does not refuse it.
    fn connect(&mut self, peer: Peer, local: IpAddr) -> TransportInput {
        let listens = |caller: &Caller| caller.habits.access == Access::Connected;
        let place = self.callers.iter().position(|caller| caller.address() == peer.remote && listens(caller));
        let Some(caller) = place.filter(|caller| !self.streams.refuses(*caller)) else {
            self.see("refused connection of the node");
            return TransportInput::NotOpened(peer);
        };
        self.see("connection of the node");
        let local = SocketAddr::new(local, self.streams.next_port());
        let flow = self.streams.open(caller, local, peer.remote);
        TransportInput::Opened { peer, flow }
    }

    fn release(&mut self, call: Participant) -> Option<Input> {
        self.ports.remove(&call);
        if self.sabotage != Sabotage::KeepLegs {
            let leg = LegId(call.0);
            self.legs.remove(&leg);
            self.shard.handle(Time(self.now), MediaInput::Leave { leg });
        }
        (self.sabotage != Sabotage::CountTooMany).then_some(Input::Released(call))
    }
}
