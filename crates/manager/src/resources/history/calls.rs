//! `history/v1/conference/` and `participant/`: calls that are over. Requests have handlers of their own, for what refers
//! to a conference may name it by its identifier.

use crate::resources::{Area, Field, Initial, Key, Permission, Resource, Served, Shape, Verb};

const fn past(name: &'static str, table: &'static str) -> Resource {
    Resource {
        area: Area::History,
        served: Served::Own,
        table,
        key: Key::Text,
        list: &[Verb::Get],
        detail: &[Verb::Get],
        view: Permission::ViewCalls,
        ..Resource::configuration(name)
    }
}

const fn text(name: &'static str) -> Field {
    Field::text(name, Shape::Text(1_000)).or_empty().read_only().filtered()
}

/// A text that is the same for every call.
const fn always(name: &'static str, value: &'static str) -> Field {
    text(name).or(Initial::Text(value)).nowhere()
}

const fn flag(name: &'static str, help: &'static str) -> Field {
    Field::boolean(name, false).read_only().help(help).filtered()
}

/// A time that every object has.
const fn moment(name: &'static str) -> Field {
    Field { nullable: false, ..Field::moment(name).column().filtered() }
}

const SERVICE_TYPE: Field =
    always("service_type", "conference").help("What kind of service it was: a conference.");
const END_TIME: Field = moment("end_time");
const DURATION: Field =
    Field::count("duration").column().filtered().help("From its beginning to its end, in seconds.");

/// `history/v1/conference/`.
pub(crate) static CONFERENCE: Resource = Resource {
    called: "past conference",
    plural: "past conferences",
    help: "A conference that is over: all who were in a Virtual Meeting Room, until the last of them left.",
    detail: &[Verb::Get, Verb::Delete],
    fields: &[
        text("name").column().help("The name of the room."),
        SERVICE_TYPE,
        always("tag", "").help("The mark of the room for other systems."),
        moment("start_time").help("When its first participant came."),
        END_TIME.help("When its last participant left."),
        DURATION,
        Field::count("participant_count").column().help("How many took part."),
        Field::count("instant_message_count").nowhere().filtered().help("Always 0: there are no messages."),
        Field::boolean("direct_media_available", false)
            .nowhere()
            .read_only()
            .help("Always false: media went over the nodes."),
        Field::list("participants").nowhere().read_only().help("The URIs of its participants."),
    ],
    ..past("conference", "past_conference")
};

/// `history/v1/participant/`.
pub(crate) static PARTICIPANT: Resource = Resource {
    called: "past participant",
    plural: "past participants",
    help: "Somebody who was in a conference.",
    fields: &[
        text("call_direction").help("Who has called: in or out."),
        always("call_quality", "0_unknown").help("The quality of the call, which is not rated."),
        text("call_uuid").help("The identifier of its call."),
        text("conference").column().help("The URI of its conference. A filter may have its id."),
        text("conference_name").column().help("The name of the room."),
        text("conversation_id").help("The Call-ID of its dialog."),
        text("disconnect_reason").help("Why its call ended; Unknown if its node has not said so."),
        text("display_name").help("What it was shown as."),
        Field::count("duration").column().filtered().help("How long its call lasted, in seconds."),
        text("encryption").help("Whether its sound was encrypted: On, Off, or Unknown."),
        END_TIME.help("When it left, or was heard of last."),
        flag("has_media", "Whether its call was answered."),
        flag("is_direct", "Always false: media went over the node.").nowhere(),
        flag("is_streaming", "Always false: it was no stream.").nowhere(),
        Field::count("license_count")
            .or(Initial::Whole(1))
            .nowhere()
            .filtered()
            .help("How many licences it needed."),
        always("license_type", "port").help("Which licence it needed."),
        text("local_alias").help("The alias of the room that it has called, or that has called it."),
        text("media_node").help("The address of the node with its media."),
        Field::list("media_streams")
            .read_only()
            .help("What was counted of its sound, if it lasted long enough."),
        always("protocol", "SIP").help("How it was connected."),
        always("proxy_node", "").help("The node between, of which there is none."),
        text("remote_address").help("Where its signalling came from."),
        text("remote_alias").help("Who has called, or was called."),
        Field::count("remote_port").filtered().help("The port of its signalling."),
        always("role", "chair").help("What it might do: everybody is a chair."),
        SERVICE_TYPE,
        text("signalling_node").help("The address of the node with its signalling."),
        moment("start_time").help("When its call was answered; if it never was, when it began."),
        text("system_location").help("The name of the node's system location."),
        Field::boolean("transcoding_enabled", true)
            .nowhere()
            .read_only()
            .filtered()
            .help("Always true: sound was mixed."),
        text("vendor").help("The product of its far end."),
    ],
    ..past("participant", "past_participant")
};
