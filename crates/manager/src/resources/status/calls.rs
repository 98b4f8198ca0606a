//! `status/v1/conference/`, `conference_shard/` and `participant/`: live calls. Requests have handlers of their own, for a
//! conference may be named by the id of any of its parts.

use super::text;
use crate::resources::{Area, Field, Key, Permission, Resource, Served, Verb};

const fn live(name: &'static str) -> Resource {
    Resource {
        area: Area::Status,
        served: Served::Own,
        key: Key::Text,
        list: &[Verb::Get],
        detail: &[Verb::Get],
        view: Permission::ViewCalls,
        ..Resource::configuration(name)
    }
}

const fn flag(name: &'static str, help: &'static str) -> Field {
    Field::boolean(name, false).read_only().help(help)
}

const SERVICE_TYPE: Field = text("service_type").filtered().help("What kind of service it is: a conference.");
const TAG: Field = text("tag").filtered().help("The mark of the room for other systems.");
const START_TIME: Field = Field::moment("start_time").filtered().help("When its first participant came.");

/// Conferences over all nodes.
pub(crate) static CONFERENCE: Resource = Resource {
    called: "conference",
    plural: "conferences",
    help: "A Virtual Meeting Room in which somebody is.",
    fields: &[
        text("name").filtered().help("The name of the room."),
        SERVICE_TYPE,
        TAG,
        START_TIME,
        flag("is_locked", "Whether all its nodes refuse new callers.").filtered(),
        flag("is_started", "Whether anybody takes part whose call is answered.").filtered(),
        flag("guests_muted", "Always false: there are no guests.").filtered(),
        flag("direct_media_available", "Always false: media goes over the nodes."),
    ],
    ..live("conference")
};

/// What a node holds of a conference.
pub(crate) static CONFERENCE_SHARD: Resource = Resource {
    called: "part of a conference",
    plural: "parts of conferences",
    help: "What one Conferencing Node holds of a conference.",
    fields: &[
        text("conference").filtered().help("The name of the room."),
        text("node").filtered().help("The address of the node."),
        text("system_location").filtered().help("The name of the node's system location."),
        SERVICE_TYPE,
        TAG,
        START_TIME,
        flag("is_locked", "Whether the node refuses new callers.").filtered(),
        flag("is_started", "Whether anybody takes part whose call is answered.").filtered(),
        flag("guests_muted", "Always false: there are no guests.").filtered(),
        flag("is_direct", "Always false: media goes over the node.").filtered(),
        Field::boolean("transcoding_enabled", true).read_only().help("Always true: sound is mixed."),
    ],
    ..live("conference_shard")
};

/// Who is in a conference.
pub(crate) static PARTICIPANT: Resource = Resource {
    called: "participant",
    plural: "participants",
    help: "Somebody in a conference.",
    fields: &[
        text("call_direction").filtered().help("Who has called: in or out."),
        text("call_quality").filtered().help("The quality of the call, which is not rated."),
        text("call_uuid").filtered().help("The identifier of its call."),
        text("conference")
            .filtered()
            .help("The name of the room. A filter may have the id of the conference."),
        Field::moment("connect_time")
            .filtered()
            .help("Since when it takes part; null before its call is answered."),
        text("conversation_id").filtered().help("The Call-ID of its dialog."),
        text("destination_alias").filtered().help("Whom it has called, or who was called."),
        text("display_name").filtered().help("What it is shown as."),
        text("encryption").filtered().help("Whether its sound is encrypted: On, Off, or Unknown."),
        flag("has_media", "Whether its call is answered.").filtered(),
        flag("is_direct", "Always false: media goes over the node.").filtered(),
        flag("is_disconnect_supported", "Whether it can be disconnected."),
        flag("is_mute_supported", "Whether it can be muted."),
        flag("is_muted", "Whether an operator has muted it.").filtered(),
        flag("is_on_hold", "Whether its far end holds the call.").filtered(),
        flag("is_presentation_supported", "Whether it can present.").filtered(),
        flag("is_presenting", "Whether it presents.").filtered(),
        flag("is_streaming", "Whether it is a stream.").filtered(),
        flag("is_transfer_supported", "Whether it can be transferred.").filtered(),
        Field::count("license_count").filtered().help("How many licences it needs."),
        text("license_type").filtered().help("Which licence it needs."),
        text("media_node").filtered().help("The address of the node with its media."),
        text("protocol").filtered().help("How it is connected."),
        text("proxy_node").filtered().help("The node between, of which there is none."),
        text("remote_address").filtered().help("Where its signalling comes from."),
        Field::count("remote_port").filtered().help("The port of that."),
        text("role").filtered().help("What it may do: everybody is a chair."),
        text("service_type")
            .filtered()
            .help("What kind of service it is in; connecting before its call is answered."),
        text("signalling_node").filtered().help("The address of the node with its signalling."),
        text("source_alias").filtered().help("Who has called."),
        text("system_location").filtered().help("The name of the node's system location."),
        flag("transcoding_enabled", "Whether its sound is mixed.").filtered(),
        text("vendor").filtered().help("The product of its far end."),
    ],
    ..live("participant")
};
