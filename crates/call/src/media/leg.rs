//! One leg: a participant's stream to and from this node, here over RTP. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use crate::audio::activity::Activity;
use crate::audio::jitter::JitterBuffer;
use crate::audio::mixer::{Listener, Mixer};
use crate::audio::{Codec, Tag};
use crate::rtp::Header;
use crate::sdp::{Agreed, Direction};
use crate::time::Time;

use super::latch::Latch;

/// Comfort noise (RFC 3389): a sign of life that makes no sound here.
const COMFORT_NOISE: u8 = 13;

/// What a call agreed on for its leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    pub(crate) events: Option<u8>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) direction: Direction,
}

impl From<&Agreed> for Plan {
    fn from(agreed: &Agreed) -> Plan {
        Plan {
            codec: agreed.codec,
            payload_type: agreed.payload_type,
            events: agreed.events,
            remote: agreed.remote,
            direction: agreed.direction,
        }
    }
}

/// The outgoing stream's place; it must go on without a jump when the leg moves to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
}

/// Whether sound leaves this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    /// The answer is not confirmed. A forged INVITE never is, so it cannot make this node flood anybody.
    NotYet,
    /// The next packet is the first of a stretch of sound.
    First,
    /// In the middle.
    On,
}

/// One stream to and from a participant.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) tag: Tag,
    plan: Plan,
    latch: Latch,
    jitter: JitterBuffer,
    activity: Activity,
    incoming_ssrc: Option<u32>,
    outgoing: Outgoing,
    sending: Sending,
    heard: Time,
    listener: Listener,
}

impl Leg {
    pub(crate) fn new(now: Time, tag: Tag, plan: Plan, outgoing: Outgoing) -> Leg {
        Leg {
            tag,
            plan,
            latch: Latch::new(plan.remote),
            jitter: JitterBuffer::new(plan.codec),
            activity: Activity::default(),
            incoming_ssrc: None,
            outgoing,
            sending: Sending::NotYet,
            heard: now,
            listener: Listener::default(),
        }
    }

    /// The far end confirmed the call: sound may leave.
    pub(crate) fn start(&mut self) {
        if self.sending == Sending::NotYet {
            self.sending = Sending::First;
        }
    }

    /// Both ends agreed anew (hold, resume, another address or codec).
    pub(crate) fn change(&mut self, now: Time, plan: Plan) {
        self.latch.declare(plan.remote);
        if plan.codec != self.plan.codec {
            self.jitter = JitterBuffer::new(plan.codec);
        } else if !plan.direction.receives() {
            self.jitter.clear();
        }
        self.plan = plan;
        self.heard = now;
    }

    /// Takes in a datagram. Only a packet of a type that was agreed can latch the source.
    pub(crate) fn receive(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) {
        let Some((header, payload)) = Header::parse(datagram) else { return };
        let is_sound = header.payload_type == self.plan.payload_type;
        let is_life = header.payload_type == COMFORT_NOISE || Some(header.payload_type) == self.plan.events;
        if !(is_sound || is_life) || !self.latch.believes(now, from) {
            return;
        }
        self.heard = now;
        if is_sound && self.plan.direction.receives() {
            self.take_sound(&header, payload);
        }
    }

    fn take_sound(&mut self, header: &Header, payload: &[u8]) {
        if self.incoming_ssrc.replace(header.ssrc).is_some_and(|old| old != header.ssrc) {
            self.jitter.clear();
        }
        self.jitter.insert(header.sequence, header.timestamp, payload);
    }

    /// Adds what the participant says in this tick.
    pub(crate) fn say(&mut self, mixer: &mut Mixer) {
        if let Some(samples) = self.jitter.pull() {
            mixer.add(self.tag, self.plan.codec.rate(), self.activity.sound(samples));
        }
    }

    /// Writes what the participant hears in this tick as a datagram, and tells where it goes.
    /// The stream's clock goes on even when nothing is sent.
    pub(crate) fn hear(&mut self, mixer: &mut Mixer, datagram: &mut Vec<u8>) -> Option<SocketAddr> {
        let timestamp = self.outgoing.timestamp;
        self.advance(1);
        if self.sending == Sending::NotYet {
            return None;
        }
        if !self.plan.direction.sends() {
            self.sending = Sending::First;
            return None;
        }
        let target = self.latch.target()?;
        let header = Header {
            payload_type: self.plan.payload_type,
            marker: self.sending == Sending::First,
            sequence: self.outgoing.sequence,
            timestamp,
            ssrc: self.outgoing.ssrc,
        };
        self.sending = Sending::On;
        self.outgoing.sequence = self.outgoing.sequence.wrapping_add(1);
        let payload = mixer.payload(self.tag.participant, self.plan.codec, &mut self.listener);
        header.write(payload, datagram);
        Some(target)
    }

    /// Lets ticks pass in which nothing is said or heard.
    pub(crate) fn skip(&mut self, ticks: u32) {
        self.jitter.skip(ticks);
        self.advance(ticks);
    }

    fn advance(&mut self, ticks: u32) {
        let timestamps = self.plan.codec.timestamps_per_tick().wrapping_mul(ticks);
        self.outgoing.timestamp = self.outgoing.timestamp.wrapping_add(timestamps);
    }

    /// Whether nothing was heard for `timeout` although sound should come both ways; told again after
    /// each further `timeout`. While the far end holds the call, or only listens, its session timer
    /// decides instead.
    pub(crate) fn fell_silent(&mut self, now: Time, timeout: Duration) -> bool {
        let expected = self.plan.direction == Direction::SendReceive;
        let silent = expected && now.since(self.heard) >= timeout;
        if silent {
            self.heard = now;
        }
        silent
    }
}
