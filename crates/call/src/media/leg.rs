//! One leg: a participant's stream to and from this node, here over RTP. Pure but for its handshake.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::audio::activity::Activity;
use crate::audio::jitter::JitterBuffer;
use crate::audio::mixer::{Listener, Mixer};
use crate::audio::{Codec, TICK, Tag};
use crate::handover::message::{ExportedReceived, ExportedStream};
use crate::participants::Voice;
use crate::rtcp;
use crate::rtp::Header;
use crate::sdp::{Agreed, Content, Direction, Format, Keys, PacketTime, Rtcp, Security};
use crate::srtp::Received;
use crate::time::Time;

use super::control::{Channel, Control};
use super::handshake::{Handshake, Identity, NoKeys, is_handshake};
use super::latch::{Arrival, FarEnd, Kind, Latch};
use super::protection::Protection;
use super::statistics::LegStatistics;

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
    /// Where RTCP is sent, if the far end can receive it.
    pub(crate) rtcp: Option<Rtcp>,
    /// Where the call's signalling comes from: sound of a far end behind address translation comes from there too.
    pub(crate) signalling: Option<IpAddr>,
    /// The flow seen from this node.
    pub(crate) direction: Direction,
    /// The far end has put the call on hold: its audio is not for the conference.
    pub(crate) held: bool,
    /// How the packets of both directions are protected.
    pub(crate) security: Security,
}

impl Plan {
    /// The plan of what was agreed with a far end whose signalling comes from `signalling`.
    pub(crate) fn new(agreed: &Agreed, signalling: Option<IpAddr>) -> Plan {
        let Agreed { codec, payload_type, packet_time, receives, remote, rtcp, direction, held, security } =
            agreed;
        Plan {
            codec: *codec,
            payload_type: *payload_type,
            packet_time: *packet_time,
            receives: receives.clone(),
            remote: *remote,
            rtcp: *rtcp,
            signalling,
            direction: *direction,
            held: *held,
            security: security.clone(),
        }
    }

    /// Where the far end is; `None` while it holds the call by naming no address (RFC 2543): it is where it was.
    fn far_end(&self) -> Option<FarEnd> {
        let held = self.remote.is_none() && !self.direction.sends();
        (!held).then_some(FarEnd { declared: self.remote, signalling: self.signalling })
    }

    /// What a received packet carries; `None` when its payload type was not agreed.
    fn content(&self, payload_type: u8) -> Option<Content> {
        let agreed = self.receives.iter().find(|format| format.payload_type == payload_type);
        let noise = Content::Noise { clock_rate: 8000 };
        agreed.map(|format| format.content).or((payload_type == COMFORT_NOISE).then_some(noise))
    }

    /// The keys of the packets, if the descriptions name them.
    fn keys(&self) -> Option<&Keys> {
        match &self.security {
            Security::Plain | Security::Handshake(_) => None,
            Security::Keys(keys) => Some(keys),
        }
    }

    /// Whether the conference hears the far end.
    fn is_heard(&self) -> bool {
        self.direction.receives() && !self.held
    }

    /// The bytes of a packet that is sent; `None` for a codec whose payload of one tick is a packet, whatever its
    /// length.
    fn packet_bytes(&self) -> Option<usize> {
        let per_tick = self.codec.bytes_per_tick()?;
        Some(per_tick * self.packet_time.milliseconds() / TICK.as_millis() as usize)
    }

    /// How far a packet that is sent takes the timestamps.
    fn packet_timestamps(&self) -> u32 {
        let milliseconds = self.packet_time.milliseconds() as u32;
        self.codec.timestamps_per_tick() * milliseconds / TICK.as_millis() as u32
    }

