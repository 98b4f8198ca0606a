//! What can be asked of the platform: each is a path to which a request is sent with POST.

pub(crate) mod calls;

use super::upgrade::UPLOADED;
use super::{Area, Field, Initial, Permission, Resource, Served, Shape, Verb};

const fn command(area: Area, name: &'static str) -> Resource {
    Resource {
        area,
        served: Served::Own,
        called: "command",
        plural: "commands",
        list: &[Verb::Post],
        detail: &[],
        change: Permission::Upgrade,
        ..Resource::configuration(name)
    }
}

const POLICY: Field =
    Field::record("policy").help("Numbers of the policy that differ from those of the machine.");

/// Uploads a package and starts its upgrade.
pub(crate) static UPGRADE: Resource = Resource {
    help: "Uploads a package, checks it and starts the upgrade.",
    fields: UPLOADED,
    ..command(Area::CommandPlatform, "upgrade")
};

/// Makes a TLS certificate of a bundle.
pub(crate) static CERTIFICATES_IMPORT: Resource = Resource {
    help: "Makes a TLS certificate of certificates and their key in one text.",
    change: Permission::ChangeTrust,
    fields: &[
        Field::text("bundle", Shape::Lines(131_072))
            .or_empty()
            .help("Certificates and their key, PEM, in any order."),
        Field::text("certificate", Shape::Lines(65_536))
            .or_empty()
            .help("The certificates alone, without a bundle."),
        Field::text("private_key", Shape::Lines(12_288)).or_empty().help("The key alone, without a bundle."),
        Field::text("private_key_passphrase", Shape::Text(1_000))
            .or_empty()
            .help("The passphrase of an encrypted key."),
    ],
    ..command(Area::CommandPlatform, "certificates_import")
};

/// Says what would prevent an upgrade.
pub(crate) static UPGRADE_CHECK: Resource = Resource {
    help: "Says what prevents the start of an upgrade, and what the operator should know before.",
    fields: &[PACKAGE, POLICY],
    ..command(Area::CommandPlatform, "upgrade_check")
};

/// Starts an upgrade.
pub(crate) static UPGRADE_START: Resource = Resource {
    help: "Starts an upgrade with an uploaded package.",
    fields: &[PACKAGE, POLICY],
    ..command(Area::CommandPlatform, "upgrade_start")
};

/// What reasons are: they stand in the history and in lists.
pub(crate) const REASON_SHAPE: Shape = Shape::Text(250);

/// Why a run is paused, resumed or stopped.
pub(crate) const REASON: Field = Field::text("reason", REASON_SHAPE)
    .or_empty()
    .help("Why, for the history and for whoever looks at the upgrade.");

/// Takes no further node.
pub(crate) static UPGRADE_PAUSE: Resource = Resource {
    help: "Takes no further node until the upgrade is resumed. Nodes under way finish; the limit of the run is not moved.",
    fields: &[REASON],
    ..command(Area::CommandPlatform, "upgrade_pause")
};

/// Goes on with a paused run.
pub(crate) static UPGRADE_RESUME: Resource = Resource {
    help: "Goes on with a paused upgrade.",
    fields: &[REASON],
    ..command(Area::CommandPlatform, "upgrade_resume")
};

/// Ends a run.
pub(crate) static UPGRADE_STOP: Resource = Resource {
    help: "Ends the upgrade: nodes whose calls have not cleared go back to service at once, those that restart finish, and \
           every node keeps the release that it has. The same package takes the rest later.",
    fields: &[REASON],
    ..command(Area::CommandPlatform, "upgrade_stop")
};

const PACKAGE: Field = Field::text("package", Shape::Text(100))
    .or(Initial::Text(""))
    .help("The package, by the hash of its manifest; the only one if it is not said.");

/// Changes a password.
pub(crate) static PASSWORD: Resource = Resource {
    help: "Changes the password of the account that sends the request.",
    change: Permission::UseApi,
    fields: &[
        Field::text("old_password", Shape::Text(256)).help("The present password."),
        Field::text("new_password", Shape::Text(256)).help("The new password."),
    ],
    ..command(Area::CommandAccount, "password")
};
