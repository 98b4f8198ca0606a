//! A row of `status/v1/conference/`: a conference over all nodes that hold a part of it.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::{ConferenceShardRow, SERVICE_TYPE, STATUS};
use crate::resources::time::text as time_text;

/// A conference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ConferenceRow<'a> {
    /// The name of the part that began first.
    pub(crate) id: Uuid,
    /// Where this row is.
    pub(crate) resource_uri: String,
    /// Calls go over the nodes.
    pub(crate) direct_media_available: bool,
    /// There are no guests.
    pub(crate) guests_muted: bool,
    /// Whether all its nodes refuse new callers.
    pub(crate) is_locked: bool,
    /// Whether anybody takes part whose call is answered.
    pub(crate) is_started: bool,
    /// The Virtual Meeting Room.
    pub(crate) name: &'a str,
    /// The kind of conference.
    pub(crate) service_type: &'static str,
    /// When its first participant came.
    pub(crate) start_time: String,
    /// Rooms have no tag.
    pub(crate) tag: &'static str,
}

impl<'a> ConferenceRow<'a> {
    /// The conferences that the nodes hold parts of, in the order of their rooms.
    pub(crate) fn all(shards: &[ConferenceShardRow<'a>]) -> Vec<Self> {
        let mut by_room = BTreeMap::<&str, Vec<&ConferenceShardRow<'a>>>::new();
        for shard in shards {
            by_room.entry(shard.conference).or_default().push(shard);
        }
        by_room.into_values().filter_map(|parts| Self::of(&parts)).collect()
    }

    fn of(parts: &[&ConferenceShardRow<'a>]) -> Option<Self> {
        let first = parts.iter().min_by_key(|part| (part.began, part.id))?;
        Some(Self {
            id: first.id,
            resource_uri: format!("{STATUS}/conference/{}/", first.id),
            direct_media_available: false,
            guests_muted: false,
            is_locked: parts.iter().all(|part| part.is_locked),
            is_started: parts.iter().any(|part| part.is_started),
            name: first.conference,
            service_type: SERVICE_TYPE,
            start_time: time_text(first.began),
            tag: "",
        })
    }
}
