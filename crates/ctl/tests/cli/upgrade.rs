//! Upgrades: upload, check, start, watch.

use serde_json::{Value, json};

use crate::answers::{MANIFEST, about, blockers, check, ended, list, ok, package, packages, status};
use crate::server::{Reply, Server};

const STATUS: &str = "GET /api/admin/status/v1/upgrade/";
const START: &str = "POST /api/admin/command/v1/platform/upgrade_start/";
const UPLOAD: &str = "POST /api/admin/configuration/v1/upgrade_request/u-1/upload/";

fn started() -> (&'static str, Vec<Reply>) {
    (START, vec![Reply::Json(202, json!({"status": "success", "data": {"run": 1, "warnings": []}}))])
}

#[test]
fn check_shows_every_blocker_and_has_an_exit_code_of_its_own() {
    let server = Server::start(vec![about(), packages(), check(blockers())]);
    let home = server.home();
    let outcome = home.run(&["upgrade", "check", "34.1", "--drain-limit", "60s"]);
    assert_eq!(outcome.code, 3);
    assert!(
        outcome.out.contains("Existing version: 34 (34000)\nUpgrade version:  34.1 (34100)\n"),
        "{}",
        outcome.out
    );
    assert!(
        outcome.out.contains("blocked: lon-2 cannot be contacted; power it on\nblocked: the whole"),
        "{}",
        outcome.out
    );
    let body = server.received("POST")[0].json();
    assert_eq!(body, json!({"package": MANIFEST, "policy": {"drain_limit_seconds": 60}}));
    let object: Value = serde_json::from_str(&home.run(&["upgrade", "check", "--json"]).out).unwrap();
    assert_eq!(object["blockers"], blockers());
    assert_eq!(server.received("POST")[1].json(), json!({"package": null}));
}

#[test]
fn what_was_shown_is_what_is_started() {
    let server = Server::start(vec![about(), check(json!([])), started()]);
    let home = server.home();
    let unasked = home.run(&["upgrade", "start"]);
    assert_eq!(unasked.code, 2, "it started without asking: {unasked:?}");
    assert!(unasked.err.contains("add --yes"), "{}", unasked.err);
    assert!(server.received(START).is_empty());
    let outcome = home.run_ok(&["upgrade", "start", "--yes", "--nodes-at-once", "2"]);
    assert!(outcome.err.contains("Existing version: 34 (34000)"), "{}", outcome.err);
    assert!(outcome.out.starts_with("Upgrade run 1 to 34.1 (34100) is started."), "{}", outcome.out);
    assert_eq!(
        server.received(START)[0].json(),
        json!({"package": MANIFEST, "policy": {"nodes_at_once": 2}})
    );
    let object: Value =
        serde_json::from_str(&home.run_ok(&["upgrade", "start", "--yes", "--json"]).out).unwrap();
    assert_eq!(object["data"]["run"], 1);
}

#[test]
fn start_that_is_blocked_or_refused_starts_nothing() {
    let server = Server::start(vec![about(), check(blockers()), started()]);
    let outcome = server.home().run(&["upgrade", "start", "--yes"]);
    assert_eq!((outcome.code, server.received(START).len()), (3, 0), "{outcome:?}");

    let refusal = json!({"error": "the upgrade cannot start", "kind": "blocked", "blockers": blockers()});
    let server = Server::start(vec![about(), check(json!([])), (START, vec![Reply::Json(409, refusal)])]);
    let outcome = server.home().run(&["upgrade", "start", "--yes", "--json"]);
    assert_eq!(outcome.code, 3);
    assert!(outcome.err.contains("blocked: lon-2 cannot be contacted; power it on"), "{}", outcome.err);
    let object: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(object["kind"], "blocked");
}

