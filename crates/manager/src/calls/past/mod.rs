//! Participants and conferences that are over, from what nodes say of the live ones. Pure: the time is given.
//!
//! A participant is over when no node shows it any more and its node has said why. If nobody has said so, it may have
//! moved to a process that has not reported yet, so it is waited for. A conference is all participants of a Virtual
//! Meeting Room, on whichever nodes, from the first that comes until the last is over.

#[cfg(test)]
mod tests;
mod tracker;

use fleet::node::NodeId;
use fleet::time::Wall;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wire::live::Departure;

pub(super) use tracker::Tracker;

use super::LiveParticipant;

/// What is over, in the order in which it ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Past {
    /// A participant has left.
    Participant(Box<PastParticipant>),
    /// The last participant of a conference has left.
    Conference(PastConference),
}

/// A participant that has left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PastParticipant {
    /// What its node has said of it last.
    pub(crate) last: LiveParticipant,
    /// The node that has had its call last.
    pub(crate) node: NodeId,
    /// Its conference.
    pub(crate) conference: ConferenceKey,
    /// When its call was answered, or, if it never was, when it was shown first.
    pub(crate) start: Wall,
    /// When it has left, or was heard of last.
    pub(crate) end: Wall,
    /// Why it has left, if its node has said so.
    pub(crate) why: Option<Departure>,
}

/// A conference that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PastConference {
    /// Its Virtual Meeting Room.
    pub(crate) room: String,
    /// Its identifier and its beginning.
    pub(crate) key: ConferenceKey,
    /// When its last participant has left.
    pub(crate) end: Wall,
}

/// What is known of a conference from its beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ConferenceKey {
    /// Its identifier: that of the part that began first.
    pub(crate) id: Uuid,
    /// When its first participant came.
    pub(crate) began: Wall,
}

/// A call that was not over when the Management Node ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InterruptedCall {
    /// What its node has said of it last.
    pub(crate) last: LiveParticipant,
    /// The node that has had it last.
    pub(crate) node: NodeId,
    /// Its conference.
    pub(crate) conference: ConferenceKey,
    /// When it was shown first.
    pub(crate) since: Wall,
    /// When it was heard of last.
    pub(crate) heard: Wall,
}
