//! How much audio the far end wants in a packet: `ptime` and `maxptime` (RFC 8866 section 6.4).

use super::description::Medium;

/// The length of audio in a packet, in milliseconds: a multiple of 10 from 10 to 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PacketTime(u8);

impl PacketTime {
    /// The shortest that is sent.
    const SHORTEST: PacketTime = PacketTime(10);
    /// What is sent to a far end that asks for nothing, and asked of it (RFC 3551 section 4.2).
    pub(crate) const USUAL: PacketTime = PacketTime(20);
    /// The longest that is sent.
    const LONGEST: PacketTime = PacketTime(60);

    /// The longest packet time that is not longer than `milliseconds`, within the bounds.
    pub(super) fn up_to(milliseconds: u32) -> PacketTime {
        let bounded = milliseconds.clamp(Self::SHORTEST.0.into(), Self::LONGEST.0.into());
        PacketTime((bounded / 10 * 10) as u8)
    }

    /// In milliseconds.
    pub(crate) fn milliseconds(self) -> usize {
        self.0.into()
    }
}

/// What the far end wants to receive: the longest of `possible`, the packet times of a codec in milliseconds, that is
/// not longer than it asks for. If all are longer, it is the shortest: `ptime` is a wish, and a codec that is over the
/// limit is only sent to a far end that has no other.
pub(super) fn of(medium: Medium<'_>, possible: &[u8]) -> PacketTime {
    let asked = number(medium, "ptime").map_or(PacketTime::USUAL, PacketTime::up_to);
    let wanted = asked.min(limit(medium));
    let possible = || possible.iter().map(|milliseconds| PacketTime(*milliseconds));
    let longest = possible().filter(|time| *time <= wanted).max();
    longest.or_else(|| possible().min()).unwrap_or(PacketTime::USUAL)
}

/// Whether one of `possible`, the packet times of a codec in milliseconds, is within the limit of the far end.
pub(super) fn fits(medium: Medium<'_>, possible: &[u8]) -> bool {
    let limit = limit(medium);
    possible.iter().any(|milliseconds| PacketTime(*milliseconds) <= limit)
}

/// The longest packet that the far end can receive, which `maxptime` says.
fn limit(medium: Medium<'_>) -> PacketTime {
    number(medium, "maxptime").map_or(PacketTime::LONGEST, PacketTime::up_to)
}

/// The whole milliseconds of an attribute; RFC 8866 allows a fraction. Zero and what is no number say nothing.
fn number(medium: Medium<'_>, name: &str) -> Option<u32> {
    let value = medium.values(name).next()?;
    let digits = value.split(|c: char| !c.is_ascii_digit()).next()?;
    // A number that is too large for the type is a long packet time all the same.
    let number = if digits.len() > 9 { u32::MAX } else { digits.parse().ok()? };
    (number != 0).then_some(number)
}
