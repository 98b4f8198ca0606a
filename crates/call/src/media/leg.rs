//! One leg: a participant's stream to and from this node, here over RTP. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use crate::audio::jitter::JitterBuffer;
use crate::audio::{Codec, FRAME_SAMPLES, Frame, TICK, Tag};
use crate::rtp::Header;
use crate::sdp::{Agreed, Content, Direction, Format, PacketTime, Rtcp};
use crate::time::Time;

use super::latch::Latch;

/// The static payload type of comfort noise (RFC 3551 section 6). Phones send it unasked: it counts as a sign of life
/// whether it was agreed or not.
const COMFORT_NOISE: u8 = 13;

/// What a call agreed on for its leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The codec that is sent.
    pub(crate) codec: Codec,
    /// The payload type that it is sent with.
    pub(crate) payload_type: u8,
    /// How much audio a packet that is sent holds.
    pub(crate) packet_time: PacketTime,
    /// All that is accepted.
    pub(crate) receives: Vec<Format>,
    /// Where audio is sent until the far end's source is known.
    pub(crate) remote: Option<SocketAddr>,
    /// Where RTCP is sent.
    pub(crate) rtcp: Option<Rtcp>,
    pub(crate) direction: Direction,
    /// The far end has put the call on hold: its audio is not for the conference.
    pub(crate) held: bool,
}

impl From<&Agreed> for Plan {
    fn from(agreed: &Agreed) -> Plan {
        let Agreed { codec, payload_type, packet_time, receives, remote, rtcp, direction, held } = agreed;
        Plan {
            codec: *codec,
            payload_type: *payload_type,
            packet_time: *packet_time,
            receives: receives.clone(),
            remote: *remote,
            rtcp: *rtcp,
            direction: *direction,
            held: *held,
        }
    }
}

impl Plan {
    /// What a received packet carries; `None` when its payload type was not agreed.
    fn content(&self, payload_type: u8) -> Option<Content> {
        let agreed = self.receives.iter().find(|format| format.payload_type == payload_type);
        let noise = Content::Noise { clock_rate: 8000 };
        agreed.map(|format| format.content).or((payload_type == COMFORT_NOISE).then_some(noise))
    }

    /// Whether the conference hears the far end.
    fn is_heard(&self) -> bool {
        self.direction.receives() && !self.held
    }

    /// The length of a packet that is sent: in bytes, as the codecs have one for each sample, and in timestamps.
    fn packet_length(&self) -> usize {
        FRAME_SAMPLES * self.packet_time.milliseconds() / TICK.as_millis() as usize
    }
}

/// The outgoing stream's place; it must go on without a jump when the leg moves to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    /// Of the first sample of the next packet.
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
    /// What the participant hears, encoded, until there is enough for a packet.
    unsent: Vec<u8>,
}

impl Leg {
    pub(crate) fn new(now: Time, tag: Tag, plan: Plan, outgoing: Outgoing) -> Leg {
        Leg {
            tag,
            latch: Latch::new(plan.remote),
            plan,
            jitter: JitterBuffer::default(),
            incoming_ssrc: None,
            outgoing,
            sending: Sending::NotYet,
            heard: now,
            samples: Vec::with_capacity(FRAME_SAMPLES),
            unsent: Vec::with_capacity(4 * FRAME_SAMPLES),
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
            // Drops what waits for its packet in the codec before.
            self.skip(0);
        }
        if plan.codec != self.plan.codec || !plan.is_heard() {
            self.jitter.clear();
        }
        self.plan = plan;
        self.heard = now;
    }

    /// Takes in a datagram. Only a packet of a type that was agreed can latch the source.
    pub(crate) fn receive(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) {
        let Some((header, payload)) = Header::parse(datagram) else { return };
        let Some(content) = self.plan.content(header.payload_type) else { return };
        if !self.latch.believes(now, from) {
            return;
        }
        self.heard = now;
        match content {
            Content::Sound(codec) if self.plan.is_heard() => self.take_sound(codec, &header, payload),
            // Signs of life that make no sound here, and the music of a call on hold.
            Content::Sound(_) | Content::Events { .. } | Content::Noise { .. } => {}
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

    /// Takes what the participant hears in this tick, for [`Leg::next_packet`]. The stream's clock goes on even when
    /// nothing is sent.
    pub(crate) fn hear(&mut self, frame: &Frame) {
        let is_sent = self.sending != Sending::NotYet && self.plan.direction.sends();
        if is_sent && self.latch.target().is_some() {
            self.plan.codec.encode(frame, &mut self.unsent);
            return;
        }
        self.skip(1);
        if self.sending == Sending::On && !is_sent {
            self.sending = Sending::First;
        }
    }

    /// Writes the next packet that is full as a datagram, and tells where it goes. Packets of 10 ms are two in a tick,
    /// those longer than a tick are one in some ticks.
    pub(crate) fn next_packet(&mut self, datagram: &mut Vec<u8>) -> Option<SocketAddr> {
        let target = self.latch.target()?;
        let length = self.plan.packet_length();
        let payload = self.unsent.get(..length)?;
        let header = Header {
            payload_type: self.plan.payload_type,
            marker: self.sending == Sending::First,
            sequence: self.outgoing.sequence,
            timestamp: self.outgoing.timestamp,
            ssrc: self.outgoing.ssrc,
        };
        header.write(payload, datagram);
        self.unsent.drain(..length);
        self.sending = Sending::On;
        self.outgoing.sequence = self.outgoing.sequence.wrapping_add(1);
        self.outgoing.timestamp = self.outgoing.timestamp.wrapping_add(length as u32);
        Some(target)
    }

    /// Lets ticks pass without sending; what waited for its packet is dropped.
    pub(crate) fn skip(&mut self, ticks: u32) {
        let samples = (FRAME_SAMPLES as u32).wrapping_mul(ticks).wrapping_add(self.unsent.len() as u32);
        self.unsent.clear();
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

#[cfg(test)]
#[path = "leg_tests.rs"]
mod tests;
