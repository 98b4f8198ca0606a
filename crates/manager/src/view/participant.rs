//! A row of `status/v1/participant/`.

use serde::Serialize;
use uuid::Uuid;

use super::{Place, SERVICE_TYPE, STATUS};
use crate::calls::LiveParticipant;
use crate::resources::time::text as time_text;

/// A participant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ParticipantRow<'a> {
    /// Its name.
    pub(crate) id: Uuid,
    /// Where this row is.
    pub(crate) resource_uri: String,
    /// `in` or `out`.
    pub(crate) call_direction: &'static str,
    /// Not rated.
    pub(crate) call_quality: &'static str,
    /// The name of its call, which is its own.
    pub(crate) call_uuid: Uuid,
    /// The Virtual Meeting Room.
    pub(crate) conference: &'a str,
    /// Since when it takes part; null before its call is answered.
    pub(crate) connect_time: Option<String>,
    /// The Call-ID of its dialog.
    pub(crate) conversation_id: &'a str,
    /// Whom it has called, or who was called.
    pub(crate) destination_alias: &'a str,
    /// What it is shown as.
    pub(crate) display_name: &'a str,
    /// `On`, `Off`, or `Unknown` before both ends have agreed.
    pub(crate) encryption: &'static str,
    /// Whether its call is answered.
    pub(crate) has_media: bool,
    /// Sound and signalling are at one node.
    pub(crate) is_direct: bool,
    /// It can be disconnected.
    pub(crate) is_disconnect_supported: bool,
    /// It can be muted.
    pub(crate) is_mute_supported: bool,
    /// Whether the operator has muted it.
    pub(crate) is_muted: bool,
    /// Whether its far end holds the call.
    pub(crate) is_on_hold: bool,
    /// It cannot present.
    pub(crate) is_presentation_supported: bool,
    /// It does not present.
    pub(crate) is_presenting: bool,
    /// It is no stream.
    pub(crate) is_streaming: bool,
    /// It cannot be transferred.
    pub(crate) is_transfer_supported: bool,
    /// No licence is counted.
    pub(crate) license_count: u32,
    /// No licence is counted.
    pub(crate) license_type: &'static str,
    /// The address of the node with its sound.
    pub(crate) media_node: &'a str,
    /// `SIP`.
    pub(crate) protocol: &'static str,
    /// No node is between.
    pub(crate) proxy_node: &'static str,
    /// Where its signalling comes from.
    pub(crate) remote_address: String,
    /// The port of that.
    pub(crate) remote_port: u16,
    /// Everybody is a host: there are no guests.
    pub(crate) role: &'static str,
    /// The kind of conference; `connecting` before its call is answered.
    pub(crate) service_type: &'static str,
    /// The address of the node with its signalling.
    pub(crate) signalling_node: &'a str,
    /// Who has called.
    pub(crate) source_alias: &'a str,
    /// The system location of its node.
    pub(crate) system_location: &'a str,
    /// Its sound is mixed.
    pub(crate) transcoding_enabled: bool,
    /// The product of its far end.
    pub(crate) vendor: &'a str,
}

impl<'a> ParticipantRow<'a> {
    /// The row of a participant at a node.
    pub(crate) fn new(participant: &'a LiveParticipant, place: &'a Place) -> Self {
        let LiveParticipant { reported, joined_at, conference_began: _, statistics: _ } = participant;
        Self {
            id: reported.id,
            resource_uri: format!("{STATUS}/participant/{}/", reported.id),
            call_direction: if reported.dialled { "out" } else { "in" },
            call_quality: "0_unknown",
            call_uuid: reported.id,
            conference: &reported.room,
            connect_time: joined_at.map(time_text),
            conversation_id: &reported.call_id,
            destination_alias: &reported.destination_alias,
            display_name: &reported.display_name,
            encryption: match reported.encrypted {
                None => "Unknown",
                Some(false) => "Off",
                Some(true) => "On",
            },
            has_media: joined_at.is_some(),
            is_direct: false,
            is_disconnect_supported: true,
            is_mute_supported: true,
            is_muted: reported.muted,
            is_on_hold: reported.on_hold,
            is_presentation_supported: false,
            is_presenting: false,
            is_streaming: false,
            is_transfer_supported: false,
            license_count: 1,
            license_type: "port",
            media_node: &place.address,
            protocol: "SIP",
            proxy_node: "",
            remote_address: reported.remote.ip().to_string(),
            remote_port: reported.remote.port(),
            role: "chair",
            service_type: if joined_at.is_some() { SERVICE_TYPE } else { "connecting" },
            signalling_node: &place.address,
            source_alias: &reported.source_alias,
            system_location: &place.location,
            transcoding_enabled: true,
            vendor: &reported.vendor,
        }
    }
}
