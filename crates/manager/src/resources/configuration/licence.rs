//! `configuration/v1/licence/`: licences, whose requests have handlers of their own: what is sent is one signed text.

use crate::resources::{Field, Permission, Resource, Served, Shape, Verb};

const fn read(name: &'static str) -> Field {
    Field::text(name, Shape::Text(1_000)).or_empty().read_only()
}

/// The whole licence.
pub(crate) const TEXT: Field = Field::text("text", Shape::Lines(licence::limits::MAX_LICENCE))
    .help("The licence as it was sent, with its signature.");

/// The number that is shown for an amount without a limit: the largest one that every client can read.
pub(crate) const UNLIMITED: u32 = i32::MAX as u32;

/// The resource.
pub(crate) static LICENCE: Resource = Resource {
    called: "licence",
    plural: "licences",
    help: "What the platform may use, for how long and in which versions, signed by its publisher.",
    served: Served::Own,
    list: &[Verb::Get, Verb::Post],
    detail: &[Verb::Get, Verb::Delete],
    change: Permission::ChangeTrust,
    fields: &[
        TEXT,
        read("entitlement_id").filtered().help("The id of the licence."),
        read("customer").help("Whom it is for."),
        Field::count("concurrent")
            .help("How many calls at one time it allows; 2147483647 is without a limit."),
        Field::count("vmr").help("How many Virtual Meeting Rooms it allows; 2147483647 is without a limit."),
        read("features").help("The features that it allows, with commas between them."),
        read("start_date").filtered().help("The first day on which it is valid, in UTC; empty without one."),
        read("expiration_date")
            .filtered()
            .help("The last day on which it is valid, in UTC; empty if it never ends."),
        read("versions").help("The versions of the software that it is valid for."),
        read("status").filtered().help("Whether it is valid now, or why not."),
        Field::boolean("active", false).read_only().filtered().help("Whether it is valid now."),
        read("signed_with").help("The number of the key that has signed it."),
        Field::moment("installed_at").filtered().help("When it was installed."),
    ],
    ..Resource::configuration("licence")
};
