//! `configuration/v1/autobackup/1/`: backups that are made by themselves.

use crate::resources::{Field, FieldErrors, Initial, Object, Permission, Resource, Shape};

/// Whether they are made.
pub(crate) const ENABLED: Field = Field::boolean("autobackup_enabled", false)
    .help("Whether backups are made by themselves. The newest 24 of them are kept.");

/// The hours between two.
pub(crate) const INTERVAL: Field = Field::whole("autobackup_interval", 1, 24)
    .or(Initial::Whole(24))
    .help("How many hours lie between two of them, counted from the start hour on.");

/// The first hour of each day.
pub(crate) const START_HOUR: Field = Field::whole("autobackup_start_hour", 0, 23)
    .or(Initial::Whole(1))
    .help("The hour of each day, in UTC, at which one is made.");

/// What they are encrypted with.
pub(crate) const PASSPHRASE: Field = Field::text("autobackup_passphrase", Shape::Text(100))
    .or_empty()
    .secret()
    .help("What they are encrypted with. Nobody can restore them without.");

/// Where they are uploaded.
pub(crate) const UPLOAD_URL: Field = Field::text("autobackup_upload_url", Shape::Text(255)).or_empty().help(
    "Where each is uploaded with PUT, under its name: a URL such as https://files.example/pitlane/. Nowhere if it is \
     empty.",
);

/// The user there.
pub(crate) const UPLOAD_USERNAME: Field = Field::text("autobackup_upload_username", Shape::Text(100))
    .or_empty()
    .help("The user there, if it asks for one (HTTP Basic).");

/// The user's password.
pub(crate) const UPLOAD_PASSWORD: Field = Field::text("autobackup_upload_password", Shape::Text(100))
    .or_empty()
    .secret()
    .help("The password of that user.");

/// The resource.
pub(crate) static AUTOBACKUP: Resource = Resource {
    called: "schedule of backups",
    plural: "schedules of backups",
    help: "Backups that are made by themselves. What has become of each is shown by status/v1/backup_request/.",
    view: Permission::Backup,
    change: Permission::Backup,
    check: complete,
    fields: &[ENABLED, INTERVAL, START_HOUR, PASSPHRASE, UPLOAD_URL, UPLOAD_USERNAME, UPLOAD_PASSWORD],
    ..Resource::singleton("autobackup")
};

fn complete(object: &mut Object, errors: &mut FieldErrors) {
    if object.is(&ENABLED) && object.text(&PASSPHRASE).is_empty() {
        errors.add(PASSPHRASE.name, "Enter a passphrase: no backup is made without.");
    }
    if let Err(message) = checked_url(object.text(&UPLOAD_URL)) {
        errors.add(UPLOAD_URL.name, message);
    }
}

/// Checks that a URL names a directory of a server of HTTPS, and nothing that the settings have fields for.
fn checked_url(url: &str) -> Result<(), &'static str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return if url.is_empty() { Ok(()) } else { Err(EXAMPLE) };
    };
    if ["ftp", "ftps", "sftp"].iter().any(|other| scheme.eq_ignore_ascii_case(other)) {
        return Err("Backups are uploaded over HTTPS alone. Enter a URL that begins with https://.");
    }
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err("Enter user and password in their own fields.");
    }
    let is_plain =
        !host.is_empty() && !url.contains(|char: char| char == '?' || char == '#' || char.is_whitespace());
    if scheme == "https" && is_plain { Ok(()) } else { Err(EXAMPLE) }
}

const EXAMPLE: &str = "Enter a URL such as https://files.example/pitlane/.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_one_of_a_directory_over_https() {
        for url in ["", "https://files.example", "https://files.example:8443/a/b/", "https://[2001:db8::1]/"]
        {
            assert_eq!(checked_url(url), Ok(()), "{url}");
        }
        for url in [
            "files.example",
            "http://files.example/",
            "https:///a",
            "https://a b/",
            "https://a/?b",
            "file:///etc",
        ] {
            assert_eq!(checked_url(url), Err(EXAMPLE), "{url}");
        }
        for url in ["ftps://files.example/", "SFTP://files.example/", "ftp://files.example/"] {
            assert!(checked_url(url).unwrap_err().contains("over HTTPS alone"), "{url}");
        }
        assert!(checked_url("https://ann:secret@files.example/").unwrap_err().contains("own fields"));
    }
}
