//! `history/v1/audit/`: who changed what, from what to what.

use crate::resources::{Area, Field, Permission, Resource, Shape, Verb};

const fn noted(name: &'static str, help: &'static str) -> Field {
    Field::text(name, Shape::Text(1_000)).or_empty().read_only().filtered().help(help)
}

/// The resource.
pub(crate) static AUDIT: Resource = Resource {
    area: Area::History,
    called: "entry",
    plural: "entries",
    help: "A change that an account has made.",
    list: &[Verb::Get],
    detail: &[Verb::Get],
    view: Permission::Audit,
    fields: &[
        Field::created("time").column().read_only().help("When it was made."),
        noted("account", "Who has made it."),
        noted("source", "The address from which it was requested."),
        noted("action", "What was done: created, changed, deleted, or the name of a command."),
        noted("resource", "What kind of object was changed."),
        noted("object", "The URI of the object, which is perhaps gone."),
        noted("name", "The name of the object."),
        Field::list("changes")
            .read_only()
            .help("The fields that were changed, each with its value before and after."),
    ],
    ..Resource::configuration("audit")
};
