//! One leg: a participant's stream to and from this node, here over RTP. Pure.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::audio::jitter::JitterBuffer;
use crate::audio::{Codec, FRAME_SAMPLES, Frame, Tag};
use crate::rtcp;
use crate::rtp::Header;
use crate::sdp::{Agreed, Direction};
use crate::time::Time;

use super::control::{Channel, Control, Rtcp};
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
    /// Where RTCP is sent, if the far end can receive it.
    pub(crate) rtcp: Option<Rtcp>,
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
            rtcp: agreed.remote.and_then(Rtcp::above),
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
    control: Control,
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
            control: Control::new((u64::from(outgoing.ssrc) << 32) | u64::from(outgoing.timestamp)),
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
        self.control.start(now);
        if self.sending == Sending::NotYet {
            self.sending = Sending::First;
        }
    }

    /// Both ends agreed anew (hold, resume, another address or codec).
    pub(crate) fn change(&mut self, now: Time, plan: Plan) {
        if let Some(far) = plan.far_end() {
            self.latch.negotiate(now, far);
            if (plan.remote, plan.rtcp) != (self.plan.remote, self.plan.rtcp) {
                self.control.forget_source();
            }
        }
        if plan.codec != self.plan.codec || !plan.direction.receives() {
            self.jitter.clear();
        }
        self.plan = plan;
        self.heard = now;
    }

    /// Takes in a datagram; what does not come from the far end, or is of no agreed type, is dropped.
    pub(crate) fn receive(&mut self, now: Time, channel: Channel, from: SocketAddr, datagram: &[u8]) {
        if rtcp::is_rtcp(datagram) {
            self.receive_control(now, channel, from, datagram);
        } else if channel == Channel::Media {
            self.receive_media(now, from, datagram);
        }
    }

    /// RTCP is a sign of life, and that of one who sends no sound. A BYE ends a stream, not the call.
    fn receive_control(&mut self, now: Time, channel: Channel, from: SocketAddr, datagram: &[u8]) {
        let Some(received) = rtcp::read(datagram) else { return };
        let is_negotiated = self.plan.rtcp == Some(Rtcp::Address(from));
        if !is_negotiated && !self.latch.accepts_control(now, from, received.ssrc) {
            return;
        }
        self.heard = now;
        let source = (channel == Channel::Control).then_some(from);
        self.control.receive(now, &received, source);
    }

    fn receive_media(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) {
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
        self.control.count_received(now, &header, kind == Kind::Sound);
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
        self.control.count_sent(&self.payload);
        Some(target)
    }

    /// Writes the RTCP report of this tick as a datagram, if one is due, and tells where it goes. Called before
    /// [`Leg::hear`] in each tick, so that its time and its timestamp are of the same moment.
    pub(crate) fn report(
        &mut self,
        now: Time,
        cname: &str,
        datagram: &mut Vec<u8>,
    ) -> Option<(Channel, SocketAddr)> {
        let Outgoing { ssrc, timestamp, .. } = self.outgoing;
        let report = self.control.report(now, ssrc, timestamp, cname)?;
        report.write(datagram);
        // A far end that holds the call by naming no address wants no RTCP either (RFC 2543 appendix B.5).
        self.plan.far_end().and_then(|_| self.control_target())
    }

    /// Where reports go: to the negotiated address, or to where its RTCP comes from if the far end is behind address
    /// translation, as the source of its sound shows.
    fn control_target(&self) -> Option<(Channel, SocketAddr)> {
        let sound = self.latch.target();
        let translated = sound.map(|sound| sound.ip()) != self.plan.remote.map(|remote| remote.ip());
        let negotiated = match self.plan.rtcp {
            Some(Rtcp::Muxed) => return sound.map(|sound| (Channel::Media, sound)),
            Some(Rtcp::Address(address)) if !translated => Some(address),
            Some(Rtcp::Address(_)) | None => None,
        };
        negotiated.or(self.control.source()).map(|address| (Channel::Control, address))
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
