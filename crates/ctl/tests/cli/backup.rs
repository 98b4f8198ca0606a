//! Backups: made, listed, downloaded, deleted, restored.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::Home;
use crate::answers::{about, list, ok};
use crate::server::{Reply, Server};

const NAME: &str = "backup-34.1-34100-20261130T193300Z.tar.zst.age";
const LIST: &str = "GET /api/admin/configuration/v1/system_backup/?limit";
const CONTENT: &str = "age-encryption.org/v1\n";

/// The SHA-256 of [`CONTENT`].
fn hash() -> String {
    <sha2::Sha256 as sha2::Digest>::digest(CONTENT).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn backup(sha256sum: &str) -> Value {
    json!({"filename": NAME, "date": "2026-11-30T19:33:00", "version": "34.1", "build": "34100", "size": 22,
        "sha256sum": sha256sum, "type": "manual",
        "resource_uri": format!("/api/admin/configuration/v1/system_backup/{NAME}/")})
}

/// A Management Node with one backup, whose list says this hash.
fn server(sha256sum: &str) -> Server {
    Server::start(vec![
        about(),
        (LIST, ok(list(json!([backup(sha256sum)])))),
        (
            "GET /api/admin/configuration/v1/system_backup/backup-",
            vec![Reply::Created("/".into(), CONTENT.into())],
        ),
        ("DELETE /api/admin/configuration/v1/system_backup/", ok(json!({}))),
        (
            "POST /api/admin/command/v1/platform/backup_create/",
            ok(json!({"status": "success", "data": {"system_backup": backup(sha256sum)}})),
        ),
        (
            "POST /api/admin/command/v1/platform/backup_restore/",
            ok(json!({"status": "success", "data": {"message": "the Management Node restarts"}})),
        ),
    ])
}

fn with_passphrase(home: &Home) {
    fs::write(home.path().join("passphrase"), "correct horse battery\n").unwrap();
}

#[test]
fn backup_is_made_and_listed() {
    let server = server(&hash());
    let home = server.home();
    with_passphrase(&home);
    let made = home.run_ok(&["backup", "create", "--passphrase-file", "passphrase"]);
    assert!(made.out.starts_with(&format!("The backup {NAME} is made (22 B).\n")), "{}", made.out);
    let sent = server.received("POST /api/admin/command/v1/platform/backup_create/")[0].json();
    assert_eq!(sent, json!({"passphrase": "correct horse battery"}));
    let listed = home.run_ok(&["backup", "list"]).out;
    assert!(listed.contains(NAME) && listed.contains("2026-11-30 19:33:00Z  34.1 (34100)  22 B"), "{listed}");
    let unasked = home.run(&["backup", "create"]);
    assert!(unasked.code == 2 && unasked.err.contains("--passphrase-file"), "{}", unasked.err);
}

#[test]
fn newest_backup_is_downloaded_once_and_its_owner_reads_it_alone() {
    let server = server(&hash());
    let home = server.home();
    let done = home.run_ok(&["backup", "download"]);
    assert!(done.out.contains(&hash()), "{}", done.out);
    let file = home.path().join(NAME);
    assert_eq!(fs::read_to_string(&file).unwrap(), CONTENT);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(home.run(&["backup", "download", NAME]).code, 1, "a file was replaced");
    assert_eq!(fs::read_to_string(&file).unwrap(), CONTENT);
    let absent = home.run(&["backup", "download", "backup-34.1"]);
    assert!(absent.code == 1 && absent.err.contains("keeps no backup backup-34.1"), "{}", absent.err);
}

#[test]
fn download_with_another_hash_is_not_kept() {
    let server = server(&"0".repeat(64));
    let home = server.home();
    let refused = home.run(&["backup", "download", "--out", "here"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains(&hash()), "{}", refused.err);
    assert!(!home.path().join("here").exists());
}

#[test]
fn backup_is_deleted_and_restored_after_a_yes() {
    let server = server(&hash());
    let home = server.home();
    with_passphrase(&home);
    fs::write(home.path().join("file"), CONTENT).unwrap();
    let restore = ["backup", "restore", "file", "--passphrase-file", "passphrase"];
    for unasked in [&["backup", "delete", NAME][..], &restore] {
        assert_eq!(home.run(unasked).code, 2);
    }
    assert!(server.received("DELETE").is_empty() && server.received("POST").is_empty());
    home.run_ok(&["backup", "delete", NAME, "--yes"]);
    assert!(server.received("DELETE")[0].line.ends_with(&format!("{NAME}/")));
    let done = home.run_ok(&[&restore[..], &["--yes"]].concat());
    assert!(done.out.starts_with("Accepted: the Management Node restarts.\n"), "{}", done.out);
    let form = String::from_utf8(server.received("POST")[0].body.clone()).unwrap();
    for part in ["name=\"passphrase\"", "correct horse battery", "name=\"package\"", CONTENT] {
        assert!(form.contains(part), "{form}");
    }
}
