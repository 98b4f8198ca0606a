//! `configuration/v1/role/`: what accounts may do.

use crate::resources::{Affects, Case, Field, Permission, Resource, Shape};

/// The permissions of the role.
pub(crate) const PERMISSIONS: Field =
    Field::to_many("permissions", "permission").filtered().help(
        "What the accounts of the role may do. Nobody gives a permission that he does not have. Who may restore backups can \
         replace everything.",
    );

/// The resource.
pub(crate) static ROLE: Resource = Resource {
    called: "role",
    plural: "roles",
    help: "What accounts may do.",
    most: 1_000,
    affects: Affects::Accounts,
    view: Permission::Accounts,
    change: Permission::Accounts,
    fields: &[
        Field::text("name", Shape::Name(250))
            .unique(Case::Insensitive, "A role with this name exists already.")
            .column()
            .filtered()
            .help("The name of the role."),
        PERMISSIONS,
    ],
    ..Resource::configuration("role")
};
