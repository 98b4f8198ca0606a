//! `configuration/v1/account/`: who may log in.

use crate::resources::{Affects, Case, Field, FieldErrors, Object, Permission, Resource, Shape, Verb};

/// The name to log in with.
pub(crate) const NAME: Field = Field::text("name", Shape::Name(128))
    .unique(Case::Sensitive, "An account with this name exists already.")
    .column()
    .filtered()
    .help("The name to log in with.");

/// The password, of which a hash is stored.
pub(crate) const PASSWORD: Field =
    Field::password("password").help("The password, of which a hash is stored.");

/// The role of the account.
pub(crate) const ROLE: Field =
    Field::to_one("role", "role").column().filtered().help("What the account may do.");

/// The resource.
pub(crate) static ACCOUNT: Resource = Resource {
    called: "account",
    plural: "accounts",
    help: "Somebody, or a tool, that may log in to the Management Node.",
    most: 10_000,
    list: &[Verb::Get, Verb::Post, Verb::Patch],
    affects: Affects::Accounts,
    view: Permission::Accounts,
    change: Permission::Accounts,
    check: no_colon,
    fields: &[
        NAME,
        PASSWORD,
        ROLE,
        Field::boolean("is_active", true).filtered().help("Whether the account can log in."),
        Field::text("description", Shape::Text(250)).or_empty().filtered().help("Whose account it is."),
    ],
    ..Resource::configuration("account")
};

/// HTTP Basic ends the name at the first colon (RFC 7617 section 2).
fn no_colon(account: &mut Object, errors: &mut FieldErrors) {
    if account.text(&NAME).contains(':') {
        errors.add(NAME.name, "Leave colons out.");
    }
}
