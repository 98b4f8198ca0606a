//! The offers and answers of a call in the message by which it moves to another process, and the way back.

use std::net::SocketAddr;

use crate::audio::Codec;
use crate::handover::message::{
    self, ExportedAgreement, ExportedFormat, ExportedKeys, ExportedLine, ExportedRtcp, ExportedSession,
};
use crate::srtp::Suite;

use super::codecs::{self, Content, LAST};
use super::crypto::{self, MAX_MKI, Named, TAG_DIGITS};
use super::description::{MAX_FORMATS, MAX_MEDIA};
use super::direction::Direction;
use super::fingerprint::Fingerprint;
use super::formats::Format;
use super::negotiation::{Agreed, Negotiation};
use super::numbers::Numbers;
use super::ours::{Line, Local, Ours, Path};
use super::packet_time::PacketTime;
use super::rtcp::Rtcp;
use super::security::{Keys, OurMeans, Security};

/// What is wrong with a session of another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoSession(pub(crate) &'static str);

impl Negotiation {
    /// Whether the keys of its sound come of a handshake. Such a session is not exported: the handshake does not go along.
    pub(crate) fn has_handshake(&self) -> bool {
        self.agreed.as_ref().is_some_and(|agreed| matches!(agreed.security, Security::Handshake(_)))
    }

    /// What goes along with the call; `None` while an offer of ours is not answered, or nothing was agreed.
    pub(crate) fn export(&self) -> Option<ExportedSession> {
        let (ours, agreed) = (self.ours.as_ref()?, self.agreed.as_ref()?);
        let Ours { lines, audio, formats, direction, mux, means } = ours;
        (!self.is_offered).then(|| ExportedSession {
            id: self.local.session,
            origin: self.origin,
            version: self.version,
            lines: lines.iter().map(Line::export).collect(),
            audio: *audio,
            formats: export_all(formats.iter().copied()),
            direction: direction.export(),
            rtcp_mux: *mux,
            agreed: agreed.export(),
            numbers: export_all(self.numbers.given()),
            took_part: self.took_part,
            keys: agreed.security.export(means),
        })
    }

    /// Goes on with the session of another process. `certificate` is that of this one. [`Self::move_to`] is owed before it is used.
    ///
    /// # Errors
    /// It could not have been exported, or names a codec that this release has not.
    pub(crate) fn import(
        session: &ExportedSession,
        path: Path,
        certificate: Fingerprint,
    ) -> Result<Negotiation, NoSession> {
        let lines = import_lines(&session.lines)?;
        let (security, means) =
            session.keys.as_ref().map_or(Ok((Security::Plain, OurMeans::Plain)), import_keys)?;
        if session.audio >= lines.len() {
            return Err(NoSession("no media line carries the audio"));
        }
        let ours = Ours {
            lines,
            audio: session.audio,
            formats: import_formats(&session.formats)?,
            direction: Direction::import(session.direction),
            mux: session.rtcp_mux,
            means,
        };
        Ok(Negotiation {
            local: Local {
                address: SocketAddr::new(session.origin, 0),
                session: session.id,
                path,
                certificate,
            },
            origin: session.origin,
            version: session.version,
            ours: Some(ours),
            is_offered: false,
            agreed: Some(Agreed { security, ..Agreed::import(&session.agreed)? }),
            numbers: Numbers::of(&import_formats(&session.numbers)?),
            took_part: session.took_part,
        })
    }

    /// The media port of this node is another one from now on.
    pub(crate) fn move_to(&mut self, address: SocketAddr) {
        self.local.address = address;
        self.version = self.version.saturating_add(1);
    }
}

impl Agreed {
    fn export(&self) -> ExportedAgreement {
        let Agreed { codec, payload_type, packet_time, receives, remote, rtcp, direction, held, security: _ } =
            self;
        ExportedAgreement {
            sends: Format { payload_type: *payload_type, content: Content::Sound(*codec) }.export(),
            packet_ms: packet_time.milliseconds() as u8,
            receives: export_all(receives.iter().copied()),
            address: *remote,
            rtcp: rtcp.map(|rtcp| match rtcp {
                Rtcp::Muxed => ExportedRtcp::Muxed,
                Rtcp::Address(address) => ExportedRtcp::Address(address),
            }),
            direction: direction.export(),
            held: *held,
        }
    }

