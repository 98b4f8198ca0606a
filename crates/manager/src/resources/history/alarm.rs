//! `history/v1/alarm/`: the alarms that are over.

use crate::resources::status::alarm::{DETAILS, IDENTIFIER, INSTANCE, LEVEL, NAME, NODE, TIME_RAISED};
use crate::resources::{Area, Field, Resource, Verb};

/// The resource.
pub(crate) static ALARM: Resource = Resource {
    area: Area::History,
    table: "past_alarm",
    called: "past alarm",
    plural: "past alarms",
    help: "An alarm that is over.",
    list: &[Verb::Get],
    detail: &[Verb::Get],
    fields: &[
        NAME,
        IDENTIFIER,
        LEVEL,
        NODE,
        INSTANCE,
        DETAILS,
        TIME_RAISED,
        Field { nullable: false, ..Field::moment("time_lowered").column().filtered() }
            .help("When its reason was over."),
    ],
    ..Resource::configuration("alarm")
};