#[test]
fn upload_is_resumed_after_a_broken_connection() {
    let upload = |offset: u64| {
        json!({"uuid": "u-1", "state": "uploading", "offset": offset, "total_size": 5_000_000,
        "current": {"version": "34"}, "upgrade": null, "error": null})
    };
    let server = Server::start(vec![
        about(),
        packages(),
        check(json!([])),
        (
            "POST /api/admin/configuration/v1/upgrade/",
            ok(json!({"ok": true, "upload_id": "u-1", "next_url": "/x"})),
        ),
        // The first piece arrives in part before the connection breaks.
        (
            UPLOAD,
            vec![
                Reply::BreakOff,
                Reply::Json(409, json!({"error": "the offset is 100"})),
                Reply::Json(200, json!({"ok": true})),
            ],
        ),
        (
            "GET /api/admin/configuration/v1/upgrade_request/u-1/",
            vec![Reply::Json(200, upload(50)), Reply::Json(200, upload(100))],
        ),
        (
            "POST /api/admin/configuration/v1/upgrade_request/u-1/finish/",
            ok(json!({"ok": true, "upgrade": {"manifest": MANIFEST}})),
        ),
    ]);
    let home = server.home();
    let content: Vec<u8> = (0..5_000_000u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(home.path().join("p.pkg"), &content).unwrap();
    let outcome = home.run_ok(&["upgrade", "upload", "p.pkg"]);
    assert!(outcome.out.contains("Upgrade version:  34.1 (34100)"), "{}", outcome.out);
    assert!(
        outcome.out.ends_with("Nothing blocks the upgrade.\nStart it with: pitlane upgrade start 34.1\n"),
        "{}",
        outcome.out
    );
    let pieces = server.received(UPLOAD);
    let offsets: Vec<&str> =
        pieces.iter().map(|piece| piece.headers["upload-offset"].to_str().unwrap()).collect();
    assert_eq!(offsets, ["0", "50", "100", "4194404"]);
    let arrived: Vec<u8> = [&content[..100], &pieces[2].body, &pieces[3].body].concat();
    assert!(arrived == content, "what arrived is not the file");
    assert_eq!(
        server.received("POST /api/admin/configuration/v1/upgrade_request/u-1/finish/")[0].json(),
        json!({"validate_only": true})
    );
}

#[test]
fn package_is_named_by_version_or_by_enough_digits_of_its_hash() {
    let mut other = package();
    (other["manifest"], other["build"]) = (json!("0129".repeat(16)), json!(34101));
    let held = ok(list(json!([package(), other])));
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/configuration/v1/upgrade_package/", held),
        check(json!([])),
    ]);
    let home = server.home();
    for (name, manifest) in [("0123", MANIFEST.to_string()), ("0129012", "0129".repeat(16))] {
        home.run_ok(&["upgrade", "check", name]);
        assert_eq!(server.received("POST").last().unwrap().json()["package"], manifest);
    }
    home.run_ok(&["upgrade", "check", "34.1 (34100)"]);
    for (name, why) in [
        ("012", "012 has too few digits for a hash"),
        ("0124", "the Management Node holds no package 0124"),
        ("34.1", "34.1 matches 2 packages: 0123456789ab of 34.1 (34100), 012901290129 of 34.1 (34101)"),
    ] {
        let outcome = home.run(&["upgrade", "check", name]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.err.contains(why), "{}", outcome.err);
    }
}

#[test]
fn upload_of_another_file_is_not_resumed() {
    let upload = json!({"uuid": "u-1", "state": "uploading", "offset": 5, "total_size": 10});
    let server =
        Server::start(vec![about(), ("GET /api/admin/configuration/v1/upgrade_request/u-1/", ok(upload))]);
    let home = server.home();
    std::fs::write(home.path().join("p.pkg"), "eleven byte").unwrap();
    let outcome = home.run(&["upgrade", "upload", "p.pkg", "--resume", "u-1"]);
    assert_eq!(outcome.code, 3);
    assert!(
        outcome.err.contains("upload u-1 is of a package of 10 bytes, and p.pkg has 11"),
        "{}",
        outcome.err
    );
}

