//! All offers and answers of one call (RFC 3264), and what both ends agreed on last.
//!
//! Plain data: a copy of it goes on with the call in another process. The SIP side asks for our description, sends
//! it, and says what became of it; the order of offers is its concern (RFC 3261 section 14).

use std::net::{IpAddr, SocketAddr};

use rand::Rng;

use crate::audio::Codec;

use super::codecs::{self, Content};
use super::description::{self, Medium};
use super::formats::{self, Format};
use super::numbers::Numbers;
use super::offer::{self, Audio, Offer};
use super::ours::{Line, Local, Ours};
use super::packet_time::{self, PacketTime};
use super::rtcp::{self, Rtcp};
use super::security::{self, Security};
use super::unacceptable::Unacceptable;
use super::{Direction, Family, address, direction};

/// What both ends agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The codec that is sent.
    pub(crate) codec: Codec,
    /// The payload type that it is sent with: the far end's number.
    pub(crate) payload_type: u8,
    /// How much audio a packet of ours holds.
    pub(crate) packet_time: PacketTime,
    /// All that the far end may send, with our numbers.
    pub(crate) receives: Vec<Format>,
    /// The media address of the far end; `None` if it names none that this node can send to.
    pub(crate) remote: Option<SocketAddr>,
    /// Where RTCP goes; `None` if that is not known.
    pub(crate) rtcp: Option<Rtcp>,
    /// The flow seen from this node.
    pub(crate) direction: Direction,
    /// The far end has put the call on hold: what it sends, such as music, is for nobody. A far end that never wanted
    /// to receive is not on hold when it only sends: it is there to talk.
    pub(crate) held: bool,
    /// How the packets of both directions are protected.
    pub(crate) security: Security,
}

impl Agreed {
    /// The same with this protection. A handshake is made over the port of the audio alone, so RTCP over another one
    /// has no keys.
    fn protected(self, security: Security) -> Agreed {
        let has_keys = self.rtcp == Some(Rtcp::Muxed) || !matches!(security, Security::Handshake(_));
        Agreed { rtcp: self.rtcp.filter(|_| has_keys), security, ..self }
    }
}

/// The offers and answers of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Negotiation {
    pub(super) local: Local,
    /// The address in `o=`: the first one of the call, wherever its media goes later (RFC 3264 section 8).
    pub(super) origin: IpAddr,
    /// Of our description; counts its changes.
    pub(super) version: u64,
    pub(super) ours: Option<Ours>,
    /// Our description is an offer that is not answered yet.
    pub(super) is_offered: bool,
    pub(super) agreed: Option<Agreed>,
    pub(super) numbers: Numbers,
    /// The far end has taken part both ways, so that it is on hold when it no longer receives.
    pub(super) took_part: bool,
}

impl Negotiation {
    /// A call in which nothing was offered yet.
    pub(crate) fn new(local: Local) -> Negotiation {
        Negotiation {
            local,
            origin: local.address.ip(),
            version: 0,
            ours: None,
            is_offered: false,
            agreed: None,
            numbers: Numbers::default(),
            took_part: false,
        }
    }

    /// What both ends agreed on last.
    pub(crate) fn agreed(&self) -> Option<&Agreed> {
        self.agreed.as_ref()
    }

    /// The family of the addresses of both ends: for the whole call that of the first one of this node.
    pub(crate) fn family(&self) -> Family {
        Family::of(self.origin)
    }

    /// Whether an offer of the far end can be agreed to: its audio has not gone to the other family of addresses.
    ///
    /// # Errors
    /// It has.
    pub(crate) fn check(&self, offer: &Offer) -> Result<(), Unacceptable> {
        let audio = offer.audio(self.ours.as_ref().map(|ours| ours.audio), self.local.address);
        audio.map_or(Ok(()), |audio| offer::check_family(audio.medium, self.local.address))
    }

    /// Our description as it was last made by an answer or an offer; empty before.
    pub(crate) fn description(&self) -> String {
        self.ours.as_ref().map_or_else(String::new, |ours| ours.write(&self.local, self.origin, self.version))
    }

    /// Agrees to an offer of the far end; returns our answer. Takes the first codec of the far end that this node has and
    /// whose packets are short enough for it, and with it telephone events and comfort noise of the same clock rate. An
    /// offer of ours that waits for its answer is withdrawn. `random` makes our key if one is needed.
    pub(crate) fn answer_to(&mut self, offer: &Offer, random: &mut dyn Rng) -> String {
        self.is_offered = false;
        // The offer has a usable line, or it would not have been read.
        if let Some(audio) = offer.audio(self.ours.as_ref().map(|ours| ours.audio), self.local.address)
            && let Some((sent, chosen)) = choose(audio.medium, &audio.formats)
        {
            let Audio { index, medium, means, .. } = audio;
            let mut give = |format: &Format| self.numbers.give(format.payload_type, format.content);
            let formats: Vec<Format> = chosen.iter().map(&mut give).collect();
            let mux = rtcp::offers_mux(medium);
            let agreed = self.agreement(medium, sent, formats.clone(), mux, direction::of(medium));
            let (security, means) = security::answer(means, self.agreed.as_ref(), agreed.remote, random);
            let lines = offer.description.media().map(Line::of).collect();
            self.describe(Ours { lines, audio: index, formats, direction: agreed.direction, mux, means });
            self.settle(agreed.protected(security));
        }
        self.description()
    }

