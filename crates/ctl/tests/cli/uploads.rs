//! Uploads that are interrupted, and packages that are no longer wanted.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fleet::path::{Path, Step};
use fleet::version::{Build, Version};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::answers::{MANIFEST, about, check, list, ok, package, packages};
use crate::server::{Reply, Server};
use crate::{Home, outcome};

const BEGIN: &str = "POST /api/admin/configuration/v1/upgrade/";
const REQUESTS: &str = "GET /api/admin/configuration/v1/upgrade_request/";
const UPLOAD: &str = "POST /api/admin/configuration/v1/upgrade_request/u-1/upload/";
const FINISH: &str = "POST /api/admin/configuration/v1/upgrade_request/u-1/finish/";

fn begun(offset: u64) -> (&'static str, Vec<Reply>) {
    (BEGIN, ok(json!({"ok": true, "upload_id": "u-1", "offset": offset})))
}

#[test]
fn interrupted_upload_reports_how_to_resume_and_how_to_remove_it() {
    let server = Server::start(vec![about(), begun(0), (UPLOAD, vec![Reply::Silence])]);
    let home = server.home();
    std::fs::write(home.path().join("p.pkg"), "a package").unwrap();
    for (signal, code) in [("INT", 130), ("TERM", 130)] {
        let before = server.received(UPLOAD).len();
        let mut command = home.command(&["upgrade", "upload", "p.pkg"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while server.received(UPLOAD).len() == before {
            assert!(Instant::now() < until, "nothing is sent");
            std::thread::sleep(Duration::from_millis(10));
        }
        let sent =
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let outcome = outcome(&child.wait_with_output().unwrap());
        assert_eq!(outcome.code, code, "{outcome:?}");
        assert!(
            outcome.err.contains(
                "interrupted: the Management Node keeps the bytes that have arrived\n  next: resume it \
                 with pitlane upgrade upload p.pkg, or remove it with pitlane upgrade uploads remove u-1\n"
            ),
            "{}",
            outcome.err
        );
    }
}

#[test]
fn upload_of_the_same_file_is_resumed() {
    let finished = ok(json!({"ok": true, "upgrade": {"manifest": MANIFEST},
        "removed_packages": [{"manifest": MANIFEST, "release_text": "33 (33000)"}]}));
    let server = Server::start(vec![
        about(),
        check(json!([])),
        begun(70_000),
        (UPLOAD, ok(json!({}))),
        (FINISH, finished),
    ]);
    let home = server.home();
    let content: Vec<u8> = (0..100_000u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(home.path().join("p.pkg"), &content).unwrap();
    let outcome = home.run_ok(&["upgrade", "upload", "p.pkg"]);
    assert!(
        outcome.err.contains("68.4 KiB of 97.7 KiB were uploaded before; the upload is resumed."),
        "{}",
        outcome.err
    );
    assert!(
        outcome.err.contains("The package of 33 (33000) was removed: it is no longer needed."),
        "{}",
        outcome.err
    );
    let head: String =
        sha2::Sha256::digest(&content[..65_536]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        server.received(BEGIN)[0].json(),
        json!({"request": true, "total_size": 100_000, "head_sha256": head})
    );
    let pieces = server.received(UPLOAD);
    assert_eq!((pieces.len(), &pieces[0].headers["upload-offset"]), (1, &"70000".parse().unwrap()));
    assert!(pieces[0].body == content[70_000..]);
}

/// The bytes of a signed package, and the manifest that names it.
fn signed_package(home: &Home) -> (Vec<u8>, String) {
    let file = |name: &str| {
        let source = home.path().join(name);
        // Bytes that do not compress, so that the payload is as long as a few blocks.
        let content: Vec<u8> = (0..64u32).flat_map(|at| sha2::Sha256::digest(at.to_le_bytes())).collect();
        std::fs::write(&source, content).unwrap();
        let path: ::package::SlotPath = format!("bin/{name}").parse().unwrap();
        let files =
            vec![::package::SourceFile { source, path: path.clone(), mode: ::package::Mode::Executable }];
        ::package::PayloadSource { files, program: path }
    };
    let (old, new) = (Version::new(34, 0), Version::new(34, 1));
    let recipe = ::package::Recipe {
        version: new,
        build: Build(34_100),
        released: jiff::civil::date(2026, 11, 20),
        valid_until: None,
        rules: None,
        path: Path(vec![Step { to: new, from: old, reason: "the store changed".into() }]),
        protocols: ::package::Protocols { wire: ::package::ProtocolRange { min: 1, max: 2 }, media: 1 },
        notes: "Everything.".into(),
        manager: file("pitlane-manager"),
        node: file("pitlane-node"),
        level: ::package::Level::QUICK,
    };
    let out = home.path().join("built.pkg");
    let key = ::package::generate_key("a key for tests").unwrap().signing;
    let verified = ::package::build(&recipe, &key, &out).unwrap();
    (std::fs::read(&out).unwrap(), verified.hash().to_string())
}

fn accepted(manifest: &str) -> Vec<Reply> {
    ok(json!({"ok": true, "upgrade": {"manifest": manifest}}))
}

#[test]
fn damaged_file_is_refused_before_a_byte_is_sent() {
    let server = Server::start(vec![about(), begun(0), (UPLOAD, ok(json!({})))]);
    let home = server.home();
    let (good, _) = signed_package(&home);
    let mut changed = good.clone();
    let at = changed.len() - 2_048;
    changed[at] ^= 1;
    let longer = [&good[..], b"x"].concat();
    for damaged in [changed, longer, good[..good.len() - 700].to_vec()] {
        std::fs::write(home.path().join("p.pkg"), damaged).unwrap();
        let outcome = home.run(&["upgrade", "upload", "p.pkg"]);
        assert_eq!(outcome.code, 3, "{outcome:?}");
        assert!(outcome.err.contains("p.pkg is damaged, and nothing of it was sent: "), "{}", outcome.err);
        assert!(outcome.err.contains("next: copy the package again"), "{}", outcome.err);
    }
    assert!(server.received(BEGIN).is_empty() && server.received(UPLOAD).is_empty());
}

#[test]
fn whole_file_is_sent_once_more_when_bytes_of_a_damaged_one_were_there_before() {
    let refused = json!({"kind": "package_refused", "error": "piece 0 was changed or damaged on the way",
        "hint": "upload a package as it was released; nothing of this one is kept"});
    let again = "POST /api/admin/configuration/v1/upgrade_request/u-2/";
    let home = Home::new();
    let (bytes, manifest) = signed_package(&home);
    let begun =
        |id: &str, offset: u64| Reply::Json(200, json!({"ok": true, "upload_id": id, "offset": offset}));
    let server = Server::start(vec![
        about(),
        packages(),
        check(json!([])),
        (BEGIN, vec![begun("u-1", 700), begun("u-2", 0)]),
        (UPLOAD, ok(json!({}))),
        (FINISH, vec![Reply::Json(400, refused)]),
        ("POST /api/admin/configuration/v1/upgrade_request/u-2/upload/", ok(json!({}))),
        ("POST /api/admin/configuration/v1/upgrade_request/u-2/finish/", accepted(&manifest)),
    ]);
    let home = server.home();
    std::fs::write(home.path().join("p.pkg"), &bytes).unwrap();
    let outcome = home.run_ok(&["upgrade", "upload", "p.pkg"]);
    assert!(outcome.err.contains("The bytes that were uploaded before are not of p.pkg"), "{}", outcome.err);
    assert!(server.received(UPLOAD)[0].body == bytes[700..]);
    let sent = server.received(&format!("{again}upload/"));
    assert!(sent.len() == 1 && sent[0].body == bytes, "it was not sent again as a whole");
}

#[test]
fn refusal_of_a_file_that_was_sent_whole_is_final() {
    let refused = json!({"kind": "package_refused", "error": "the package is signed with another key"});
    let home = Home::new();
    let (bytes, _) = signed_package(&home);
    let server = Server::start(vec![
        about(),
        begun(0),
        (UPLOAD, ok(json!({}))),
        (FINISH, vec![Reply::Json(400, refused)]),
    ]);
    let home = server.home();
    std::fs::write(home.path().join("p.pkg"), &bytes).unwrap();
    let outcome = home.run(&["upgrade", "upload", "p.pkg"]);
    assert_eq!((outcome.code, server.received(BEGIN).len()), (3, 1), "{outcome:?}");
}

#[test]
fn file_that_is_stored_already_is_not_reported_as_uploaded() {
    let home = Home::new();
    let (bytes, manifest) = signed_package(&home);
    let server = Server::start(vec![
        about(),
        check(json!([])),
        packages(),
        begun(bytes.len() as u64),
        (FINISH, vec![accepted(&manifest).remove(0), accepted(MANIFEST).remove(0)]),
    ]);
    let home = server.home();
    std::fs::write(home.path().join("p.pkg"), &bytes).unwrap();
    let outcome = home.run_ok(&["upgrade", "upload", "p.pkg"]);
    assert!(outcome.err.contains("has the whole file already; nothing is sent."), "{}", outcome.err);
    assert!(!outcome.err.contains("uploaded"), "{}", outcome.err);
    // Another package with the same beginning is stored.
    let other = home.run(&["upgrade", "upload", "p.pkg"]);
    assert_eq!(other.code, 3, "{other:?}");
    assert!(
        other.err.contains("the Management Node holds package 0123456789ab, which has the same beginning as"),
        "{}",
        other.err
    );
}

#[test]
fn start_is_advised_by_hash_when_another_package_has_the_same_version() {
    let mut other = package();
    other["manifest"] = json!("ab".repeat(32));
    let finished = accepted(MANIFEST);
    let server = Server::start(vec![
        about(),
        check(json!([])),
        ("GET /api/admin/configuration/v1/upgrade_package/", ok(list(json!([package(), other])))),
        begun(0),
        (UPLOAD, ok(json!({}))),
        (FINISH, finished),
    ]);
    let home = server.home();
    std::fs::write(home.path().join("p.pkg"), "a package of a form that is not known here").unwrap();
    let outcome = home.run_ok(&["upgrade", "upload", "p.pkg"]);
    assert!(outcome.out.ends_with("Start it with: pitlane upgrade start 0123456789ab\n"), "{}", outcome.out);
}

#[test]
fn full_disk_is_a_refusal_with_the_hint_of_the_management_node() {
    let refusal = json!({"error": "the Management Node has 3 MiB of free disk, and the upload needs 300 MiB",
        "kind": "no_space", "hint": "remove packages that are not needed (pitlane upgrade packages list, then remove)"});
    let server = Server::start(vec![about(), (BEGIN, vec![Reply::Json(507, refusal)])]);
    let home = server.home();
    std::fs::write(home.path().join("p.pkg"), "a package").unwrap();
    let outcome = home.run(&["upgrade", "upload", "p.pkg"]);
    assert_eq!(outcome.code, 3, "{outcome:?}");
    assert_eq!(
        outcome.err,
        "pitlane: the Management Node refuses to accept an upload: the Management Node has 3 MiB of free disk, and the \
         upload needs 300 MiB\n  next: remove packages that are not needed (pitlane upgrade packages list, then remove)\n"
    );
}

#[test]
fn hint_of_the_management_node_is_shown() {
    for (status, advice) in
        [(404, "look elsewhere"), (409, "wait"), (429, "try in 5 s"), (500, "see 7"), (503, "wait")]
    {
        let refusal = json!({"error": "it is not so", "hint": advice});
        let server = Server::start(vec![
            about(),
            ("GET /api/admin/status/v1/upgrade/", vec![Reply::Json(status, refusal)]),
        ]);
        let outcome = server.home().run(&["upgrade", "status"]);
        assert!(outcome.err.contains("it is not so"), "{}", outcome.err);
        assert!(outcome.err.ends_with(&format!("  next: {advice}\n")), "{status}: {}", outcome.err);
    }
}

fn uploads() -> Value {
    let upload = |uuid: &str, state: &str, offset: u64, idle: bool| {
        json!({"uuid": uuid, "state": state, "offset": offset, "total_size": 61_000_000, "owner": "admin",
            "created_at": "2026-11-23T18:00:00.000000", "last_activity": "2026-11-23T18:05:00.000000", "idle": idle,
            "error": if state == "failed" { json!("its signature is wrong") } else { Value::Null }})
    };
    json!([
        upload("aaaa1111-0000", "uploading", 30_500_000, true),
        upload("aaaa2222-0000", "uploading", 1_000_000, false),
        upload("bbbb3333-0000", "failed", 61_000_000, false),
    ])
}

#[test]
fn uploads_are_listed_and_removed_by_the_first_characters_of_their_number() {
    let delete = "DELETE /api/admin/configuration/v1/upgrade_request/";
    let server = Server::start(vec![about(), (REQUESTS, ok(list(uploads()))), (delete, ok(Value::Null))]);
    let home = server.home();
    for line in [&["upgrade", "uploads"][..], &["upgrade", "uploads", "list"]] {
        let out = home.run_ok(line).out;
        let lines: Vec<&str> = out.lines().collect();
        assert!(
            lines[0].starts_with("UPLOAD         STATE        ARRIVED            OWNER  LAST BYTE"),
            "{out}"
        );
        assert!(
            lines[1]
                .starts_with("aaaa1111-0000  interrupted  50 % of 58.2 MiB   admin  2026-11-23 18:05:00Z ("),
            "{out}"
        );
        assert!(lines[2].starts_with("aaaa2222-0000  uploading    1 % of 58.2 MiB"), "{out}");
        assert!(lines[3].ends_with("its signature is wrong"), "{out}");
        assert!(lines[5].starts_with("Resume one by uploading the same file again, or remove it"), "{out}");
    }
    let outcome = home.run_ok(&["upgrade", "uploads", "remove", "aaaa1"]);
    assert_eq!(outcome.out, "Upload aaaa1111-0000 is removed.\n");
    let deleted: Vec<String> = server.received("DELETE").into_iter().map(|request| request.line).collect();
    assert_eq!(deleted, ["DELETE /api/admin/configuration/v1/upgrade_request/aaaa1111-0000/"]);
    for (name, why) in
        [("aaaa", "2 uploads begin with aaaa"), ("aaa", "there is no upload aaa"), ("x", "there is no")]
    {
        let outcome = home.run(&["upgrade", "uploads", "remove", name]);
        assert_eq!(outcome.code, 1);
        assert!(outcome.err.contains(why), "{}", outcome.err);
    }
    assert_eq!(server.received("DELETE").len(), 1);
}

#[test]
fn empty_list_of_uploads_is_reported() {
    let server = Server::start(vec![about(), (REQUESTS, ok(list(json!([]))))]);
    assert_eq!(server.home().run_ok(&["upgrade", "uploads"]).out, "No package is being uploaded.\n");
}

#[test]
fn package_is_removed_unless_it_is_needed() {
    let delete = "DELETE /api/admin/configuration/v1/upgrade_package/";
    let refusal = json!({"error": "the package of 34.1 (34100) is needed: run 3 in progress installs it",
        "kind": "conflict", "hint": "wait until the run has ended"});
    let server = Server::start(vec![
        about(),
        packages(),
        (delete, vec![Reply::Json(409, refusal), Reply::Json(200, Value::Null)]),
    ]);
    let home = server.home();
    let listed = home.run_ok(&["upgrade", "packages", "list"]).out;
    assert!(listed.starts_with("VERSION       PACKAGE       RELEASED    SIZE     UPLOADED"), "{listed}");
    assert_eq!(listed, home.run_ok(&["upgrade", "packages"]).out);
    let refused = home.run(&["upgrade", "packages", "remove", "34.1"]);
    assert_eq!(refused.code, 3);
    assert!(
        refused.err.ends_with("run 3 in progress installs it\n  next: wait until the run has ended\n"),
        "{}",
        refused.err
    );
    let removed = home.run_ok(&["upgrade", "packages", "remove", "34.1"]);
    assert_eq!(removed.out, format!("Package 34.1 ({}) is removed.\n", &MANIFEST[..12]));
    assert!(server.received("DELETE")[1].line.ends_with(&format!("upgrade_package/{MANIFEST}/")));
}