    /// How far so many bytes take the timestamps that are not a packet yet.
    fn timestamps_of(&self, bytes: usize) -> u32 {
        match self.codec.bytes_per_tick() {
            Some(per_tick) => self.codec.timestamps_per_tick() * bytes as u32 / per_tick as u32,
            None if bytes > 0 => self.codec.timestamps_per_tick(),
            None => 0,
        }
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
    control: Control,
    /// Of a leg whose packets are not in the clear, as soon as it has keys.
    protection: Option<Protection>,
    handshake: Option<Handshake>,
    /// Where the handshake is made with, if not with where sound goes.
    handshake_from: Option<SocketAddr>,
    /// The datagram that is read, in the clear.
    opened: Vec<u8>,
    /// The codec that the far end has sent last.
    incoming: Codec,
    jitter: JitterBuffer,
    activity: Activity,
    incoming_ssrc: Option<u32>,
    outgoing: Outgoing,
    sending: Sending,
    voice: Voice,
    heard: Time,
    listener: Listener,
    /// What the participant hears, encoded, until there is enough for a packet.
    unsent: Vec<u8>,
}

impl Leg {
    pub(crate) fn new(now: Time, tag: Tag, plan: Plan, outgoing: Outgoing) -> Leg {
        Leg {
            tag,
            latch: Latch::new(FarEnd { declared: plan.remote, signalling: plan.signalling }),
            control: Control::new((u64::from(outgoing.ssrc) << 32) | u64::from(outgoing.timestamp)),
            incoming: plan.codec,
            jitter: JitterBuffer::new(plan.codec),
            activity: Activity::default(),
            protection: plan.keys().map(Protection::new),
            handshake: None,
            handshake_from: None,
            opened: Vec::new(),
            plan,
            incoming_ssrc: None,
            outgoing,
            sending: Sending::NotYet,
            voice: Voice::Heard,
            heard: now,
            listener: Listener::default(),
            unsent: Vec::new(),
        }
    }

    /// The far end confirmed the call: sound may leave.
    pub(crate) fn start(&mut self, now: Time) {
        self.latch.confirm(now);
        self.control.start(now);
        if self.sending == Sending::NotYet {
            self.sending = Sending::First;
            self.handshake.iter_mut().for_each(|handshake| handshake.wait_from(now));
        }
    }

    /// Has the others hear the participant, or not. Its packets are signs of life all the same.
    pub(crate) fn set_voice(&mut self, voice: Voice) {
        if voice == Voice::Muted {
            self.jitter.clear();
        }
        self.voice = voice;
    }

    /// What was counted of both streams.
    pub(crate) fn statistics(&self) -> LegStatistics {
        let (received, sent) = (self.incoming, self.plan.codec);
        LegStatistics { received: self.control.received(received), sent: self.control.sent_statistics(sent) }
    }

    /// Where the outgoing stream has come to. What waits for its packet is not counted: it is not sent.
    pub(crate) fn stream(&self) -> ExportedStream {
        let Outgoing { ssrc, sequence, timestamp } = self.outgoing;
        let (packets, octets) = self.control.sent();
        let sealed = self.protection.as_ref().map(|protection| protection.export_sealed(ssrc));
        ExportedStream { ssrc, sequence, timestamp, packets, octets, target: self.latch.target(), sealed }
    }

    /// How far the streams of the far end have come, if they are encrypted.
    pub(crate) fn received(&self) -> Option<Vec<ExportedReceived>> {
        self.protection.as_ref().map(Protection::export_received)
    }

    /// The streams of the far end go on from where another process has seen them.
    pub(crate) fn go_on_receiving(&mut self, received: Received) {
        if let (Some(protection), Security::Keys(keys)) = (&mut self.protection, &self.plan.security) {
            protection.go_on_receiving(keys, received);
        }
    }

    /// The outgoing stream goes on from where another process has left it. In a protected leg that must be known of its
    /// packets as well: without it, the leg keeps a stream of its own, whose indices nobody has used.
    pub(crate) fn resume(&mut self, stream: ExportedStream) {
        let ExportedStream { ssrc, sequence, timestamp, packets, octets, target, sealed } = stream;
        self.latch.resume(target);
        match (&mut self.protection, sealed) {
            (Some(_), None) => return,
            (Some(protection), Some(sealed)) => protection.resume((ssrc, sequence), sealed),
            (None, _) => {}
        }
        self.outgoing = Outgoing { ssrc, sequence, timestamp };
        self.control.resume(packets, octets);
    }

