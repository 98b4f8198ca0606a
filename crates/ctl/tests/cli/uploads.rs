//! Uploads that are interrupted, and packages that are no longer wanted.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fleet::path::{Path, Step};
use fleet::version::{Build, Version};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::answers::{MANIFEST, about, check, list, ok, package, packages};
use crate::server::{Reply, Server};
use crate::{Home, came};

const BEGIN: &str = "POST /api/admin/configuration/v1/upgrade/";
const REQUESTS: &str = "GET /api/admin/configuration/v1/upgrade_request/";
const UPLOAD: &str = "POST /api/admin/configuration/v1/upgrade_request/u-1/upload/";
const FINISH: &str = "POST /api/admin/configuration/v1/upgrade_request/u-1/finish/";

fn begun(offset: u64) -> (&'static str, Vec<Reply>) {
    (BEGIN, ok(json!({"ok": true, "upload_id": "u-1", "offset": offset})))
}

#[test]
fn an_interrupted_upload_says_how_to_go_on_and_how_to_give_it_up() {
    let server = Server::start(vec![about(), begun(0), (UPLOAD, vec![Reply::Silence])]);
    let home = server.home();
    std::fs::write(home.path().join("p.pkg"), "a package").unwrap();
    for (signal, code) in [("INT", 130), ("TERM", 130)] {
        let before = server.asked(UPLOAD).len();
        let mut command = home.command(&["upgrade", "upload", "p.pkg"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while server.asked(UPLOAD).len() == before {
            assert!(Instant::now() < until, "nothing is sent");
            std::thread::sleep(Duration::from_millis(10));
        }
        let sent =
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let came = came(&child.wait_with_output().unwrap());
        assert_eq!(came.code, code, "{came:?}");
        assert!(
            came.err.contains(
                "interrupted: what has arrived of the package is kept on the Management Node\n  next: go on where it was \
                 with pitlane upgrade upload p.pkg, or give it up with pitlane upgrade uploads remove u-1\n"
            ),
            "{}",
            came.err
        );
    }
}

#[test]
fn the_same_file_goes_on_where_it_was() {
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
    let came = home.good(&["upgrade", "upload", "p.pkg"]);
    assert!(
        came.err.contains("68.4 KiB of 97.7 KiB are there from before; the upload goes on."),
        "{}",
        came.err
    );
    assert!(
        came.err.contains("The package of 33 (33000) was removed: nothing needs it any more."),
        "{}",
        came.err
    );
    let head: String =
        sha2::Sha256::digest(&content[..65_536]).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        server.asked(BEGIN)[0].json(),
        json!({"request": true, "total_size": 100_000, "head_sha256": head})
    );
    let pieces = server.asked(UPLOAD);
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
        let came = home.run(&["upgrade", "upload", "p.pkg"]);
        assert_eq!(came.code, 3, "{came:?}");
        assert!(came.err.contains("p.pkg is damaged, and nothing of it was sent: "), "{}", came.err);
        assert!(came.err.contains("next: copy the package again"), "{}", came.err);
    }
    assert!(server.asked(BEGIN).is_empty() && server.asked(UPLOAD).is_empty());
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
    let came = home.good(&["upgrade", "upload", "p.pkg"]);
    assert!(came.err.contains("What was there from before was not of p.pkg"), "{}", came.err);
    assert!(server.asked(UPLOAD)[0].body == bytes[700..]);
    let sent = server.asked(&format!("{again}upload/"));
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
    let came = home.run(&["upgrade", "upload", "p.pkg"]);
    assert_eq!((came.code, server.asked(BEGIN).len()), (3, 1), "{came:?}");
}

