//! Which source a leg accepts sound from, and where its own sound goes (RFC 7362, latching, with the limits of
//! decision 31). Relies on the negotiated address and on that of the signalling; reads no clock.
//!
//! A third party that can send to every port of this node, but can neither see nor forge the packets of the far end,
//! must neither be heard nor be sent sound.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::time::Time;

/// How long after a negotiation a source with another port than the negotiated one may begin. A 200 that is lost three
/// times arrives after 3.5 seconds, and a device opens its microphone within a few more.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// How long a source is silent before its stream is accepted from another port: longer than the usual jitter, short
/// enough that a new binding of an address translator costs half a second of sound.
pub(crate) const REBIND_AFTER: Duration = Duration::from_millis(500);

/// How far ahead the sequence number of a stream may be on its new port (RFC 3550 appendix A.1, `MAX_DROPOUT`): one
/// minute of packets of 20 ms.
const MAX_AHEAD: u16 = 3000;

/// A source that is silent for this long when a negotiation ends may have another port afterwards.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// How long packets that were sent before a negotiation may still arrive.
const IN_FLIGHT: Duration = Duration::from_secs(1);

/// Where the far end is, as the negotiation shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FarEnd {
    /// The address of its session description.
    pub(crate) declared: Option<SocketAddr>,
    /// The address that its signalling comes from.
    pub(crate) signalling: Option<IpAddr>,
}

impl FarEnd {
    /// Without what cannot be one far end's address, in one form for each address.
    fn usable(self) -> FarEnd {
        let unicast = |ip: IpAddr| match ip {
            IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        };
        let declared = self.declared.map(canonical);
        FarEnd {
            declared: declared.filter(|address| address.port() != 0 && unicast(address.ip())),
            signalling: self.signalling.map(|ip| ip.to_canonical()).filter(|ip| unicast(*ip)),
        }
    }

    fn has(&self, ip: IpAddr) -> bool {
        self.declared.map(|address| address.ip()) == Some(ip) || self.signalling == Some(ip)
    }
}

/// What a packet of an agreed payload type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sound: it can begin a source.
    Sound,
    /// Comfort noise, a telephone event: a sign of life.
    Sign,
}

/// What of a packet decides whether it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) from: SocketAddr,
    pub(crate) kind: Kind,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
}

/// The sources of a leg.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latch {
    far: FarEnd,
    target: Option<SocketAddr>,
    source: Option<Source>,
    announced: Option<Announced>,
    window: Window,
}

/// The accepted source.
#[derive(Clone, Copy, Debug)]
struct Source {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    heard: Time,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// No other begins beside it.
    Settled,
    /// It was accepted before the last negotiation. Another may take its place, until it is heard from this time on.
    Replaceable { settles_from: Time },
}

/// A stream that was seen in the window without sound of its own: its sound may begin later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Announced {
    ip: IpAddr,
    ssrc: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Window {
    /// Open: the far end has not confirmed the call, so it may not know this node's port yet.
    Unconfirmed,
    /// Open until then.
    Until(Time),
}

impl Latch {
    /// A latch without a source.
    pub(crate) fn new(far: FarEnd) -> Latch {
        let far = far.usable();
        Latch { far, target: far.declared, source: None, announced: None, window: Window::Unconfirmed }
    }

    /// Another process has sent sound to this address: the source that it has accepted. Sound goes there until a source
    /// is accepted here, which an address translator may give another port.
    pub(crate) fn resume(&mut self, target: Option<SocketAddr>) {
        if self.source.is_none() {
            self.target = target.filter(|target| self.far.has(canonical(*target).ip())).or(self.target);
        }
    }

    /// The far end confirmed the call: from now on it can send.
    pub(crate) fn confirm(&mut self, now: Time) {
        if self.window == Window::Unconfirmed {
            self.window = Window::Until(now + WINDOW);
        }
    }

    /// Both ends agreed anew. Sources may begin again if the far end is elsewhere, or was silent.
    pub(crate) fn negotiate(&mut self, now: Time, far: FarEnd) {
        let (before, far) = (self.far, far.usable());
        let silent = self.source.is_none_or(|source| now.since(source.heard) >= SILENCE);
        self.far = far;
        if far.declared != before.declared {
            self.target = far.declared;
        }
        if far != before {
            self.reopen(now, now + IN_FLIGHT);
        } else if silent {
            self.reopen(now, now);
        }
    }

    fn reopen(&mut self, now: Time, settles_from: Time) {
        self.announced = None;
        if let Some(source) = &mut self.source {
            source.standing = Standing::Replaceable { settles_from };
        }
        if self.window != Window::Unconfirmed {
            self.window = Window::Until(now + WINDOW);
        }
    }

    /// Whether an RTP packet is accepted; remembers its source if so.
    pub(crate) fn accepts(&mut self, now: Time, arrival: &Arrival) -> bool {
        let from = canonical(arrival.from);
        if self.far.declared == Some(from) {
            self.settle(now, arrival);
            return true;
        }
        if self.source.is_some_and(|source| source.address == from) {
            return self.accepts_known(now, arrival);
        }
        match arrival.kind {
            Kind::Sound if self.may_begin(now, from.ip()) || self.continues(now, arrival) => {
                self.settle(now, arrival);
                true
            }
            Kind::Sign => self.announce(now, from.ip(), arrival.ssrc),
            Kind::Sound => false,
        }
    }