    /// Both ends agreed anew (hold, resume, another address or codec).
    pub(crate) fn change(&mut self, now: Time, plan: Plan) {
        if let Some(far) = plan.far_end() {
            self.latch.negotiate(now, far);
            if (plan.remote, plan.rtcp) != (self.plan.remote, self.plan.rtcp) {
                self.control.forget_source();
            }
        }
        if plan.codec != self.plan.codec {
            // Drops what waits for its packet in the codec before.
            self.advance(0);
        }
        if !plan.is_heard() {
            self.jitter.clear();
        }
        self.protect(&plan);
        self.plan = plan;
        self.heard = now;
    }

    /// Protects the packets as agreed in `plan`. Under keys of a handshake they are protected as before until it is over.
    fn protect(&mut self, plan: &Plan) {
        match &plan.security {
            Security::Plain => self.protection = None,
            Security::Keys(keys) => self.take_keys(keys),
            Security::Handshake(_) => {}
        }
    }

    /// Goes on under these keys. A far end may go on counting our packets over a change of our key or begin anew
    /// (RFC 3711 section 3.3.1, RFC 4568 section 7.1.4). Once the sequence numbers have wrapped it matters, and another
    /// SSRC leaves no choice: its count begins anew for all.
    fn take_keys(&mut self, keys: &Keys) {
        let Some(protection) = &mut self.protection else {
            self.protection = Some(Protection::new(keys));
            return;
        };
        let sent = protection.sent();
        if sent.key != keys.ours && sent.rollover(self.outgoing.ssrc) > 0 {
            self.outgoing.ssrc = self.outgoing.ssrc.wrapping_add(1);
            self.control.begin_stream();
        }
        protection.renew(keys);
    }

    /// Begins the handshake that was agreed, if it is not the one that there is. Called when the leg has joined, and after
    /// each change.
    pub(crate) fn begin_handshake(&mut self, now: Time, identity: &Identity) {
        let Security::Handshake(agreed) = &self.plan.security else {
            self.handshake = None;
            return;
        };
        // Another address of the far end is another handshake (RFC 5763 section 6.6).
        let is_other = |handshake: &Handshake| !handshake.is_for(agreed, self.plan.remote);
        if self.handshake.as_ref().is_none_or(is_other) {
            self.handshake = Some(Handshake::new(now, identity, agreed, self.plan.remote));
            self.handshake_from = None;
        }
    }

    /// Takes in a datagram of the handshake from an address that a source may have.
    fn shake_hands(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) {
        let Some(handshake) = self.handshake.as_mut().filter(|_| self.latch.admits(now, from)) else {
            return;
        };
        self.handshake_from = Some(from);
        let keys = handshake.receive(now, datagram);
        self.finish_handshake(now, keys);
    }

    fn finish_handshake(&mut self, now: Time, keys: Option<Keys>) {
        let (Some(keys), Some(from)) = (keys, self.handshake_from) else { return };
        self.latch.prove(from);
        self.take_keys(&keys);
        self.heard = now;
    }

    /// Writes the next datagram of the handshake, and returns where it goes. An answer to the INVITE that is not confirmed
    /// begins nothing: see [`Sending::NotYet`].
    pub(crate) fn next_handshake_packet(&mut self, now: Time, datagram: &mut Vec<u8>) -> Option<SocketAddr> {
        let handshake = self.handshake.as_mut()?;
        let target = self.handshake_from.or(self.latch.target())?;
        if self.handshake_from.is_none() && self.sending == Sending::NotYet {
            return None;
        }
        let keys = handshake.pass_time(now);
        let packet = handshake.next_packet();
        self.finish_handshake(now, keys);
        *datagram = packet?;
        Some(target)
    }

    /// Whether sound has a way: in the clear, or under keys.
    fn has_way(&self) -> bool {
        self.plan.security == Security::Plain || self.protection.is_some()
    }

    /// Takes in a datagram; what does not come from the far end, or is of no agreed type, is dropped.
    pub(crate) fn receive(&mut self, now: Time, channel: Channel, from: SocketAddr, datagram: &[u8]) {
        if is_handshake(datagram) && channel == Channel::Media {
            return self.shake_hands(now, from, datagram);
        }
        let Some(protection) = &mut self.protection else {
            if self.has_way() {
                self.read(now, channel, from, datagram);
            }
            return;
        };
        let mut opened = mem::take(&mut self.opened);
        if protection.open(now, datagram, &mut opened) {
            self.read(now, channel, from, &opened);
        }
        self.opened = opened;
    }

