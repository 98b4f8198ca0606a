//! `configuration/v1/system_location/`: the named places of Conferencing Nodes.

use super::GLOBAL_OFF_ON;
use crate::resources::{Case, Field, Initial, Resource, Shape};

const NAME: Field = Field::text("name", Shape::Name(250))
    .unique(Case::Insensitive, "A system location with this name exists already.")
    .column()
    .filtered()
    .help("The name of the system location.");

/// The resource.
pub(crate) static SYSTEM_LOCATION: Resource = Resource {
    called: "system location",
    plural: "system locations",
    help: "A group of Conferencing Nodes that are in one place of the network.",
    fields: &[
        NAME,
        Field::text("description", Shape::Text(250))
            .or_empty()
            .column()
            .filtered()
            .help("What the operator notes about the location."),
        Field::whole("mtu", 512, 1500)
            .or(Initial::Whole(1500))
            .filtered()
            .kept()
            .help("The largest packet of the network, in bytes."),
        Field::whole("media_qos", 0, 63)
            .or(Initial::Whole(0))
            .nullable()
            .filtered()
            .kept()
            .help("The DSCP value of media."),
        Field::whole("signalling_qos", 0, 63)
            .or(Initial::Whole(0))
            .nullable()
            .filtered()
            .kept()
            .help("The DSCP value of signalling."),
        to_location("overflow_location1", "Where conferences go on first when the nodes here are full."),
        to_location("overflow_location2", "Where conferences go on next when the nodes here are full."),
        to_location(
            "transcoding_location",
            "Where the media of a location without transcoding nodes is mixed.",
        ),
        Field::choice("bdpm_pin_checks_enabled", GLOBAL_OFF_ON)
            .or(Initial::Text("GLOBAL"))
            .kept()
            .help("Whether repeated wrong PINs are slowed down."),
        Field::choice("bdpm_scan_quarantine_enabled", GLOBAL_OFF_ON)
            .or(Initial::Text("GLOBAL"))
            .kept()
            .help("Whether callers that try many aliases are blocked."),
        Field::text("local_mssip_domain", Shape::Text(255))
            .or_empty()
            .kept()
            .help("The domain for Skype for Business."),
        Field::boolean("use_relay_candidates_only", false)
            .kept()
            .help("Whether media always goes through TURN servers."),
    ],
    ..Resource::configuration("system_location")
};

const fn to_location(name: &'static str, help: &'static str) -> Field {
    Field::to_one(name, "system_location").or_null().filtered().kept().help(help)
}