#[test]
fn watch_continues_through_the_restart_and_ends_with_the_run() {
    let server = Server::start(vec![
        about(),
        (
            STATUS,
            vec![
                Reply::Json(200, status(1, true, "installing", ("34", "PENDING", "Upgrade pending"))),
                Reply::BreakOff,
                Reply::Json(503, json!({"error": "not confirmed yet"})),
                Reply::Json(
                    200,
                    status(4, true, "confirmed", ("34", "WAITING_FOR_CALLS", "Waiting for calls to clear")),
                ),
                Reply::Json(200, ended(5, "complete")),
            ],
        ),
    ]);
    let outcome = server.home().run_ok(&["upgrade", "watch"]);
    let lines: Vec<&str> = outcome.out.lines().map(|line| line.get(21..).unwrap_or_default()).collect();
    assert_eq!(
        lines[..3],
        [
            "run 1: 34 (34000) -> 34.1 (34100), upgraded 0 of 1, elapsed 1 s, limit in 23 h 59 min",
            "Management Node mgr: 34 (34000), No upgrade in progress",
            "lon-1: Upgrade pending, runs 34 (34000)",
        ]
    );
    assert_eq!(
        lines[3..6],
        [
            "the Management Node is restarting into its new release",
            "the Management Node answers again",
            "lon-1: Waiting for calls to clear, runs 34 (34000), waiting for 3 calls, oldest 1 s, drain limit in 2 s",
        ]
    );
    assert!(outcome.out.ends_with("Run 1: 34 (34000) -> 34.1 (34100): the run is complete, ended 2026-11-23 18:00:40Z (in 35 s), took 40 s\n"), "{}", outcome.out);
}

#[test]
fn watch_of_an_incomplete_run_has_an_exit_code_of_its_own() {
    let server = Server::start(vec![
        about(),
        (
            STATUS,
            vec![
                Reply::Json(200, status(1, true, "confirmed", ("34", "PENDING", "Upgrade pending"))),
                Reply::Json(200, ended(2, "limit_reached")),
            ],
        ),
    ]);
    let outcome = server.home().run(&["upgrade", "watch", "--json"]);
    assert_eq!(outcome.code, 4, "{outcome:?}");
    let objects: Vec<Value> = outcome.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[1]["last_run"]["outcome"], "limit_reached");
}

#[test]
fn history_of_a_run_is_shown_step_by_step() {
    let run = ended(0, "complete")["last_run"].clone();
    let part = |text: &str, next: &str| {
        let mut part = run.clone();
        part["facts"] = json!([{"seq": 1, "at": "2026-11-23T18:00:00.000000", "text": text, "fact": {}}]);
        part["facts_next"] = if next.is_empty() { Value::Null } else { next.into() };
        part
    };
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/history/v1/upgrade/", ok(list(json!([run.clone()])))),
        (
            "GET /api/admin/history/v1/upgrade/1/",
            ok(part("run 1 started", "/api/admin/history/v1/upgrade/1/?since=1")),
        ),
        ("GET /api/admin/history/v1/upgrade/1/?since=1", ok(part("run 1 ended", ""))),
        ("GET /api/admin/history/v1/upgrade/2/", vec![Reply::Json(404, json!({"error": "none"}))]),
    ]);
    let home = server.home();
    let table = home.run_ok(&["upgrade", "history"]).out;
    assert!(table.contains("1    34 (34000) -> 34.1 (34100)  2026-11-23 18:00:00Z  40 s"), "{table}");
    assert!(
        home.run_ok(&["upgrade", "history", "1"])
            .out
            .ends_with("Z  run 1 started\n2026-11-23 18:00:00Z  run 1 ended\n")
    );
    assert_eq!(home.run(&["upgrade", "history", "2"]).code, 1);
}

#[test]
fn entries_that_the_history_no_longer_has_are_reported() {
    let mut run = ended(0, "complete")["last_run"].clone();
    (run["id"], run["facts_evicted"], run["facts"]) = (json!(7), json!(12), json!([]));
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/history/v1/upgrade/", ok(list(json!([run.clone()])))),
        ("GET /api/admin/history/v1/upgrade/7/", ok(run)),
    ]);
    let home = server.home();
    let listed = home.run_ok(&["upgrade", "history"]).out;
    assert!(
        listed.ends_with(
            "Runs before 7 are not kept any more.\nOf run 7, the oldest or all steps are not kept any more.\n"
        ),
        "{listed}"
    );
    let text = home.run_ok(&["upgrade", "history", "7"]).out;
    assert!(text.contains("12 or more earlier entries of this run are not kept any more"), "{text}");
}