    /// Takes in a datagram in the clear. In a protected leg it is genuine.
    fn read(&mut self, now: Time, channel: Channel, from: SocketAddr, datagram: &[u8]) {
        if rtcp::is_rtcp(datagram) {
            self.receive_control(now, channel, from, datagram);
        } else if channel == Channel::Media {
            self.receive_media(now, from, datagram);
        }
    }

    /// RTCP is a sign of life, and that of one who sends no sound. A BYE ends a stream, not the call.
    fn receive_control(&mut self, now: Time, channel: Channel, from: SocketAddr, datagram: &[u8]) {
        let Some(received) = rtcp::read(datagram, self.outgoing.ssrc) else { return };
        let is_known = self.protection.is_some() || self.plan.rtcp == Some(Rtcp::Address(from));
        if !is_known && !self.latch.accepts_control(now, from, received.ssrc) {
            return;
        }
        self.heard = now;
        let source = (channel == Channel::Control).then_some(from);
        self.control.receive(now, &received, source);
    }

    fn receive_media(&mut self, now: Time, from: SocketAddr, datagram: &[u8]) {
        let Some((header, payload)) = Header::parse(datagram) else { return };
        let Some(content) = self.plan.content(header.payload_type) else { return };
        let (kind, clock_rate) = match content {
            Content::Sound(codec) => (Kind::Sound, Some(codec.clock_rate())),
            Content::Events { .. } | Content::Noise { .. } => (Kind::Sign, None),
        };
        let arrival = Arrival { from, kind, ssrc: header.ssrc, sequence: header.sequence };
        if self.protection.is_some() {
            self.latch.follow(now, &arrival);
        } else if !self.latch.accepts(now, &arrival) {
            return;
        }
        self.heard = now;
        self.control.count_received(now, &header, clock_rate);
        match content {
            Content::Sound(codec) if self.plan.is_heard() && self.voice == Voice::Heard => {
                self.take_sound(codec, &header, payload);
            }
            // Signs of life that make no sound here, and the music of a call on hold.
            Content::Sound(_) | Content::Events { .. } | Content::Noise { .. } => {}
        }
    }

    fn take_sound(&mut self, codec: Codec, header: &Header, payload: &[u8]) {
        let law = |codec| matches!(codec, Codec::Pcmu | Codec::Pcma);
        if codec != self.incoming && !(law(codec) && law(self.incoming)) {
            self.incoming = codec;
            self.jitter = JitterBuffer::new(codec);
        }
        if self.incoming_ssrc.replace(header.ssrc).is_some_and(|old| old != header.ssrc) {
            self.jitter.clear();
        }
        if codec == self.incoming {
            self.jitter.insert(header.sequence, header.timestamp, payload);
        } else {
            // A far end may change between both laws of G.711 at any packet: sound goes on in the one that it began in.
            let (mut samples, mut converted) = (Vec::new(), Vec::new());
            codec.decode(payload, &mut samples);
            self.incoming.encode(&samples, &mut converted);
            self.jitter.insert(header.sequence, header.timestamp, &converted);
        }
    }

    /// Adds what the participant says in this tick.
    pub(crate) fn say(&mut self, mixer: &mut Mixer) {
        if let Some(samples) = self.jitter.pull() {
            mixer.add(self.tag, self.incoming.rate(), self.activity.sound(samples));
        }
    }

    /// Takes what the participant hears in this tick, for [`Leg::next_packet`]. The stream's clock goes on even when
    /// nothing is sent.
    pub(crate) fn hear(&mut self, mixer: &mut Mixer) {
        let is_sent = self.sending != Sending::NotYet && self.plan.direction.sends() && self.has_way();
        if is_sent && self.latch.target().is_some() {
            let payload = mixer.payload(self.tag.participant, self.plan.codec, &mut self.listener);
            self.unsent.extend_from_slice(payload);
            return;
        }
        self.advance(1);
        if self.sending == Sending::On && !is_sent {
            self.sending = Sending::First;
        }
    }

