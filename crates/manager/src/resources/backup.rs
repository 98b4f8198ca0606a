//! The resources of backups, whose requests are served by handlers of their own: a backup is a file.

use super::{Area, Field, Key, Permission, Resource, Served, Shape, Verb};

/// The longest passphrase, in characters, as in the compatible API.
const PASSPHRASE: usize = 1_000;

const fn text(name: &'static str) -> Field {
    Field::text(name, Shape::Text(1_000)).or_empty().read_only()
}

const fn own(area: Area, name: &'static str) -> Resource {
    Resource {
        area,
        served: Served::Own,
        list: &[Verb::Get],
        detail: &[Verb::Get],
        view: Permission::Backup,
        change: Permission::Backup,
        ..Resource::configuration(name)
    }
}

/// `configuration/v1/system_backup/`: the backups that the Management Node keeps.
pub(crate) static SYSTEM_BACKUP: Resource = Resource {
    called: "backup",
    plural: "backups",
    help: "A backup that the Management Node keeps. GET of its URI is the file; with Accept: application/json it is this \
           object.",
    key: Key::Field("filename"),
    detail: &[Verb::Get, Verb::Delete],
    fields: &[
        text("filename").filtered().help("The name of the file, which identifies it."),
        Field::moment("date").filtered().help("When it was made."),
        Field::version("version").filtered().help("The version of the release that has made it."),
        text("build").filtered().help("The build of that release."),
        Field::count("size").filtered().help("How many bytes it has."),
        text("sha256sum").filtered().help("The SHA-256 of the file."),
        text("type").filtered().help("Who has made it: manual or automatic."),
    ],
    ..own(Area::Configuration, "system_backup")
};

/// `status/v1/backup_request/`: requests for backups that nobody waits for.
pub(crate) static BACKUP_REQUEST: Resource = Resource {
    called: "request for a backup",
    plural: "requests for backups",
    help: "A request for a backup. A restart of the Management Node forgets it.",
    key: Key::Text,
    fields: &[
        text("state").filtered().help("How far it is: initialising, completed or failed."),
        text("message").help("The same in words."),
        text("download_uri").help("The URI of the backup, once it is made."),
        Field::moment("created_at").filtered().help("When it was made."),
        Field::moment("updated_at").filtered().help("When its state changed last."),
    ],
    ..own(Area::Status, "backup_request")
};

const fn command(name: &'static str) -> Resource {
    Resource {
        called: "command",
        plural: "commands",
        list: &[Verb::Post],
        detail: &[],
        ..own(Area::CommandPlatform, name)
    }
}

/// `command/v1/platform/backup_create/`.
pub(crate) static CREATE: Resource = Resource {
    help: "Makes a backup of configuration, history and the platform's authority.",
    fields: &[
        Field::text("passphrase", Shape::Text(PASSPHRASE))
            .secret()
            .help("What the backup is encrypted with. Nobody can restore it without."),
        Field::boolean("request", false)
            .help("Whether the answer comes at once, with a request that says when the backup is made."),
    ],
    ..command("backup_create")
};

/// `command/v1/platform/backup_restore/`.
pub(crate) static RESTORE: Resource = Resource {
    help: "Checks a backup, and restarts the Management Node with what is in it.",
    fields: &[
        Field::file("package").help("The backup, as a part of a multipart form."),
        Field::text("passphrase", Shape::Text(PASSPHRASE)).secret().help("What it was encrypted with."),
    ],
    ..command("backup_restore")
};
