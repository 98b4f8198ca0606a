//! The rows that the management API shows of live and past calls: one file for each type, with the names of the
//! compatible API. Computed from what nodes say; a field is there if Pitlane has it, or if it has one true value that tools need.

mod conference;
mod conference_shard;
mod media_stream;
mod participant;
mod past_participant;

pub(crate) use conference::ConferenceRow;
pub(crate) use conference_shard::ConferenceShardRow;
pub(crate) use media_stream::MediaStreamRow;
pub(crate) use participant::ParticipantRow;
pub(crate) use past_participant::PastParticipantBody;

use std::collections::BTreeMap;

use fleet::node::NodeId;

/// The beginning of the paths of what is shown.
pub(crate) const STATUS: &str = "/api/admin/status/v1";

/// The kind of every conference and of its participants: a Virtual Meeting Room.
const SERVICE_TYPE: &str = "conference";

/// A Conferencing Node as rows name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its address.
    pub(crate) address: String,
    /// The name of its system location.
    pub(crate) location: String,
}

/// All Conferencing Nodes.
pub(crate) type Places = BTreeMap<NodeId, Place>;
