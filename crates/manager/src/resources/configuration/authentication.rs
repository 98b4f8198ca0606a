//! `configuration/v1/authentication/1/`: how accounts and clients prove who they are.

use crate::resources::{Affects, Field, Initial, Permission, Resource};

/// How long an access token is valid, in seconds.
pub(crate) const EXPIRATION: Field = Field::whole("api_oauth2_expiration", 60, 86_400)
    .or(Initial::Whole(3_600))
    .help("How long an access token of an OAuth2 client is valid, in seconds. Tokens that were given keep theirs.");

/// Whether requests with a password are refused.
pub(crate) const DISABLE_BASIC: Field = Field::boolean("api_oauth2_disable_basic", false).help(
    "Whether requests to the API that bring a password (HTTP Basic) are refused, those of pitlane among them. There must \
     be an OAuth2 client that may manage the accounts; /admin/login/ takes passwords all the while.",
);

/// The resource.
pub(crate) static AUTHENTICATION: Resource = Resource {
    called: "setting of logins",
    plural: "settings of logins",
    help: "How accounts and OAuth2 clients prove who they are.",
    affects: Affects::Accounts,
    view: Permission::Accounts,
    change: Permission::Accounts,
    fields: &[
        Field::choice("source", &["LOCAL"])
            .or(Initial::Text("LOCAL"))
            .help("Where the accounts are: on the Management Node."),
        EXPIRATION,
        DISABLE_BASIC,
        Field::boolean("api_oauth2_allow_all_perms", false)
            .refused("An OAuth2 client may do what its role says.")
            .help("Whether an OAuth2 client may do everything, whatever its role says."),
    ],
    ..Resource::singleton("authentication")
};