    /// Follows an RTP packet that the far end alone can have made, and that has not come before: wherever it comes from,
    /// sound goes there. A late one and those from where the far end was before a negotiation move nothing.
    pub(crate) fn follow(&mut self, now: Time, arrival: &Arrival) {
        let from = canonical(arrival.from);
        match &mut self.source {
            Some(source) if source.address == from && source.is_leaving(now) => source.hear(now, arrival),
            Some(source) if source.address != from && !source.precedes(arrival) => {}
            Some(_) | None => self.settle(now, arrival),
        }
    }

    /// Whether a handshake may be made with an address: the negotiated one, the source, and a known one as long as a
    /// source may begin.
    pub(crate) fn admits(&self, now: Time, from: SocketAddr) -> bool {
        let from = canonical(from);
        let is_source = self.source.is_some_and(|source| source.address == from);
        self.far.declared == Some(from) || is_source || (self.is_open(now) && self.far.has(from.ip()))
    }

    /// The far end has proved by a handshake that it is at this address. Sound goes there until it comes from elsewhere.
    pub(crate) fn prove(&mut self, from: SocketAddr) {
        if self.source.is_none() {
            self.target = Some(from);
        }
    }

    /// Whether an RTCP packet is accepted that comes from another address than the negotiated one.
    pub(crate) fn accepts_control(&mut self, now: Time, from: SocketAddr, ssrc: u32) -> bool {
        let from = canonical(from);
        match self.source {
            Some(source) if source.address == from => true,
            Some(source) => {
                source.ssrc == ssrc && (source.address.ip() == from.ip() || self.far.has(from.ip()))
            }
            None => self.far.declared == Some(from) || self.announce(now, from.ip(), ssrc),
        }
    }

    /// Where sound is sent: to the accepted source, before there is one to the declared address.
    pub(crate) fn target(&self) -> Option<SocketAddr> {
        self.target
    }

    /// A packet of the address that was accepted before. After a negotiation that moved the far end elsewhere it is
    /// accepted only for as long as such packets may be under way.
    fn accepts_known(&mut self, now: Time, arrival: &Arrival) -> bool {
        let Some(source) = &mut self.source else { return false };
        match source.standing {
            Standing::Replaceable { .. } if source.is_leaving(now) => source.hear(now, arrival),
            Standing::Replaceable { .. } if !self.far.has(source.address.ip()) => return false,
            Standing::Replaceable { .. } => self.settle(now, arrival),
            Standing::Settled => source.hear(now, arrival),
        }
        true
    }

    fn settle(&mut self, now: Time, arrival: &Arrival) {
        let address = canonical(arrival.from);
        match &mut self.source {
            Some(source) if source.address == address => {
                source.standing = Standing::Settled;
                source.hear(now, arrival);
            }
            source => {
                let Arrival { ssrc, sequence, .. } = *arrival;
                *source = Some(Source { address, ssrc, sequence, heard: now, standing: Standing::Settled });
            }
        }
        self.target = Some(arrival.from);
    }

    /// Whether another port of a known address may begin a source: once, in the window.
    fn may_begin(&self, now: Time, ip: IpAddr) -> bool {
        let settled = self.source.is_some_and(|source| source.standing == Standing::Settled);
        !settled && self.is_open(now) && self.far.has(ip)
    }

    /// Whether a packet goes on with a known stream from another port of a known address, while the port before is
    /// silent. The random SSRC shows that it is the same stream.
    fn continues(&self, now: Time, arrival: &Arrival) -> bool {
        let ip = canonical(arrival.from).ip();
        match (self.source, self.announced) {
            (Some(source), _) => {
                let ahead = arrival.sequence.wrapping_sub(source.sequence);
                source.ssrc == arrival.ssrc
                    && (1..=MAX_AHEAD).contains(&ahead)
                    && now.since(source.heard) >= REBIND_AFTER
                    && (source.address.ip() == ip || self.far.has(ip))
            }
            (None, Some(announced)) => announced == Announced { ip, ssrc: arrival.ssrc },
            (None, None) => false,
        }
    }

    /// Whether a stream without sound is known; the first one that is seen in the window is remembered.
    fn announce(&mut self, now: Time, ip: IpAddr, ssrc: u32) -> bool {
        let stream = Announced { ip, ssrc };
        if self.source.is_some() {
            return false;
        }
        if self.announced.is_none() && self.is_open(now) && self.far.has(ip) {
            self.announced = Some(stream);
        }
        self.announced == Some(stream)
    }

    fn is_open(&self, now: Time) -> bool {
        match self.window {
            Window::Unconfirmed => true,
            Window::Until(end) => now < end,
        }
    }
}

impl Source {
    /// Whether what comes from it may have been sent before the last negotiation.
    fn is_leaving(&self, now: Time) -> bool {
        match self.standing {
            Standing::Settled => false,
            Standing::Replaceable { settles_from } => now < settles_from,
        }
    }

    /// Whether a packet of elsewhere is later than the last one of this source.
    fn precedes(&self, arrival: &Arrival) -> bool {
        let ahead = arrival.sequence.wrapping_sub(self.sequence);
        self.ssrc != arrival.ssrc || (1..1 << 15).contains(&ahead)
    }

    fn hear(&mut self, now: Time, arrival: &Arrival) {
        let newer = arrival.sequence.wrapping_sub(self.sequence) < 1 << 15;
        if newer || self.ssrc != arrival.ssrc {
            self.sequence = arrival.sequence;
        }
        self.ssrc = arrival.ssrc;
        self.heard = now;
    }
}

/// One form for each address: an IPv4 address within an IPv6 address, and a link-local one with its interface, are
/// written in two ways.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
#[path = "latch_tests.rs"]
mod tests;
