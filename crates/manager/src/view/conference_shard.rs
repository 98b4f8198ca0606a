//! A row of `status/v1/conference_shard/`: what a node holds of a conference.

use fleet::time::Wall;
use serde::Serialize;
use uuid::Uuid;

use super::{Place, SERVICE_TYPE, STATUS};
use crate::calls::{LiveParticipant, NodeParticipants};
use crate::resources::time::text as time_text;

/// A conference at a node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ConferenceShardRow<'a> {
    /// Its name at this node.
    pub(crate) id: Uuid,
    /// Where this row is.
    pub(crate) resource_uri: String,
    /// The Virtual Meeting Room.
    pub(crate) conference: &'a str,
    /// There are no guests.
    pub(crate) guests_muted: bool,
    /// Sound and signalling are at one node.
    pub(crate) is_direct: bool,
    /// Whether new callers are refused at this node.
    pub(crate) is_locked: bool,
    /// Whether anybody takes part whose call is answered.
    pub(crate) is_started: bool,
    /// The address of the node.
    pub(crate) node: &'a str,
    /// The kind of conference.
    pub(crate) service_type: &'static str,
    /// When its first participant came to this node.
    pub(crate) start_time: String,
    /// The system location of the node.
    pub(crate) system_location: &'a str,
    /// Rooms have no tag.
    pub(crate) tag: &'static str,
    /// Its sound is mixed.
    pub(crate) transcoding_enabled: bool,
    /// The same as `start_time`, for comparison.
    #[serde(skip)]
    pub(crate) began: Wall,
}

impl<'a> ConferenceShardRow<'a> {
    /// The conferences of a node, in the order of their rooms.
    pub(crate) fn all(node: &NodeParticipants<'a>, place: &'a Place) -> Vec<Self> {
        let mut by_room = std::collections::BTreeMap::<&str, Vec<&LiveParticipant>>::new();
        for participant in node.participants.values() {
            by_room.entry(&participant.reported.room).or_default().push(participant);
        }
        by_room.into_values().filter_map(|members| Self::of(&members, place)).collect()
    }

    fn of(members: &[&'a LiveParticipant], place: &'a Place) -> Option<Self> {
        let first = members.first()?;
        let began = members.iter().map(|member| member.conference_began).min()?;
        Some(Self {
            id: first.reported.conference,
            resource_uri: format!("{STATUS}/conference_shard/{}/", first.reported.conference),
            conference: &first.reported.room,
            guests_muted: false,
            is_direct: false,
            is_locked: members.iter().any(|member| member.reported.locked),
            is_started: members.iter().any(|member| member.joined_at.is_some()),
            node: &place.address,
            service_type: SERVICE_TYPE,
            start_time: time_text(began),
            system_location: &place.location,
            tag: "",
            transcoding_enabled: true,
            began,
        })
    }
}
