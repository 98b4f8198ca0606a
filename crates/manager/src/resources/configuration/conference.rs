//! `configuration/v1/conference/`: Virtual Meeting Rooms, with their aliases inside.
//!
//! What would protect a room, and calls do not act on yet, is refused and not kept: a PIN that is not asked for is worse
//! than none.

use super::DEFAULT_YES_NO;
use crate::resources::{Affects, Case, Field, Initial, Resource, Shape};

/// How many aliases one room may have: far more than numbers and names in a few languages.
const ALIASES: usize = 250;

const NO_PINS: &str = "Pitlane does not ask for PINs; leave this field empty.";

const NAME: Field = Field::text("name", Shape::Name(250))
    .unique(Case::Insensitive, "A Virtual Meeting Room with this name exists already.")
    .column()
    .filtered()
    .help("The name of the room.");

/// The resource.
pub(crate) static CONFERENCE: Resource = Resource {
    called: "Virtual Meeting Room",
    plural: "Virtual Meeting Rooms",
    help: "A room in which callers meet.",
    affects: Affects::Rooms,
    natural: Some(NAME.name),
    fields: &[
        NAME,
        Field::text("description", Shape::Text(250))
            .or_empty()
            .column()
            .filtered()
            .help("What the operator notes about the room."),
        Field::choice("service_type", &["conference"])
            .or(Initial::Text("conference"))
            .filtered()
            .help("What the service is. All services of Pitlane are Virtual Meeting Rooms."),
        Field::children("aliases", "conference_alias", "conference", ALIASES).filtered().help(
            "What can be dialled to reach the room: objects with alias and description, or the texts alone.",
        ),
        Field::created("creation_time").help("When the room was made."),
        Field::text("tag", Shape::Text(250)).or_empty().filtered().kept().help("A mark for other systems."),
        Field::text("sync_tag", Shape::Text(250))
            .or_empty()
            .kept()
            .help("A mark for systems that create rooms."),
        Field::text("primary_owner_email_address", Shape::Text(100))
            .or_empty()
            .filtered()
            .kept()
            .help("Whose room it is."),
        Field::to_one("system_location", "system_location")
            .or_null()
            .filtered()
            .kept()
            .help("Where the room is held."),
        Field::text("pin", Shape::Text(20)).or_empty().filtered().refused(NO_PINS).help("The PIN of hosts."),
        Field::text("guest_pin", Shape::Text(20))
            .or_empty()
            .filtered()
            .refused(NO_PINS)
            .help("The PIN of guests."),
        Field::boolean("allow_guests", false)
            .filtered()
            .refused("Pitlane has no guests: everybody in a room is a host.")
            .help("Whether callers without a PIN are guests."),
        Field::whole("participant_limit", 0, 0)
            .or_null()
            .filtered()
            .help("How many participants there may be: 0 and null are without a limit, as all rooms are."),
        Field::choice("crypto_mode", &["", "besteffort"])
            .or(Initial::Text(""))
            .kept()
            .help("Whether media is encrypted. The nodes encrypt it where the far end can."),
        Field::choice("call_type", &["video", "audio", "video-only"])
            .or(Initial::Text("video"))
            .kept()
            .help("Which media the room has."),
        Field::text("host_view", Shape::Text(100))
            .or(Initial::Text("one_main_seven_pips"))
            .kept()
            .help("The layout for hosts."),
        Field::text("guest_view", Shape::Text(100))
            .or(Initial::Text("one_main_seven_pips"))
            .kept()
            .help("The layout for guests."),
        Field::choice("enable_chat", DEFAULT_YES_NO)
            .or(Initial::Text("default"))
            .filtered()
            .kept()
            .help("Whether there is chat."),
        Field::boolean("enable_overlay_text", false)
            .filtered()
            .kept()
            .help("Whether names are shown in pictures."),
        Field::boolean("enable_active_speaker_indication", false)
            .kept()
            .help("Whether the speaker is marked."),
        Field::boolean("denoise_enabled", false).kept().help("Whether noise is removed."),
        Field::boolean("softmute_enabled", false).kept().help("Whether quiet sound is muted."),
        Field::boolean("mute_all_guests", false).kept().help("Whether guests are muted when they join."),
        Field::boolean("guests_can_present", true).kept().help("Whether guests can present."),
        Field::choice("guests_can_see_guests", &["no_hosts", "never", "always"])
            .or(Initial::Text("no_hosts"))
            .kept()
            .help("When guests see each other."),
        Field::choice("non_idp_participants", &["disallow_all", "allow_if_trusted"])
            .or(Initial::Text("disallow_all"))
            .kept()
            .help("Who may join a room with an identity provider without it."),
        Field::boolean("breakout_rooms", false).kept().help("Whether the room can be divided."),
        Field::boolean("force_presenter_into_main", false)
            .kept()
            .help("Whether who presents is shown large."),
        Field::choice("live_captions_enabled", DEFAULT_YES_NO)
            .or(Initial::Text("default"))
            .kept()
            .help("Whether there are captions."),
        Field::choice("direct_media", &["never", "best_effort", "always"])
            .or(Initial::Text("never"))
            .filtered()
            .kept()
            .help("Whether two participants send media to each other."),
        Field::whole("direct_media_notification_duration", 0, 30)
            .or(Initial::Whole(0))
            .filtered()
            .kept()
            .help("For how many seconds a change of the way of media is announced."),
        callrate("max_callrate_in", "The most that a participant sends, in kbit/s."),
        callrate("max_callrate_out", "The most that a participant receives, in kbit/s."),
        Field::choice("max_pixels_per_second", &["sd", "hd", "fullhd"])
            .or_null()
            .kept()
            .help("The best quality of pictures."),
        Field::text("on_completion", Shape::Text(1000))
            .or_empty()
            .kept()
            .help("What follows when the conference ends."),
        Field::text("pinning_config", Shape::Text(250)).or_null().kept().help("Who is shown where."),
        Field::text("match_string", Shape::Text(250))
            .or_empty()
            .kept()
            .help("A setting of services other than rooms."),
        Field::text("replace_string", Shape::Text(250))
            .or_empty()
            .kept()
            .help("A setting of services other than rooms."),
        Field::text("post_match_string", Shape::Text(250))
            .or_empty()
            .kept()
            .help("A setting of services other than rooms."),
        Field::text("post_replace_string", Shape::Text(250))
            .or_empty()
            .kept()
            .help("A setting of services other than rooms."),
        Field::choice("two_stage_dial_type", &["regular", "mssip", "gms", "teams"])
            .or(Initial::Text("regular"))
            .filtered()
            .kept()
            .help("A setting of services other than rooms."),
    ],
    ..Resource::configuration("conference")
};

const fn callrate(name: &'static str, help: &'static str) -> Field {
    Field::whole(name, 128, 8192).or_null().filtered().kept().help(help)
}
