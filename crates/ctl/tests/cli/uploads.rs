//! Uploads that are interrupted, and packages that are no longer wanted.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::Digest as _;

use crate::answers::{MANIFEST, about, check, list, ok, packages};
use crate::came;
use crate::server::{Reply, Server};

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
    let refusal = json!({"error": "the package of 34.1 (34100) is needed: run 3 under way brings it",
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
        refused.err.ends_with("run 3 under way brings it\n  next: wait until the run has ended\n"),
        "{}",
        refused.err
    );
    let removed = home.good(&["upgrade", "packages", "remove", "34.1"]);
    assert_eq!(removed.out, format!("Package 34.1 ({}) is removed.\n", &MANIFEST[..12]));
    assert!(server.asked("DELETE")[1].line.ends_with(&format!("upgrade_package/{MANIFEST}/")));
}
