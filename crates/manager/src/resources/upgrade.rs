//! The resources of upgrades, whose requests are served by handlers of their own: a package is not written like a field.

use super::{Area, Field, Key, Permission, Resource, Served, Shape, Verb};

const fn text(name: &'static str) -> Field {
    Field::text(name, Shape::Text(1_000)).or_empty().read_only()
}

const fn own(area: Area, name: &'static str) -> Resource {
    Resource {
        area,
        served: Served::Own,
        change: Permission::Upgrade,
        list: &[Verb::Get],
        detail: &[Verb::Get],
        ..Resource::configuration(name)
    }
}

/// What an upload sends, with or without a start of the upgrade.
pub(super) const UPLOADED: &[Field] = &[
    Field::file("package").help("The package, as a part of a multipart form."),
    Field::boolean("request", false).help("Whether the package follows in parts."),
    Field::whole("total_size", 1, i64::MAX).or_null().help("How many bytes it has, if it follows in parts."),
];

/// `configuration/v1/upgrade/`: uploads.
pub(crate) static UPGRADE: Resource = Resource {
    called: "upgrade",
    plural: "upgrades",
    help: "Uploads a package, or asks for an upload in parts.",
    list: &[Verb::Post],
    detail: &[],
    fields: UPLOADED,
    ..own(Area::Configuration, "upgrade")
};

/// `configuration/v1/upgrade_request/`: uploads in parts.
pub(crate) static UPGRADE_REQUEST: Resource = Resource {
    called: "upload",
    plural: "uploads",
    help: "An upload of a package in parts.",
    key: Key::Field("uuid"),
    detail: &[Verb::Get, Verb::Delete],
    fields: &[
        text("uuid").filtered().help("Its identifier."),
        text("state").filtered().help("Whether it goes on: uploading, checked, rejected."),
        Field::count("offset").help("How many bytes have arrived."),
        Field::count("total_size").filtered().help("How many bytes it will have."),
        Field::moment("created_at").filtered().help("When it began."),
        Field::moment("last_activity").filtered().help("When bytes of it arrived last."),
        Field::boolean("idle", false).read_only().help("Whether it waits for its sender."),
        text("owner").or_null().filtered().help("The account that uploads."),
        text("head_sha256").or_null().help("The hash of the beginning of the file, by which it is resumed."),
        Field::record("current").read_only().help("The release that runs."),
        Field::record("upgrade").read_only().help("The package, once it is checked."),
        text("error").or_null().help("Why the package was rejected."),
    ],
    ..own(Area::Configuration, "upgrade_request")
};

/// `configuration/v1/upgrade_package/`: packages that were checked.
pub(crate) static UPGRADE_PACKAGE: Resource = Resource {
    called: "upgrade package",
    plural: "upgrade packages",
    help: "A package that was checked and can be started.",
    key: Key::Field("manifest"),
    detail: &[Verb::Get, Verb::Delete],
    fields: &[
        text("manifest").filtered().help("The hash of its manifest, which identifies it."),
        Field::version("version").filtered().help("The version of its release."),
        Field::count("build").filtered().help("The build of its release."),
        text("release_text").help("Both as they are shown everywhere."),
        // A day, without a time.
        Field::moment("released").filtered().help("The day on which it was released."),
        text("notes").help("What is new in it."),
        Field::count("size").filtered().help("How many bytes it has."),
        Field::moment("uploaded_at").or_null().filtered().help("When it was uploaded."),
        text("needed_for").or_null().help("What needs it, so that it cannot be removed."),
    ],
    ..own(Area::Configuration, "upgrade_package")
};

/// `history/v1/upgrade/`: runs.
pub(crate) static HISTORY: Resource = Resource {
    called: "run",
    plural: "runs",
    help: "An upgrade of the platform that has ended.",
    fields: &[
        Field::version("source").filtered().help("The release before."),
        Field::version("target").filtered().help("The release of the package."),
        text("manifest").filtered().help("The hash of the package's manifest."),
        Field::moment("started_at").filtered().help("When it was started."),
        Field::moment("ended_at").or_null().filtered().help("When it ended."),
        text("outcome").or_null().filtered().help("How it ended: a token that never changes."),
        text("outcome_text").or_null().help("The same in words."),
        Field::count("facts_evicted").help("How many of its steps are not kept any more."),
    ],
    ..own(Area::History, "upgrade")
};