    /// Writes the next packet that is full as a datagram, and returns where it goes. Packets of 10 ms are two in a tick,
    /// those longer than a tick are one in some ticks.
    pub(crate) fn next_packet(&mut self, datagram: &mut Vec<u8>) -> Option<SocketAddr> {
        let target = self.latch.target()?;
        let length = self.plan.packet_bytes().unwrap_or(self.unsent.len());
        let payload = self.unsent.get(..length).filter(|payload| !payload.is_empty())?;
        let header = Header {
            payload_type: self.plan.payload_type,
            marker: self.sending == Sending::First,
            sequence: self.outgoing.sequence,
            timestamp: self.outgoing.timestamp,
            ssrc: self.outgoing.ssrc,
        };
        header.write(payload, datagram);
        self.control.count_sent(payload);
        self.unsent.drain(..length);
        self.sending = Sending::On;
        self.outgoing.sequence = self.outgoing.sequence.wrapping_add(1);
        self.outgoing.timestamp = self.outgoing.timestamp.wrapping_add(self.plan.packet_timestamps());
        self.seal(datagram).then_some(target)
    }

    /// Protects a datagram in a protected leg. False if it must not be sent.
    fn seal(&mut self, datagram: &mut Vec<u8>) -> bool {
        self.protection.as_mut().is_none_or(|protection| protection.seal(datagram))
    }

    /// Writes the RTCP report of this tick as a datagram, if one is due, and returns where it goes. Called before
    /// [`Leg::hear`] in each tick, so that its time and its timestamp are of the same moment.
    pub(crate) fn report(
        &mut self,
        now: Time,
        cname: &str,
        datagram: &mut Vec<u8>,
    ) -> Option<(Channel, SocketAddr)> {
        let Outgoing { ssrc, timestamp, .. } = self.outgoing;
        let timestamp = timestamp.wrapping_add(self.plan.timestamps_of(self.unsent.len()));
        let report = self.control.report(now, ssrc, timestamp, cname)?;
        if !self.has_way() {
            return None;
        }
        report.write(datagram);
        // A far end that holds the call by naming no address wants no RTCP either (RFC 2543 appendix B.5).
        let target = self.plan.far_end().and_then(|_| self.control_target())?;
        self.seal(datagram).then_some(target)
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

    /// Lets ticks pass in which nothing is said or heard.
    pub(crate) fn skip(&mut self, ticks: u32) {
        self.jitter.skip(ticks);
        self.advance(ticks);
    }

    /// Lets ticks pass without sending; what waited for its packet is dropped.
    fn advance(&mut self, ticks: u32) {
        let dropped = self.plan.timestamps_of(self.unsent.len());
        let passed = self.plan.codec.timestamps_per_tick().wrapping_mul(ticks);
        self.unsent.clear();
        self.outgoing.timestamp = self.outgoing.timestamp.wrapping_add(passed).wrapping_add(dropped);
    }

    /// How far its protection has come, if its packets are not in the clear.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn protected_state(&self) -> Option<super::protection::State> {
        self.protection.as_ref().map(Protection::state)
    }

    /// Why a handshake has given no keys for so long that none are expected any more. Under those of an earlier handshake
    /// sound may go on all the same.
    pub(crate) fn lacks_keys(&mut self, now: Time) -> Option<NoKeys> {
        let waits = self.sending != Sending::NotYet && self.plan.far_end().is_some();
        let why = self.handshake.as_mut().filter(|_| waits)?.expire(now)?;
        (!self.has_way()).then_some(why)
    }

    /// Whether nothing was heard for `timeout` although sound should come both ways; reported again after
    /// each further `timeout`. While the far end holds the call, or only listens, its session timer
    /// decides instead; while there are no keys, [`Leg::lacks_keys`] does.
    pub(crate) fn fell_silent(&mut self, now: Time, timeout: Duration) -> bool {
        let expected = self.plan.direction == Direction::SendReceive && self.has_way();
        let silent = expected && now.since(self.heard) >= timeout;
        if silent {
            self.heard = now;
        }
        silent
    }
}

#[cfg(test)]
#[path = "leg_codecs_tests.rs"]
mod codecs_tests;
#[cfg(test)]
#[path = "leg_handshake_tests.rs"]
mod handshake_tests;
#[cfg(test)]
#[path = "leg_protected_tests.rs"]
mod protected_tests;
#[cfg(test)]
#[path = "leg_tests.rs"]
mod tests;
