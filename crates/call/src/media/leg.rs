//! One leg: a participant's stream to and from this node, here over RTP. Pure.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::audio::jitter::JitterBuffer;
use crate::audio::{Codec, FRAME_SAMPLES, Frame, Tag};
use crate::rtp::Header;
use crate::sdp::{Agreed, Direction};
use crate::time::Time;

use super::latch::{Arrival, FarEnd, Kind, Latch};

/// Comfort noise (RFC 3389): a sign of life that makes no sound here.
const COMFORT_NOISE: u8 = 13;

/// What a call agreed on for its leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    pub(crate) events: Option<u8>,
    pub(crate) remote: Option<SocketAddr>,
    /// Where the call's signalling comes from: sound of a far end behind address translation comes from there too.
    pub(crate) signalling: Option<IpAddr>,
    pub(crate) direction: Direction,
}

/// What a packet of an agreed payload type holds.
enum Content {
    Sound(Codec),
    Sign,
}

impl Plan {
    /// The plan of what was agreed with a far end whose signalling comes from `signalling`.
    pub(crate) fn new(agreed: &Agreed, signalling: Option<IpAddr>) -> Plan {
        Plan {
            codec: agreed.codec,
            payload_type: agreed.payload_type,
            events: agreed.events,
            remote: agreed.remote,
            signalling,
            direction: agreed.direction,
        }
    }

    /// Where the far end is; `None` while it holds the call by naming no address (RFC 2543): it is where it was.
    fn far_end(&self) -> Option<FarEnd> {
        let held = self.remote.is_none() && !self.direction.sends();
        (!held).then_some(FarEnd { declared: self.remote, signalling: self.signalling })
    }

    /// What a payload type stands for; `None` if it was not agreed.
    fn content(&self, payload_type: u8) -> Option<Content> {
        if payload_type == self.payload_type {
            Some(Content::Sound(self.codec))
        } else if payload_type == COMFORT_NOISE || Some(payload_type) == self.events {
            Some(Content::Sign)
        } else {
            None
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
    incoming_ssrc: Option<u32>,
    outgoing: Outgoing,
    sending: Sending,
    heard: Time,
    samples: Vec<i16>,
    payload: Vec<u8>,
}

impl Leg {
    pub(crate) fn new(now: Time, tag: Tag, plan: Plan, outgoing: Outgoing) -> Leg {
        Leg {
            tag,
            plan,
            latch: Latch::new(FarEnd { declared: plan.remote, signalling: plan.signalling }),
            jitter: JitterBuffer::default(),
            incoming_ssrc: None,
            outgoing,
            sending: Sending::NotYet,
            heard: now,
            samples: Vec::with_capacity(FRAME_SAMPLES),
            payload: Vec::with_capacity(FRAME_SAMPLES),
        }
    }

    /// The far end confirmed the call: sound may leave.
    pub(crate) fn start(&mut self, now: Time) {
        self.latch.confirm(now);
        if self.sending == Sending::NotYet {
            self.sending = Sending::First;
        }
    }

    /// Both ends agreed anew (hold, resume, another address or codec).
    pub(crate) fn change(&mut self, now: Time, plan: Plan) {
        if let Some(far) = plan.far_end() {
            self.latch.negotiate(now, far);
        }
        if plan.codec != self.plan.codec || !plan.direction.receives() {
            self.jitter.clear();
        }
        self.plan = plan;
        self.heard = now;
    }

    /// Takes in a datagram; what is not RTP of an agreed payload type from an accepted source is dropped.
    pub(crate) fn receive(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) {
        let Some((header, payload)) = Header::parse(datagram) else { return };
        let Some(content) = self.plan.content(header.payload_type) else { return };
        let kind = match content {
            Content::Sound(_) => Kind::Sound,
            Content::Sign => Kind::Sign,
        };
        let arrival = Arrival { from, kind, ssrc: header.ssrc, sequence: header.sequence };
        if !self.latch.accepts(now, &arrival) {
            return;
        }
        self.heard = now;
        match content {
            Content::Sound(codec) if self.plan.direction.receives() => {
                self.take_sound(codec, &header, payload)
            }
            Content::Sound(_) | Content::Sign => {}
        }
    }

    fn take_sound(&mut self, codec: Codec, header: &Header, payload: &[u8]) {
        if self.incoming_ssrc.replace(header.ssrc).is_some_and(|old| old != header.ssrc) {
            self.jitter.clear();
        }
        self.samples.clear();
        codec.decode(payload, &mut self.samples);
        self.jitter.insert(header.timestamp, &self.samples);
    }

    /// What the participant says in this tick.
    pub(crate) fn say(&mut self) -> Option<Frame> {
        self.jitter.pull()
    }

    /// Writes what the participant hears in this tick as a datagram, and tells where it goes.
    /// The stream's clock goes on even when nothing is sent.
    pub(crate) fn hear(&mut self, frame: &Frame, datagram: &mut Vec<u8>) -> Option<SocketAddr> {
        let timestamp = self.outgoing.timestamp;
        self.skip(1);
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
        self.payload.clear();
        self.plan.codec.encode(frame, &mut self.payload);
        header.write(&self.payload, datagram);
        Some(target)
    }

    /// Lets ticks pass without sending.
    pub(crate) fn skip(&mut self, ticks: u32) {
        let samples = (FRAME_SAMPLES as u32).wrapping_mul(ticks);
        self.outgoing.timestamp = self.outgoing.timestamp.wrapping_add(samples);
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
