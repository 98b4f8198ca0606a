//! What can be asked of conferences and participants.

use super::command;
use crate::resources::{Area, Field, Permission, Resource, Shape};

const CONFERENCE_ID: Field =
    Field::text("conference_id", Shape::Text(200)).help("The id of the conference, as its status shows it.");

const PARTICIPANT_ID: Field = Field::text("participant_id", Shape::Text(200))
    .help("The id of the participant, as its status shows it.");

const fn to_conference(name: &'static str) -> Resource {
    Resource {
        change: Permission::ControlCalls,
        fields: &[CONFERENCE_ID],
        ..command(Area::CommandConference, name)
    }
}

const fn to_participant(name: &'static str) -> Resource {
    Resource {
        change: Permission::ControlCalls,
        fields: &[PARTICIPANT_ID],
        ..command(Area::CommandParticipant, name)
    }
}

pub(crate) static DISCONNECT_ALL: Resource =
    Resource { help: "Disconnects everybody in a conference.", ..to_conference("disconnect") };

pub(crate) static LOCK: Resource =
    Resource { help: "Refuses new callers in a conference.", ..to_conference("lock") };

pub(crate) static UNLOCK: Resource =
    Resource { help: "Takes new callers in a conference again.", ..to_conference("unlock") };

pub(crate) static DISCONNECT: Resource =
    Resource { help: "Disconnects a participant.", ..to_participant("disconnect") };

pub(crate) static MUTE: Resource =
    Resource { help: "Mutes a participant: nobody hears it.", ..to_participant("mute") };

pub(crate) static UNMUTE: Resource =
    Resource { help: "Lets a participant be heard again.", ..to_participant("unmute") };

const fn word(name: &'static str) -> Field {
    Field::text(name, Shape::Text(250)).or_empty()
}

pub(crate) static DIAL: Resource = Resource {
    help: "Calls somebody into a conference.",
    fields: &[
        Field::text("conference_alias", Shape::Text(250)).help("An alias of the room, or its name."),
        Field::text("destination", Shape::Text(250))
            .help("Who is called: a SIP URI, or the alias of a registered device."),
        word("remote_display_name").help("What the participant is shown as."),
        word("node").help("The node that calls: its name or address; any that can if it is not said."),
        word("system_location").help("The name of the system location of the node that calls."),
        word("protocol").help("How it is called: sip, or auto, which is the same."),
        word("role").help("What it may do: everybody is a chair."),
        word("call_type").help("Which media the call has: sound."),
        word("routing").help("How the destination is found: as it is said."),
        word("dtmf_sequence").help("What is dialled once it answers: nothing; leave it empty."),
        word("presentation_url").help("Where presentations go: nowhere; leave it empty."),
        word("custom_sip_headers").help("Headers of the call: none; leave it empty."),
        word("local_display_name").help("What the room is shown as to who is called: its name."),
        word("keep_conference_alive")
            .help("Whether the conference goes on with this participant alone: it does."),
        Field::boolean("streaming", false).help("Whether a stream is called: no; leave it out."),
    ],
    ..to_participant("dial")
};
