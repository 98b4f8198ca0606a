//! What this node can send and receive, by its names in descriptions. A new codec is an entry of [`ORDER`].

use std::collections::BTreeSet;

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

/// All codecs, in the order in which we offer them: the best sound first.
pub(super) const ORDER: [Codec; Codec::ALL.len()] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

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
    ORDER.map(Codec::name).join(", ")
}

/// How much audio a packet of a codec can hold, in milliseconds.
pub(super) fn packet_times(codec: Codec) -> &'static [u8] {
    match codec.bytes_per_tick() {
        Some(_) => &[10, 20, 30, 40, 50, 60],
        // Its payload is a packet, and is made once in a tick.
        None => &[20],
    }
}

/// All that we offer: the codecs, and telephone events for each of their clock rates. Those of 8000 come first, so that
/// they have the usual payload type.
pub(super) fn everything() -> Vec<Content> {
    let clock_rates = BTreeSet::from(ORDER.map(Codec::clock_rate));
    ORDER
        .into_iter()
        .map(Content::Sound)
        .chain(clock_rates.into_iter().map(|clock_rate| Content::Events { clock_rate }))
        .collect()
}

impl Content {
    /// What a payload type carries without an `rtpmap`.
    pub(super) fn of_static(payload_type: u8) -> Option<Content> {
        match ORDER.into_iter().find(|codec| codec.static_payload_type() == Some(payload_type)) {
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
        let codec = ORDER.into_iter().find(|codec| {
            is(codec.name()) && (codec.clock_rate(), codec.channels()) == (clock_rate, channels)
        });
        match codec {
            Some(codec) => Some(Content::Sound(codec)),
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
                let (name, clock_rate) = (codec.name(), codec.clock_rate());
                match codec.channels() {
                    1 => format!("{name}/{clock_rate}"),
                    channels => format!("{name}/{clock_rate}/{channels}"),
                }
            }
        }
    }

    /// What we write in `fmtp`.
    pub(super) fn parameters(self) -> Option<&'static str> {
        match self {
            Content::Events { .. } => Some(EVENTS_PARAMETERS),
            Content::Noise { .. } => None,
            Content::Sound(codec) => codec.format_parameters(),
        }
    }

    /// The payload type that we give it, if it is free.
    pub(super) fn usual_payload_type(self) -> u8 {
        match self {
            Content::Events { .. } => EVENTS_PAYLOAD_TYPE,
            Content::Noise { .. } => NOISE_PAYLOAD_TYPE,
            Content::Sound(codec) => codec.offered_payload_type(),
        }
    }
}
