//! `configuration/v1/permission/`: what roles can allow. The objects are those of [`Permission`].

use crate::resources::{Field, Permission, Resource, Shape, Verb};

/// The resource.
pub(crate) static PERMISSION: Resource = Resource {
    called: "permission",
    plural: "permissions",
    help: "Something that a role can allow.",
    list: &[Verb::Get],
    detail: &[Verb::Get],
    view: Permission::Accounts,
    fields: &[
        Field::text("name", Shape::Name(250))
            .read_only()
            .or_empty()
            .column()
            .filtered()
            .help("What it allows."),
        Field::text("codename", Shape::Name(100))
            .read_only()
            .or_empty()
            .column()
            .filtered()
            .help("Its identifier."),
    ],
    ..Resource::configuration("permission")
};
