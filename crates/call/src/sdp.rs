//! Session descriptions (RFC 8866) by offer and answer (RFC 3264), for one audio stream of G.711.
//!
//! Pure: text in, agreement and text out. Relies on `sdp_types` for the syntax; opens no sockets.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use sdp_types::{Media, Session};

use crate::audio::Codec;

/// The longest session description that is read, in bytes. Browsers' are under 8 KiB; phones' under 2.
pub(crate) const MAX_BYTES: usize = 16 * 1024;
/// The most lines of a session description that are read.
pub(crate) const MAX_LINES: usize = 400;
/// The most media lines that are answered.
pub(crate) const MAX_MEDIA: usize = 16;

/// Telephone events (RFC 4733) in our own offers.
const EVENT_PAYLOAD_TYPE: u8 = 101;

/// Why a session description cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SdpError {
    /// Over one of the limits.
    #[error("session description is longer than {MAX_BYTES} bytes, {MAX_LINES} lines or {MAX_MEDIA} media")]
    TooLong,
    /// Not a session description.
    #[error("session description cannot be read: {0}")]
    Unreadable(String),
    /// No audio line with a supported codec.
    #[error("no audio over RTP/AVP with PCMU or PCMA; offer one of them")]
    NoCodec,
}

/// The direction of audio, seen from this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Both ways.
    SendReceive,
    /// Only to the far end, which takes part as a listener.
    SendOnly,
    /// Only from the far end, which has put the call on hold.
    ReceiveOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    fn read(value: &str) -> Option<Direction> {
        match value {
            "sendrecv" => Some(Direction::SendReceive),
            "sendonly" => Some(Direction::SendOnly),
            "recvonly" => Some(Direction::ReceiveOnly),
            "inactive" => Some(Direction::Inactive),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Direction::SendReceive => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::ReceiveOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The same flow seen from the other end.
    fn mirrored(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::ReceiveOnly,
            Direction::ReceiveOnly => Direction::SendOnly,
            same @ (Direction::SendReceive | Direction::Inactive) => same,
        }
    }

    /// Whether this node sends.
    pub(crate) fn sends(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::SendOnly)
    }

    /// Whether this node uses what it receives.
    pub(crate) fn receives(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::ReceiveOnly)
    }
}

/// What both ends agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The codec both ways.
    pub(crate) codec: Codec,
    /// Its RTP payload type.
    pub(crate) payload_type: u8,
    /// The payload type of telephone events, when the far end sends them.
    pub(crate) events: Option<u8>,
    /// The media address of the far end; `None` if it gave a host name or no usable address.
    pub(crate) remote: Option<SocketAddr>,
    /// The flow seen from this node.
    pub(crate) direction: Direction,
    /// All media lines of the far end, in order: an answer and every later offer repeat them.
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    Audio { proto: String },
    Refused { media: String, proto: String, formats: String },
}

/// This node's end of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    /// The media address of this node.
    pub(crate) address: SocketAddr,
    /// The session's id in `o=`, the same for the whole call.
    pub(crate) session: u64,
    /// Counts the changes of our description.
    pub(crate) version: u64,
}

/// Reads an offer and decides the answer.
///
/// # Errors
/// The offer is over the limits, malformed, or without a supported codec.
pub(crate) fn read_offer(offer: &[u8]) -> Result<Agreed, SdpError> {
    let session = parse(offer)?;
    let chosen = session.medias.iter().position(|media| usable(media) && choose_codec(media).is_some());
    let index = chosen.ok_or(SdpError::NoCodec)?;
    let media = &session.medias[index];
    let (codec, payload_type) = choose_codec(media).ok_or(SdpError::NoCodec)?;
    let lines = session.medias.iter().enumerate().map(|(n, media)| line(media, n == index)).collect();
    let address = connection(&session, media);
    // Hold as in RFC 2543, still in use: the unspecified address.
    let unreachable = address.is_some_and(|ip| ip.is_unspecified());
    let direction = match (direction(&session, media), unreachable) {
        (Direction::SendReceive, true) => Direction::ReceiveOnly,
        (Direction::ReceiveOnly, true) => Direction::Inactive,
        (far, _) => far.mirrored(),
    };
    let remote = address.filter(|ip| !ip.is_unspecified()).map(|ip| SocketAddr::new(ip, media.port));
    Ok(Agreed { codec, payload_type, events: event_type(media), remote, direction, lines })
}

/// Reads the answer to [`write_offer`]. The rules are those of an offer: one codec is taken.
///
/// # Errors
/// As [`read_offer`].
pub(crate) fn read_answer(answer: &[u8]) -> Result<Agreed, SdpError> {
    read_offer(answer)
}

/// Our description of what was agreed: an answer, or a later offer of the same.
pub(crate) fn write_agreed(agreed: &Agreed, local: &Local) -> String {
    let mut text = session_lines(local);
    for line in &agreed.lines {
        match line {
            Line::Refused { media, proto, formats } => {
                let _ = write!(text, "m={media} 0 {proto} {formats}\r\n");
            }
            Line::Audio { proto } => {
                let codecs = [(agreed.codec, agreed.payload_type)];
                audio_lines(&mut text, local, proto, &codecs, agreed.events, agreed.direction);
            }
        }
    }
    text
}

