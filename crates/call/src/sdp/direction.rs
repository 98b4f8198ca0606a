//! Who sends: `sendrecv`, `sendonly`, `recvonly` and `inactive` (RFC 8866 section 6.7).

use sdp_types::Attribute;

use super::address;
use super::description::Medium;

/// The direction of audio, seen from this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Both ways.
    SendReceive,
    /// Only to the far end, which takes part as a listener.
    SendOnly,
    /// Only from the far end, which only talks or has put the call on hold; `Agreed::held` says which.
    ReceiveOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    fn new(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendReceive,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::ReceiveOnly,
            (false, false) => Direction::Inactive,
        }
    }

    fn named(name: &str) -> Option<Direction> {
        let all = [Direction::SendReceive, Direction::SendOnly, Direction::ReceiveOnly, Direction::Inactive];
        all.into_iter().find(|direction| direction.name().eq_ignore_ascii_case(name))
    }

    /// The attribute's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Direction::SendReceive => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::ReceiveOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The same flow seen from the other end.
    pub(super) fn mirrored(self) -> Direction {
        Direction::new(self.receives(), self.sends())
    }

    /// What is left of the flow when both this and `other` have to allow it.
    pub(super) fn limited_to(self, other: Direction) -> Direction {
        Direction::new(self.sends() && other.sends(), self.receives() && other.receives())
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

/// The flow that the far end describes, seen from this node: the media line's direction, else the session's, else
/// both ways. A far end at the unspecified address receives nothing (RFC 2543, RFC 6337 section 5.3).
pub(super) fn of(medium: Medium<'_>) -> Direction {
    let read =
        |attributes: &[Attribute]| attributes.iter().find_map(|a| Direction::named(a.attribute.trim()));
    let far = read(&medium.media.attributes).or_else(|| read(&medium.session.attributes));
    let flow = far.unwrap_or(Direction::SendReceive).mirrored();
    if address::is_unspecified(medium) { flow.limited_to(Direction::ReceiveOnly) } else { flow }
}
