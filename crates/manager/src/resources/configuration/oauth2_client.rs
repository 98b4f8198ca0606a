//! `configuration/v1/oauth2_client/`: tools that log in with a signed assertion instead of a password.

use crate::resources::{Affects, Case, Created, Field, Permission, Resource, Shape, Verb};

/// Its name for the operator.
pub(crate) const CLIENT_NAME: Field = Field::text("client_name", Shape::Name(250))
    .unique(Case::Insensitive, "A client with this name exists already.")
    .column()
    .filtered()
    .help("The name of the client.");

/// The role of the client.
pub(crate) const ROLE: Field =
    Field::to_one("role", "role").column().filtered().help("What the client may do.");

/// The resource.
pub(crate) static OAUTH2_CLIENT: Resource = Resource {
    called: "OAuth2 client",
    plural: "OAuth2 clients",
    help: "A tool that asks for access tokens with an assertion that it has signed.",
    most: 1_000,
    affects: Affects::Accounts,
    list: &[Verb::Get, Verb::Post, Verb::Patch, Verb::Delete],
    created: Created::OAuthClient,
    natural: Some(CLIENT_NAME.name),
    view: Permission::Accounts,
    change: Permission::Accounts,
    fields: &[
        CLIENT_NAME,
        Field::text("client_id", Shape::Text(36))
            .or_null()
            .read_only()
            .column()
            .filtered()
            .help("What it names itself in assertions: issuer and subject."),
        ROLE,
        Field::text("private_key_jwt", Shape::Text(5_000)).or_empty().read_only().nowhere().help(
            "The private key with which it signs (ES256), PEM. Only the answer to its creation has it.",
        ),
    ],
    ..Resource::configuration("oauth2_client")
};
