//! Our own descriptions: what they say, and how it is written.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::handover::message::ExportedLine;

use super::address::Family;
use super::description::{MAX_BYTES, Medium};
use super::direction::Direction;
use super::fingerprint::Fingerprint;
use super::formats::Format;
use super::packet_time::PacketTime;
use super::security::OurMeans;

/// How the descriptions of a call travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// Whoever is on the way can read the keys in them.
    Open,
    /// Encrypted.
    Secure,
}

/// This node's end of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    /// The media address of this node.
    pub(crate) address: SocketAddr,
    /// The session's id in `o=`, the same for the whole call.
    pub(crate) session: u64,
    pub(crate) path: Path,
    /// Of the certificate that this node shows in handshakes.
    pub(crate) certificate: Fingerprint,
}

/// A description of ours, without the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ours {
    /// All media lines of the call in order, ours among them: every offer and answer repeats them (RFC 3264 section 8).
    pub(super) lines: Vec<Line>,
    /// The place of the line that carries the audio. All others are refused.
    pub(super) audio: usize,
    /// What we accept, in our order of preference.
    pub(super) formats: Vec<Format>,
    pub(super) direction: Direction,
    /// RTP and RTCP over one port (RFC 5761).
    pub(super) mux: bool,
    /// What protects the line: in an answer one key at most.
    pub(super) means: OurMeans,
}

/// What an answer repeats of a media line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    media: String,
    pub(super) proto: String,
    formats: String,
}

impl Line {
    /// The line of our first offer, when the far end made none.
    pub(super) fn audio() -> Line {
        Line { media: "audio".into(), proto: "RTP/AVP".into(), formats: String::new() }
    }

    /// The line of ours that belongs to one of the far end's.
    pub(super) fn of(medium: Medium<'_>) -> Line {
        let media = medium.media;
        Line { media: media.media.clone(), proto: media.proto.clone(), formats: media.fmt.clone() }
    }

    /// The line for another process.
    pub(super) fn export(&self) -> ExportedLine {
        let Line { media, proto, formats } = self.clone();
        ExportedLine { media, profile: proto, formats }
    }

    /// A line of another process; `None` if it would be read as something else when it is written.
    pub(super) fn import(line: &ExportedLine) -> Option<Line> {
        let ExportedLine { media, profile, formats } = line.clone();
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let are_words = formats.is_empty() || formats.split(' ').all(is_word);
        let is_short = media.len() + profile.len() + formats.len() <= MAX_BYTES;
        let is_line = is_word(&media) && is_word(&profile) && are_words && is_short;
        is_line.then_some(Line { media, proto: profile, formats })
    }
}

impl Ours {
    /// The description as text.
    pub(super) fn write(&self, local: &Local, origin: IpAddr, version: u64) -> String {
        let (session, origin, media) = (local.session, connection(origin), connection(local.address.ip()));
        let mut text =
            format!("v=0\r\no=- {session} {version} {origin}\r\ns=Conference\r\nc={media}\r\nt=0 0\r\n");
        for (index, Line { media, proto, formats }) in self.lines.iter().enumerate() {
            if index == self.audio {
                self.write_audio(&mut text, local, proto);
            } else {
                let _ = write!(text, "m={media} 0 {proto} {formats}\r\n");
            }
        }
        text
    }

    fn write_audio(&self, text: &mut String, local: &Local, proto: &str) {
        let port = local.address.port();
        let types: Vec<String> = self.formats.iter().map(|format| format.payload_type.to_string()).collect();
        let _ = write!(text, "m=audio {port} {proto} {}\r\n", types.join(" "));
        for Format { payload_type, content } in &self.formats {
            let _ = write!(text, "a=rtpmap:{payload_type} {}\r\n", content.encoding());
            if let Some(parameters) = content.parameters() {
                let _ = write!(text, "a=fmtp:{payload_type} {parameters}\r\n");
            }
        }
        let (packet_time, direction) = (PacketTime::USUAL.milliseconds(), self.direction.name());
        let _ = write!(text, "a=ptime:{packet_time}\r\na={direction}\r\n");
        if self.mux {
            text.push_str("a=rtcp-mux\r\n");
        }
        self.means.write(&local.certificate, text);
    }
}

/// An address as `o=` and `c=` name it (RFC 8866 sections 5.2 and 5.7).
fn connection(ip: IpAddr) -> String {
    format!("IN {} {ip}", Family::of(ip))
}
