//! The session descriptions of a caller: one audio stream with one codec (RFC 8866, offer and answer by RFC 3264).
//!
//! Writes our descriptions, and parses those of the node with `sdp-types`. Does no I/O.

use std::net::{IpAddr, SocketAddr};

use sdp_types::{Media, Session};

use crate::codec::Codec;

/// The direction of media, from the view of the side that sends the description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    fn attribute(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The direction of the answer to an offer with this direction, if we offer `ours`.
    pub(crate) fn answered_by(self, ours: Direction) -> Direction {
        let send = self.receives() && ours.sends();
        let receive = self.sends() && ours.receives();
        match (send, receive) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

/// The audio stream in a session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Audio {
    pub(crate) address: SocketAddr,
    pub(crate) direction: Direction,
}

/// Why a session description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// The text is not a session description.
    #[error("the session description cannot be parsed: {0}")]
    Unreadable(String),
    /// There is no audio stream, or it is declined with port 0.
    #[error("the session description accepts no audio stream")]
    NoAudio,
    /// The audio stream does not contain the offered codec.
    #[error("the session description does not list {wanted}, the only codec offered: it has {found}")]
    WrongCodec {
        /// The codec of the caller.
        wanted: &'static str,
        /// The formats of the other side.
        found: String,
    },
    /// There is no connection address, or it is not an IP address.
    #[error("the session description has no IP address for audio")]
    NoAddress,
}

/// Writes the description of our stream; `version` increases with every change (RFC 3264 section 8).
pub(crate) fn write(session: u64, version: u64, ours: Audio, codec: Codec) -> String {
    let (ip, port) = (ours.address.ip(), ours.address.port());
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let (payload, name) = (codec.payload_type(), codec.name());
    let direction = ours.direction.attribute();
    format!(
        "v=0\r\no=caller {session} {version} IN {family} {ip}\r\ns=caller\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {payload}\r\na=rtpmap:{payload} {name}/8000\r\na=ptime:20\r\na={direction}\r\n"
    )
}

/// Parses address and direction of the node's audio stream.
pub(crate) fn read(text: &[u8], codec: Codec) -> Result<Audio, SdpError> {
    let session = Session::parse(text).map_err(|error| SdpError::Unreadable(error.to_string()))?;
    let media = session.medias.iter().find(|m| m.media == "audio" && m.port != 0).ok_or(SdpError::NoAudio)?;
    let payload = codec.payload_type().to_string();
    if !media.fmt.split_whitespace().any(|format| format == payload) {
        return Err(SdpError::WrongCodec { wanted: codec.name(), found: media.fmt.clone() });
    }
    let ip = address(&session, media).ok_or(SdpError::NoAddress)?;
    Ok(Audio { address: SocketAddr::new(ip, media.port), direction: direction(&session, media) })
}

fn address(session: &Session, media: &Media) -> Option<IpAddr> {
    let connection = media.connections.first().or(session.connection.as_ref())?;
    connection.connection_address.split('/').next()?.parse().ok()
}

fn direction(session: &Session, media: &Media) -> Direction {
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let of_media = all.into_iter().find(|d| media.has_attribute(d.attribute()));
    let of_session = || all.into_iter().find(|d| session.has_attribute(d.attribute()));
    of_media.or_else(of_session).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(direction: Direction) -> Audio {
        Audio { address: "127.0.0.9:4000".parse().unwrap(), direction }
    }

    #[test]
    fn written_description_is_parsed_back() {
        for direction in [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
        {
            for codec in [Codec::Pcmu, Codec::Pcma] {
                let text = write(1, 2, audio(direction), codec);
                assert_eq!(read(text.as_bytes(), codec), Ok(audio(direction)));
            }
        }
    }

    fn check(text: &str, expected: &SdpError) {
        assert_eq!(read(text.as_bytes(), Codec::Pcmu).as_ref(), Err(expected));
    }

    #[test]
    fn answer_that_gives_no_audio_is_rejected_with_its_reason() {
        let good = write(1, 2, audio(Direction::SendRecv), Codec::Pcmu);
        check(&good.replace("m=audio 4000", "m=audio 0"), &SdpError::NoAudio);
        check(&good.replace("c=IN IP4 127.0.0.9\r\n", ""), &SdpError::NoAddress);
        let other = good.replace("RTP/AVP 0", "RTP/AVP 8 101");
        check(&other, &SdpError::WrongCodec { wanted: "PCMU", found: "8 101".to_owned() });
        assert!(matches!(read(b"hello", Codec::Pcmu), Err(SdpError::Unreadable(_))));
    }

    #[test]
    fn address_of_the_stream_takes_precedence_over_that_of_the_session() {
        let text = write(1, 2, audio(Direction::SendRecv), Codec::Pcmu) + "c=IN IP4 127.0.0.7\r\n";
        let text = text.replace("a=ptime:20\r\n", "").replace("a=sendrecv\r\n", "");
        let text = text.replace("a=rtpmap:0 PCMU/8000\r\n", "");
        assert_eq!(read(text.as_bytes(), Codec::Pcmu).unwrap().address, "127.0.0.7:4000".parse().unwrap());
    }

    #[test]
    fn answer_allows_only_what_both_sides_allow() {
        assert_eq!(Direction::SendOnly.answered_by(Direction::SendRecv), Direction::RecvOnly);
        assert_eq!(Direction::SendRecv.answered_by(Direction::SendOnly), Direction::SendOnly);
        assert_eq!(Direction::Inactive.answered_by(Direction::SendRecv), Direction::Inactive);
    }
}