    /// An offer of all that this node can do, both ways, whatever was agreed before: the far end asked for it by a
    /// request without a description (RFC 3261 section 14.2, RFC 6337 section 5.1). `random` makes the keys that it
    /// names.
    pub(crate) fn offer(&mut self, random: &mut dyn Rng) -> String {
        let (lines, audio) = match &self.ours {
            Some(ours) => (ours.lines.clone(), ours.audio),
            None => (vec![Line::audio()], 0),
        };
        let formats = codecs::everything().into_iter().map(|content| self.numbers.offer(content)).collect();
        // RFC 5761 section 5.1.1: what is to stay muxed is offered so again.
        let mux = self.agreed.as_ref().is_some_and(|agreed| agreed.rtcp == Some(Rtcp::Muxed));
        let means = security::offer(self.agreed.as_ref(), self.local.path, random);
        self.describe(Ours { lines, audio, formats, direction: Direction::SendReceive, mux, means });
        self.is_offered = true;
        self.description()
    }

    /// Our description once more, as an offer that changes nothing: a refresh of the session (RFC 4028 section 7.4).
    pub(crate) fn repeat_offer(&mut self, random: &mut dyn Rng) -> String {
        if self.ours.is_none() {
            return self.offer(random);
        }
        self.is_offered = true;
        self.description()
    }

    /// Agrees to the answer to our offer: sends the first codec of the answer whose packets are short enough for the far
    /// end, and accepts all that are both in it and in our offer. What was agreed before stays when the answer is refused.
    ///
    /// # Errors
    /// We have offered nothing, or the answer is over the limits, malformed, without our audio, or at an address of the
    /// other family.
    pub(crate) fn apply_answer(&mut self, answer: &[u8]) -> Result<&Agreed, Unacceptable> {
        let is_offered = std::mem::take(&mut self.is_offered);
        let ours = self.ours.as_ref().filter(|_| is_offered).ok_or(Unacceptable::NotOffered)?;
        let description = description::read(answer)?;
        let medium = description.medium(ours.audio).ok_or(Unacceptable::NoAudio)?;
        let offered = |content| ours.formats.iter().any(|format| format.content == content);
        let by_number = |number| {
            let format = ours.formats.iter().find(|format| format.payload_type == number);
            format.map(|format| format.content)
        };
        let mut formats = formats::known_or(medium, by_number);
        formats.retain(|format| offered(format.content));
        offer::check_kind(medium)?;
        offer::check_family(medium, self.local.address)?;
        let transport = ours.lines.get(ours.audio).map_or("", |line| &line.proto);
        let security = security::answered(medium, transport, &ours.means, self.agreed.as_ref())?;
        offer::check_codec(medium, &formats)?;
        let (_, sent) = preferred(medium, &formats).ok_or(Unacceptable::NoAudio)?;
        let answered = |format: &&Format| formats.iter().any(|far| far.content == format.content);
        let receives = ours.formats.iter().filter(answered).copied().collect();
        let mux = ours.mux && rtcp::offers_mux(medium);
        let direction = direction::of(medium).limited_to(ours.direction);
        let agreed = self.agreement(medium, sent, receives, mux, direction);
        Ok(self.settle(agreed.protected(security)))
    }

    fn agreement(
        &self,
        medium: Medium<'_>,
        (codec, payload_type): (Codec, u8),
        receives: Vec<Format>,
        mux: bool,
        direction: Direction,
    ) -> Agreed {
        let ours = self.local.address;
        let rtcp = if mux { Some(Rtcp::Muxed) } else { rtcp::address(medium, ours).map(Rtcp::Address) };
        Agreed {
            codec,
            payload_type,
            packet_time: packet_time::of(medium, codecs::packet_times(codec)),
            receives,
            remote: address::of(medium, ours),
            rtcp,
            direction,
            held: self.took_part && !direction.sends(),
            security: Security::Plain,
        }
    }

    fn settle(&mut self, agreed: Agreed) -> &Agreed {
        self.took_part |= agreed.direction == Direction::SendReceive;
        self.agreed.insert(agreed)
    }

    /// Makes `ours` our description; the version rises exactly when it differs from the one before.
    fn describe(&mut self, ours: Ours) {
        if self.ours.as_ref() != Some(&ours) {
            self.version += 1;
            self.ours = Some(ours);
        }
    }
}

/// What an answer takes of the far end's formats: the codec that is sent, and what goes beside it.
fn choose(medium: Medium<'_>, formats: &[Format]) -> Option<((Codec, u8), Vec<Format>)> {
    let (format, sent) = preferred(medium, formats)?;
    let clock_rate = sent.0.clock_rate();
    let beside = [Content::Noise { clock_rate }, Content::Events { clock_rate }];
    let beside = beside.iter().filter_map(|content| formats.iter().find(|format| format.content == *content));
    Some((sent, std::iter::once(&format).chain(beside).copied().collect()))
}

/// The first codec of the far end, in its order, that has packets as short as it wants them at most (`maxptime`). If none
/// has, it is the first one: that is Opus, of which every decoder takes the packets of this node.
fn preferred(medium: Medium<'_>, formats: &[Format]) -> Option<(Format, (Codec, u8))> {
    let codecs = || formats.iter().filter_map(|format| Some((*format, sound(format)?)));
    let fits =
        |(_, (codec, _)): &(Format, (Codec, u8))| packet_time::fits(medium, codecs::packet_times(*codec));
    codecs().find(fits).or_else(|| codecs().next())
}

fn sound(format: &Format) -> Option<(Codec, u8)> {
    match format.content {
        Content::Sound(codec) => Some((codec, format.payload_type)),
        Content::Events { .. } | Content::Noise { .. } => None,
    }
}