/// Our offer to a far end that made none.
pub(crate) fn write_offer(local: &Local) -> String {
    let mut text = session_lines(local);
    let codecs = [Codec::Pcmu, Codec::Pcma].map(|codec| (codec, codec.offered_payload_type()));
    audio_lines(&mut text, local, "RTP/AVP", &codecs, Some(EVENT_PAYLOAD_TYPE), Direction::SendReceive);
    text
}

fn session_lines(local: &Local) -> String {
    let ip = local.address.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let (session, version) = (local.session, local.version);
    format!(
        "v=0\r\no=- {session} {version} IN {family} {ip}\r\ns=Conference\r\nc=IN {family} {ip}\r\nt=0 0\r\n"
    )
}

fn audio_lines(
    text: &mut String,
    local: &Local,
    proto: &str,
    codecs: &[(Codec, u8)],
    events: Option<u8>,
    direction: Direction,
) {
    let types = codecs.iter().map(|(_, payload_type)| *payload_type).chain(events);
    let types: Vec<String> = types.map(|payload_type| payload_type.to_string()).collect();
    let _ = write!(text, "m=audio {} {proto} {}\r\n", local.address.port(), types.join(" "));
    for (codec, payload_type) in codecs {
        let _ = write!(text, "a=rtpmap:{payload_type} {}/8000\r\n", codec.name());
    }
    if let Some(events) = events {
        let _ = write!(text, "a=rtpmap:{events} telephone-event/8000\r\na=fmtp:{events} 0-15\r\n");
    }
    let _ = write!(text, "a=ptime:20\r\na={}\r\n", direction.name());
}

fn parse(text: &[u8]) -> Result<Session, SdpError> {
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    if text.len() > MAX_BYTES || lines > MAX_LINES {
        return Err(SdpError::TooLong);
    }
    let session = Session::parse(text).map_err(|error| SdpError::Unreadable(error.to_string()))?;
    if session.medias.len() > MAX_MEDIA {
        return Err(SdpError::TooLong);
    }
    Ok(session)
}

fn usable(media: &Media) -> bool {
    let profile = media.proto.eq_ignore_ascii_case("RTP/AVP") || media.proto.eq_ignore_ascii_case("RTP/AVPF");
    media.media.eq_ignore_ascii_case("audio") && media.port != 0 && profile
}

fn line(media: &Media, chosen: bool) -> Line {
    // Copied into our own text: a line break in them would let the sender inject a line.
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let proto = clean(&media.proto);
    if chosen {
        Line::Audio { proto }
    } else {
        Line::Refused { media: clean(&media.media), proto, formats: clean(&media.fmt) }
    }
}

/// The far end's first format that is G.711: its order is its preference.
fn choose_codec(media: &Media) -> Option<(Codec, u8)> {
    payload_types(media).find_map(|payload_type| {
        let codec = match (rtpmap(media, payload_type), payload_type) {
            (Some(name), _) if name.eq_ignore_ascii_case("PCMU/8000") => Codec::Pcmu,
            (Some(name), _) if name.eq_ignore_ascii_case("PCMA/8000") => Codec::Pcma,
            (None, 0) => Codec::Pcmu,
            (None, 8) => Codec::Pcma,
            (Some(_) | None, _) => return None,
        };
        Some((codec, payload_type))
    })
}

fn event_type(media: &Media) -> Option<u8> {
    let is_events = |name: &str| name.eq_ignore_ascii_case("telephone-event/8000");
    payload_types(media).find(|payload_type| rtpmap(media, *payload_type).is_some_and(is_events))
}

fn payload_types(media: &Media) -> impl Iterator<Item = u8> {
    let types = media.fmt.split_ascii_whitespace().filter_map(|format| format.parse().ok());
    types.filter(|payload_type| *payload_type < 128)
}

/// The name and clock rate of a payload type; the number of channels, when it is 1, is left out.
fn rtpmap(media: &Media, payload_type: u8) -> Option<&str> {
    let value = media.attributes.iter().find_map(|attribute| {
        let value = attribute.value.as_deref().filter(|_| attribute.attribute == "rtpmap")?;
        let (number, name) = value.split_once(' ')?;
        (number.trim().parse() == Ok(payload_type)).then_some(name.trim())
    })?;
    Some(value.strip_suffix("/1").filter(|name| name.contains('/')).unwrap_or(value))
}

fn direction(session: &Session, media: &Media) -> Direction {
    let read = |attributes: &[sdp_types::Attribute]| {
        attributes.iter().find_map(|attribute| Direction::read(&attribute.attribute))
    };
    read(&media.attributes).or_else(|| read(&session.attributes)).unwrap_or(Direction::SendReceive)
}

fn connection(session: &Session, media: &Media) -> Option<IpAddr> {
    let connection = media.connections.first().or(session.connection.as_ref())?;
    connection.connection_address.split('/').next()?.parse().ok()
}

#[cfg(test)]
#[path = "sdp_tests.rs"]
mod tests;
