//! `status/v1/system_location/`: what the nodes of a location have together.

use super::{no_video, shown, text};
use crate::resources::{Field, Resource, Rows};

/// The resource.
pub(crate) static SYSTEM_LOCATION: Resource = Resource {
    called: "system location",
    plural: "system locations",
    help: "What the Conferencing Nodes of a system location have together that take calls.",
    fields: &[
        text("name").filtered().help("The name of the location."),
        Field::count("max_audio_calls").help("How many calls its nodes may have."),
        no_video("max_sd_calls"),
        no_video("max_hd_calls"),
        no_video("max_full_hd_calls"),
        Field::fraction("media_load")
            .help("How many of these they have, in percent; null if that is unknown."),
    ],
    ..shown("system_location", Rows::SystemLocation)
};