    fn import(agreed: &ExportedAgreement) -> Result<Agreed, NoSession> {
        let Format { payload_type, content } = import_format(&agreed.sends)?;
        let Content::Sound(codec) = content else { return Err(NoSession("no codec is sent")) };
        Ok(Agreed {
            codec,
            payload_type,
            packet_time: import_packet_time(codec, agreed.packet_ms)?,
            receives: import_formats(&agreed.receives)?,
            remote: agreed.address,
            rtcp: agreed.rtcp.map(|rtcp| match rtcp {
                ExportedRtcp::Muxed => Rtcp::Muxed,
                ExportedRtcp::Address(address) => Rtcp::Address(address),
            }),
            direction: Direction::import(agreed.direction),
            held: agreed.held,
            security: Security::Plain,
        })
    }
}

impl Security {
    /// `means` are those of our last description. Keys that the far end has not taken are offered no more.
    fn export(&self, means: &OurMeans) -> Option<ExportedKeys> {
        let Security::Keys(Keys { ours, theirs, mki }) = self else { return None };
        let named = match means {
            OurMeans::Keys(named) => named.iter().find(|named| named.key == *ours),
            OurMeans::Plain | OurMeans::Handshake(_) => None,
        };
        let tag = named.map_or(1, |named| named.tag);
        Some(ExportedKeys {
            suite: ours.suite().name().to_owned(),
            tag,
            ours: crypto::encoded(ours),
            theirs: crypto::encoded(theirs),
            theirs_mki: *mki,
        })
    }
}

/// What protects a session, and the key that our next description names.
fn import_keys(keys: &ExportedKeys) -> Result<(Security, OurMeans), NoSession> {
    let ExportedKeys { suite, tag, ours, theirs, theirs_mki } = keys;
    let suite = Suite::named(suite).ok_or(NoSession("this release has not its suite of SRTP"))?;
    let key = |text| crypto::decoded(suite, text).ok_or(NoSession("a key of SRTP has a wrong length"));
    if *theirs_mki > MAX_MKI || tag.to_string().len() > TAG_DIGITS {
        return Err(NoSession("a key of SRTP has a wrong tag or identifier"));
    }
    let (ours, theirs) = (key(ours)?, key(theirs)?);
    let means = OurMeans::Keys(vec![Named { tag: *tag, key: ours }]);
    Ok((Security::Keys(Keys { ours, theirs, mki: *theirs_mki }), means))
}

fn import_packet_time(codec: Codec, milliseconds: u8) -> Result<PacketTime, NoSession> {
    let is_possible = codecs::packet_times(codec).contains(&milliseconds);
    let time = is_possible.then(|| PacketTime::up_to(milliseconds.into()));
    time.ok_or(NoSession("the codec has no packets of that length"))
}

fn export_all(formats: impl Iterator<Item = Format>) -> Vec<ExportedFormat> {
    formats.map(Format::export).collect()
}

impl Format {
    fn export(self) -> ExportedFormat {
        ExportedFormat { number: self.payload_type, encoding: self.content.encoding() }
    }
}

fn import_format(format: &ExportedFormat) -> Result<Format, NoSession> {
    let content =
        Content::named(&format.encoding).ok_or(NoSession("this release has not one of its codecs"))?;
    if format.number > LAST {
        return Err(NoSession("a payload type is beyond 127"));
    }
    Ok(Format { payload_type: format.number, content })
}

fn import_formats(formats: &[ExportedFormat]) -> Result<Vec<Format>, NoSession> {
    if formats.len() > MAX_FORMATS {
        return Err(NoSession("there are more formats than payload types"));
    }
    formats.iter().map(import_format).collect()
}

fn import_lines(lines: &[ExportedLine]) -> Result<Vec<Line>, NoSession> {
    if lines.len() > MAX_MEDIA {
        return Err(NoSession("there are too many media lines"));
    }
    lines
        .iter()
        .map(|line| Line::import(line).ok_or(NoSession("a media line has wrong characters")))
        .collect()
}

impl Direction {
    fn export(self) -> message::Direction {
        match self {
            Direction::SendReceive => message::Direction::SendRecv,
            Direction::SendOnly => message::Direction::SendOnly,
            Direction::ReceiveOnly => message::Direction::RecvOnly,
            Direction::Inactive => message::Direction::Inactive,
        }
    }

    fn import(direction: message::Direction) -> Direction {
        match direction {
            message::Direction::SendRecv => Direction::SendReceive,
            message::Direction::SendOnly => Direction::SendOnly,
            message::Direction::RecvOnly => Direction::ReceiveOnly,
            message::Direction::Inactive => Direction::Inactive,
        }
    }
}