#[test]
fn file_that_is_held_already_is_not_said_to_be_uploaded() {
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
    let came = home.good(&["upgrade", "upload", "p.pkg"]);
    assert!(came.err.contains("has the whole file from before; nothing is sent."), "{}", came.err);
    assert!(!came.err.contains("uploaded"), "{}", came.err);
    // It begins as another package that is held.
    let other = home.run(&["upgrade", "upload", "p.pkg"]);
    assert_eq!(other.code, 3, "{other:?}");
    assert!(
        other.err.contains("the Management Node holds package 0123456789ab, which begins as"),
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
    let came = home.good(&["upgrade", "upload", "p.pkg"]);
    assert!(came.out.ends_with("Start it with: pitlane upgrade start 0123456789ab\n"), "{}", came.out);
}

#[test]
fn a_full_disk_is_a_refusal_with_the_advice_of_the_management_node() {
    let refusal = json!({"error": "the Management Node has 3 MiB of free disk, and the upload needs 300 MiB",
        "kind": "no_space", "hint": "remove packages that are not needed (pitlane upgrade packages list, then remove)"});
    let server = Server::start(vec![about(), (BEGIN, vec![Reply::Json(507, refusal)])]);
    let home = server.home();
    std::fs::write(home.path().join("p.pkg"), "a package").unwrap();
    let came = home.run(&["upgrade", "upload", "p.pkg"]);
    assert_eq!(came.code, 3, "{came:?}");
    assert_eq!(
        came.err,
        "pitlane: the Management Node refuses to take an upload: the Management Node has 3 MiB of free disk, and the \
         upload needs 300 MiB\n  next: remove packages that are not needed (pitlane upgrade packages list, then remove)\n"
    );
}

#[test]
fn whatever_the_management_node_advises_is_shown() {
    for (status, advice) in
        [(404, "look elsewhere"), (409, "wait"), (429, "try in 5 s"), (500, "see 7"), (503, "wait")]
    {
        let refusal = json!({"error": "it is not so", "hint": advice});
        let server = Server::start(vec![
            about(),
            ("GET /api/admin/status/v1/upgrade/", vec![Reply::Json(status, refusal)]),
        ]);
        let came = server.home().run(&["upgrade", "status"]);
        assert!(came.err.contains("it is not so"), "{}", came.err);
        assert!(came.err.ends_with(&format!("  next: {advice}\n")), "{status}: {}", came.err);
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
fn uploads_are_listed_and_removed_by_the_beginning_of_their_number() {
    let delete = "DELETE /api/admin/configuration/v1/upgrade_request/";
    let server = Server::start(vec![about(), (REQUESTS, ok(list(uploads()))), (delete, ok(Value::Null))]);
    let home = server.home();
    for line in [&["upgrade", "uploads"][..], &["upgrade", "uploads", "list"]] {
        let out = home.good(line).out;
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
        assert!(
            lines[5].starts_with("Go on with one by uploading the same file again, or give it up"),
            "{out}"
        );
    }
    let came = home.good(&["upgrade", "uploads", "remove", "aaaa1"]);
    assert_eq!(came.out, "Upload aaaa1111-0000 is removed.\n");
    let deleted: Vec<String> = server.asked("DELETE").into_iter().map(|asked| asked.line).collect();
    assert_eq!(deleted, ["DELETE /api/admin/configuration/v1/upgrade_request/aaaa1111-0000/"]);
    for (name, why) in
        [("aaaa", "2 uploads begin with aaaa"), ("aaa", "there is no upload aaa"), ("x", "there is no")]
    {
        let came = home.run(&["upgrade", "uploads", "remove", name]);
        assert_eq!(came.code, 1);
        assert!(came.err.contains(why), "{}", came.err);
    }
    assert_eq!(server.asked("DELETE").len(), 1);
}

#[test]
fn no_upload_is_said_to_be_none() {
    let server = Server::start(vec![about(), (REQUESTS, ok(list(json!([]))))]);
    assert_eq!(server.home().good(&["upgrade", "uploads"]).out, "No package is being uploaded.\n");
}

#[test]
fn a_package_is_removed_unless_it_is_needed() {
    let delete = "DELETE /api/admin/configuration/v1/upgrade_package/";
    let refusal = json!({"error": "the package of 34.1 (34100) is needed: run 3 in progress installs it",
        "kind": "conflict", "hint": "wait until the run has ended"});
    let server = Server::start(vec![
        about(),
        packages(),
        (delete, vec![Reply::Json(409, refusal), Reply::Json(200, Value::Null)]),
    ]);
    let home = server.home();
    let listed = home.good(&["upgrade", "packages", "list"]).out;
    assert!(listed.starts_with("VERSION       PACKAGE       RELEASED    SIZE     UPLOADED"), "{listed}");
    assert_eq!(listed, home.good(&["upgrade", "packages"]).out);
    let refused = home.run(&["upgrade", "packages", "remove", "34.1"]);
    assert_eq!(refused.code, 3);
    assert!(
        refused.err.ends_with("run 3 in progress installs it\n  next: wait until the run has ended\n"),
        "{}",
        refused.err
    );
    let removed = home.good(&["upgrade", "packages", "remove", "34.1"]);
    assert_eq!(removed.out, format!("Package 34.1 ({}) is removed.\n", &MANIFEST[..12]));
    assert!(server.asked("DELETE")[1].line.ends_with(&format!("upgrade_package/{MANIFEST}/")));
}
