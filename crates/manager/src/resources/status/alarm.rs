//! `status/v1/alarm/`: the alarms that stand.

use crate::resources::{Area, Field, Resource, Shape, Verb};

/// A text of an alarm.
pub(in crate::resources) const fn said(name: &'static str) -> Field {
    Field::text(name, Shape::Text(1_000)).or_empty().read_only().filtered()
}

/// The name of an alarm.
pub(in crate::resources) const NAME: Field =
    said("name").column().help("What has happened: a token that never changes, such as connectivity_lost.");
/// The number of its name in the compatible API.
pub(in crate::resources) const IDENTIFIER: Field =
    Field::count("identifier").nowhere().filtered().help("Always 0: the name says which alarm it is.");
/// How bad it is.
pub(in crate::resources) const LEVEL: Field = said("level").help("How bad it is: warning or error.");
/// The machine that it is about.
pub(in crate::resources) const NODE: Field = said("node").help("The name of the node that it is about.");
/// What it is about beside that.
pub(in crate::resources) const INSTANCE: Field = said("instance").help("What it is about beside the node.");
/// What happened and what to do.
pub(in crate::resources) const DETAILS: Field = said("details").help("What has happened, and what to do.");
/// When it was raised.
pub(in crate::resources) const TIME_RAISED: Field =
    Field { nullable: false, ..Field::moment("time_raised").column().filtered() }.help("When it was raised.");

/// The resource.
pub(crate) static ALARM: Resource = Resource {
    area: Area::Status,
    called: "alarm",
    plural: "alarms",
    help: "Something that an operator should look at, until it is over.",
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
        Field::boolean("acknowledged", false)
            .nowhere()
            .read_only()
            .help("Always false: an alarm is over when its reason is."),
    ],
    ..Resource::configuration("alarm")
};
