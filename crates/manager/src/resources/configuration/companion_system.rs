//! `configuration/v1/companion_system/`: systems beside the platform that have to run its version.

use crate::resources::{Case, Field, Initial, Resource, Shape};

/// Its name for the operator.
pub(crate) const NAME: Field = Field::text("name", Shape::Name(250))
    .unique(Case::Insensitive, "A companion system with this name exists already.")
    .column()
    .filtered()
    .help("The name of the companion system.");

/// What it runs, as the operator notes it.
pub(crate) const VERSION: Field = Field::text("version", Shape::Version).filtered().help(
    "The version that it runs, with the dot release. Nothing asks the system for it: change it here after each \
     upgrade of the system. A version other than that of the platform is warned of.",
);

/// The resource.
pub(crate) static COMPANION_SYSTEM: Resource = Resource {
    called: "companion system",
    plural: "companion systems",
    help: "A system beside the platform that has to run the same version, such as the Teams Connector.",
    most: 100,
    fields: &[
        NAME,
        Field::text("address", Shape::Name(255)).filtered().help("Where it is: a host name or an address."),
        Field::choice("kind", &["teams_connector", "other"])
            .or(Initial::Text("other"))
            .filtered()
            .help("What it is."),
        VERSION,
        Field::text("description", Shape::Text(250))
            .or_empty()
            .filtered()
            .help("What the operator notes about it."),
    ],
    ..Resource::configuration("companion_system")
};
