//! What this node can send and receive, by its names in descriptions. A new codec is an entry of [`TABLE`].

use crate::audio::Codec;

/// What packets of a payload type carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Audio.
    Sound(Codec),
    /// Telephone events (RFC 4733), with the clock rate of the codec beside them.
    Events {
        /// In ticks of the RTP timestamp a second.
        clock_rate: u32,
    },
    /// Comfort noise (RFC 3389), with the clock rate of the codec beside it.
    Noise {
        /// In ticks of the RTP timestamp a second.
        clock_rate: u32,
    },
}

/// A codec as descriptions name it (RFC 3551 section 6, or the RFC of its payload format).
pub(super) struct Entry {
    pub(super) codec: Codec,
    /// Of the RTP timestamp, which need not be that of the samples: G.722 samples at 16,000 and counts at 8000.
    pub(super) clock_rate: u32,
    pub(super) channels: u8,
    /// The static payload type; from [`FIRST_DYNAMIC`] on, the one that we offer if it is free.
    pub(super) payload_type: u8,
    /// How much audio a packet can hold, in milliseconds.
    pub(super) packet_times: &'static [u8],
    /// What we write in `fmtp`.
    pub(super) parameters: Option<&'static str>,
}

/// The packet times of a codec that has no frames of its own.
const ANY_PACKET_TIME: &[u8] = &[10, 20, 30, 40, 50, 60];

/// All codecs, in the order in which we offer them: the best sound first.
pub(super) static TABLE: [Entry; 4] = [
    Entry {
        codec: Codec::Opus,
        clock_rate: 48_000,
        channels: 2,
        payload_type: 111,
        packet_times: &[20],
        parameters: Some("useinbandfec=1"),
    },
    Entry {
        codec: Codec::G722,
        clock_rate: 8000,
        channels: 1,
        payload_type: 9,
        packet_times: ANY_PACKET_TIME,
        parameters: None,
    },
    Entry {
        codec: Codec::Pcmu,
        clock_rate: 8000,
        channels: 1,
        payload_type: 0,
        packet_times: ANY_PACKET_TIME,
        parameters: None,
    },
    Entry {
        codec: Codec::Pcma,
        clock_rate: 8000,
        channels: 1,
        payload_type: 8,
        packet_times: ANY_PACKET_TIME,
        parameters: None,
    },
];

/// The first of the payload types that a description gives a meaning.
pub(super) const FIRST_DYNAMIC: u8 = 96;
/// The last payload type.
pub(super) const LAST: u8 = 127;
/// The payload types that would be taken for RTCP where both share a port (RFC 5761 section 4).
pub(super) const LIKE_RTCP: std::ops::RangeInclusive<u8> = 64..=95;

const EVENTS: &str = "telephone-event";
/// The payload type of telephone events that we offer if it is free.
const EVENTS_PAYLOAD_TYPE: u8 = 101;
/// The events that we understand: the keys of a telephone.
const EVENTS_PARAMETERS: &str = "0-15";

const NOISE: &str = "CN";
/// The static payload type of comfort noise at a clock rate of 8000 (RFC 3551 section 6).
const NOISE_PAYLOAD_TYPE: u8 = 13;

/// The names of all codecs, for whoever offers none of them.
pub(super) fn names() -> String {
    let names: Vec<_> = TABLE.iter().map(|entry| entry.codec.name()).collect();
    names.join(", ")
}

/// The entry of a codec.
pub(super) fn entry(codec: Codec) -> &'static Entry {
    // Every codec has one, which a test holds.
    TABLE.iter().find(|entry| entry.codec == codec).unwrap_or(&TABLE[0])
}

/// All that we offer: the codecs, and telephone events for each of their clock rates.
pub(super) fn everything() -> Vec<Content> {
    let mut all: Vec<Content> = TABLE.iter().map(|entry| Content::Sound(entry.codec)).collect();
    for entry in &TABLE {
        let events = Content::Events { clock_rate: entry.clock_rate };
        if !all.contains(&events) {
            all.push(events);
        }
    }
    all
}

impl Content {
    /// What a payload type carries without an `rtpmap`.
    pub(super) fn of_static(payload_type: u8) -> Option<Content> {
        let codec = TABLE.iter().find(|entry| entry.payload_type == payload_type).map(|entry| entry.codec);
        match codec.filter(|_| payload_type < FIRST_DYNAMIC) {
            Some(codec) => Some(Content::Sound(codec)),
            None => (payload_type == NOISE_PAYLOAD_TYPE).then_some(Content::Noise { clock_rate: 8000 }),
        }
    }

    /// What an `rtpmap` names: `PCMU/8000`, `opus/48000/2`. Names are compared without case (RFC 4855 section 3),
    /// and a single channel may be left out.
    pub(super) fn named(encoding: &str) -> Option<Content> {
        let mut parts = encoding.split('/').map(str::trim);
        let (name, clock_rate) = (parts.next()?, parts.next()?.parse().ok()?);
        let channels: u8 = parts.next().map_or(Ok(1), str::parse).ok()?;
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let codec = TABLE.iter().find(|entry| {
            is(entry.codec.name()) && (entry.clock_rate, entry.channels) == (clock_rate, channels)
        });
        match codec {
            Some(entry) => Some(Content::Sound(entry.codec)),
            None if channels != 1 => None,
            None if is(EVENTS) => Some(Content::Events { clock_rate }),
            None if is(NOISE) => Some(Content::Noise { clock_rate }),
            None => None,
        }
    }

    /// As an `rtpmap` names it.
    pub(super) fn encoding(self) -> String {
        match self {
            Content::Events { clock_rate } => format!("{EVENTS}/{clock_rate}"),
            Content::Noise { clock_rate } => format!("{NOISE}/{clock_rate}"),
            Content::Sound(codec) => {
                let Entry { clock_rate, channels, .. } = entry(codec);
                let name = codec.name();
                if *channels == 1 {
                    format!("{name}/{clock_rate}")
                } else {
                    format!("{name}/{clock_rate}/{channels}")
                }
            }
        }
    }

    /// What we write in `fmtp`.
    pub(super) fn parameters(self) -> Option<&'static str> {
        match self {
            Content::Events { .. } => Some(EVENTS_PARAMETERS),
            Content::Noise { .. } => None,
            Content::Sound(codec) => entry(codec).parameters,
        }
    }

    /// The payload type that we give it, if it is free.
    pub(super) fn usual_payload_type(self) -> u8 {
        match self {
            Content::Events { .. } => EVENTS_PAYLOAD_TYPE,
            Content::Noise { .. } => NOISE_PAYLOAD_TYPE,
            Content::Sound(codec) => entry(codec).payload_type,
        }
    }
}
