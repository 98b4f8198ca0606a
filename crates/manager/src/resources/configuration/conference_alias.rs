//! `configuration/v1/conference_alias/`: what can be dialled to reach a Virtual Meeting Room. An alias is unique on the
//! platform, whatever its case.

use crate::resources::{Affects, Case, Field, Initial, Resource, Shape};

const ALIAS: Field = Field::text("alias", Shape::Name(250))
    .unique(Case::Insensitive, "This alias is in use already.")
    .column()
    .filtered()
    .help("What is dialled.");

/// The resource.
pub(crate) static CONFERENCE_ALIAS: Resource = Resource {
    called: "alias",
    plural: "aliases",
    help: "What can be dialled to reach a Virtual Meeting Room.",
    affects: Affects::Rooms,
    natural: Some(ALIAS.name),
    fields: &[
        ALIAS,
        Field::owner("conference", "conference").column().filtered().help("The room that is reached."),
        Field::text("description", Shape::Text(250))
            .or_empty()
            .column()
            .filtered()
            .help("What the operator notes about the alias."),
        Field::created("creation_time").help("When the alias was made."),
        Field::whole("view_order", i32::MIN as i64, i32::MAX as i64)
            .or(Initial::Whole(0))
            .kept()
            .help("Its position in a list of aliases."),
    ],
    ..Resource::configuration("conference_alias")
};
