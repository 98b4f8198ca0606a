//! A shard: some conferences with all their legs, mixed tick by tick. Pure: no socket, no thread, no clock, but for
//! the handshakes of its legs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use crate::audio::mixer::Mixer;
use crate::audio::{Epoch, Participant, Tag};
use crate::handover::message::{ExportedReceived, ExportedStream};
use crate::participants::Voice;
use crate::rooms::RoomName;
use crate::srtp::Received;
use crate::time::Time;

use super::control::Channel;
use super::handshake::{Identity, NoKeys};
use super::leg::{Leg, Outgoing, Plan};
use super::statistics::LegStatistics;

/// Names a leg within its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LegId(pub(crate) u64);

/// What a shard is told.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// A leg joins a room; it hears and is heard from the next tick on.
    Join { leg: LegId, room: RoomName, participant: Participant, plan: Plan, outgoing: Outgoing },
    /// The leg's call is confirmed.
    Start { leg: LegId },
    /// The leg's call agreed on something new.
    Change { leg: LegId, plan: Plan },
    /// The others hear the leg's participant, or do not.
    SetVoice { leg: LegId, voice: Voice },
    /// Another process has received so much of the far end, whose sound is encrypted.
    GoOnReceiving { leg: LegId, received: Received },
    /// Another process has sent the leg's stream so far.
    Resume { leg: LegId, stream: ExportedStream },
    /// The leg's call is over.
    Leave { leg: LegId },
    /// A datagram came for a leg.
    Datagram { leg: LegId, channel: Channel, from: SocketAddr, datagram: &'a [u8] },
}

/// What a shard wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Output<'a> {
    /// Send this datagram from one of the leg's sockets.
    Send { leg: LegId, channel: Channel, to: SocketAddr, datagram: &'a [u8] },
    /// The far end is not heard.
    Silent { leg: LegId, why: Silence },
}

/// Why a far end is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nothing came for the media timeout.
    Nothing,
    /// Its handshake has given no keys.
    NoKeys(NoKeys),
}

/// Some conferences and their legs.
#[derive(Debug)]
pub(crate) struct Shard {
    media_timeout: Duration,
    cname: String,
    /// For handshakes; without it none is made.
    identity: Option<Identity>,
    legs: BTreeMap<LegId, Leg>,
    conferences: BTreeMap<RoomName, Conference>,
    datagram: Vec<u8>,
}

/// The legs of a conference, and its mixer.
#[derive(Debug, Default)]
struct Conference {
    members: BTreeSet<LegId>,
    mixer: Mixer,
}

impl Shard {
    /// A shard without legs. `cname` is this node's name in RTCP; nobody else may have it (RFC 7022).
    pub(crate) fn new(media_timeout: Duration, cname: String) -> Shard {
        Shard {
            media_timeout,
            cname,
            identity: None,
            legs: BTreeMap::new(),
            conferences: BTreeMap::new(),
            datagram: Vec::new(),
        }
    }

    /// The same with what it shows in handshakes.
    pub(crate) fn with_identity(self, identity: Identity) -> Shard {
        Shard { identity: Some(identity), ..self }
    }

    /// Takes one input in. Inputs for legs that are not there are ignored: they have just left.
    pub(crate) fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Join { leg, room, participant, plan, outgoing } => {
                let tag = Tag { participant, epoch: Epoch::default() };
                self.legs.insert(leg, Leg::new(now, tag, plan, outgoing));
                self.begin_handshake(now, leg);
                self.conferences.entry(room).or_default().members.insert(leg);
            }
            Input::Start { leg } => {
                self.legs.get_mut(&leg).into_iter().for_each(|leg| leg.start(now));
            }
            Input::Change { leg, plan } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.change(now, plan);
                }
                self.begin_handshake(now, leg);
            }
            Input::SetVoice { leg, voice } => {
                self.legs.get_mut(&leg).into_iter().for_each(|leg| leg.set_voice(voice));
            }
            Input::GoOnReceiving { leg, received } => {
                if let Some(leg) = self.legs.get_mut(&leg) {
                    leg.go_on_receiving(received);
                }
            }
            Input::Resume { leg, stream } => {
                self.legs.get_mut(&leg).into_iter().for_each(|leg| leg.resume(stream));
            }
            Input::Leave { leg } => self.leave(leg),
            Input::Datagram { leg, channel, from, datagram } => {
                self.legs.get_mut(&leg).into_iter().for_each(|leg| leg.receive(now, channel, from, datagram));
            }
        }
    }

    fn begin_handshake(&mut self, now: Time, leg: LegId) {
        if let (Some(leg), Some(identity)) = (self.legs.get_mut(&leg), &self.identity) {
            leg.begin_handshake(now, identity);
        }
    }

    /// How far the streams of those in a conference have come whose sound is encrypted.
    pub(crate) fn received(&self, room: &RoomName) -> BTreeMap<Participant, Vec<ExportedReceived>> {
        let members = self.conferences.get(room).into_iter().flat_map(|conference| &conference.members);
        let legs = members.filter_map(|leg| self.legs.get(leg));
        legs.filter_map(|leg| Some((leg.tag.participant, leg.received()?))).collect()
    }

    /// What was counted of the sound of every leg.
    pub(crate) fn statistics(&self) -> Vec<(Participant, LegStatistics)> {
        self.legs.values().map(|leg| (leg.tag.participant, leg.statistics())).collect()
    }

    /// Takes a leg out of its conference; returns where its stream has come to.
    pub(crate) fn hand_out(&mut self, leg: LegId) -> Option<ExportedStream> {
        let stream = self.legs.get(&leg).map(Leg::stream);
        self.leave(leg);
        stream
    }

    fn leave(&mut self, leg: LegId) {
        self.legs.remove(&leg);
        self.conferences.retain(|_, conference| {
            conference.members.remove(&leg);
            !conference.members.is_empty()
        });
    }

    /// Mixes one tick of every conference.
    pub(crate) fn tick(&mut self, now: Time, mut output: impl FnMut(Output<'_>)) {
        for Conference { members, mixer } in self.conferences.values_mut() {
            mixer.begin();
            for id in members.iter() {
                self.legs.get_mut(id).into_iter().for_each(|leg| leg.say(mixer));
            }
            for id in members.iter() {
                let Some(leg) = self.legs.get_mut(id) else { continue };
                if let Some((channel, to)) = leg.report(now, &self.cname, &mut self.datagram) {
                    output(Output::Send { leg: *id, channel, to, datagram: &self.datagram });
                }
                while let Some(to) = leg.next_handshake_packet(now, &mut self.datagram) {
                    output(Output::Send { leg: *id, channel: Channel::Media, to, datagram: &self.datagram });
                }
                leg.hear(mixer);
                while let Some(to) = leg.next_packet(&mut self.datagram) {
                    output(Output::Send { leg: *id, channel: Channel::Media, to, datagram: &self.datagram });
                }
                if let Some(why) = leg.lacks_keys(now) {
                    output(Output::Silent { leg: *id, why: Silence::NoKeys(why) });
                }
                if leg.fell_silent(now, self.media_timeout) {
                    output(Output::Silent { leg: *id, why: Silence::Nothing });
                }
            }
        }
    }

    /// Lets ticks pass unmixed, after the thread was held up for long.
    pub(crate) fn skip(&mut self, ticks: u32) {
        self.legs.values_mut().for_each(|leg| leg.skip(ticks));
    }
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;
