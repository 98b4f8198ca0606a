//! Nodes, rooms and locations.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::answers::{about, list, ok, status};
use crate::server::{Reply, Server};

const WORKERS: &str = "/api/admin/configuration/v1/worker_vm/";

fn locations() -> (&'static str, Vec<Reply>) {
    let found = json!([{"id": 3, "name": "London", "description": "",
        "resource_uri": "/api/admin/configuration/v1/system_location/3/"}]);
    ("GET /api/admin/configuration/v1/system_location/", ok(list(found)))
}

fn worker() -> Value {
    json!({"id": 7, "name": "lon-1", "address": "10.0.0.1", "cloud_bursting": false, "description": "",
        "resource_uri": "/api/admin/configuration/v1/worker_vm/7/"})
}

fn worker_status(name: &str, reason: &str) -> Value {
    json!({"id": 7, "name": name, "version": "34 (34000)", "sync_status": "SYNCED", "upgrade_status": "IDLE",
        "upgrade_status_text": "No upgrade in progress", "maintenance_mode": !reason.is_empty(),
        "maintenance_mode_reason": reason, "media_load": 12, "signaling_count": 3,
        "last_updated": "2026-11-23T18:00:00.000000", "system_location": "London", "node_type": "CONFERENCING"})
}

#[test]
fn nodes_are_listed_over_all_pages_without_control_characters() {
    let status = "/api/admin/status/v1/worker_vm/";
    let mut first = list(json!([worker_status("lon-10", "")]));
    first["meta"]["next"] = json!(format!("{status}?limit=1000&offset=1000"));
    let second = list(json!([worker_status("lon-2", "fan \u{1b}[2J broken")]));
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/status/v1/worker_vm/?limit=1000", ok(first)),
        ("GET /api/admin/status/v1/worker_vm/?limit=1000&offset=1000", ok(second)),
    ]);
    let home = server.home();
    let outcome = home.run_ok(&["node", "list"]);
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert!(lines[0].starts_with("NODE    LOCATION  INSTALLED   STATUS"), "{}", outcome.out);
    assert!(
        lines[1]
            .starts_with("lon-2   London    34 (34000)  No upgrade in progress  on: fan \u{fffd}[2J broken")
    );
    assert!(
        lines[2].starts_with("lon-10  London    34 (34000)  No upgrade in progress  off"),
        "{}",
        outcome.out
    );
    let json: Value = serde_json::from_str(&home.run_ok(&["node", "list", "--json"]).out).unwrap();
    assert_eq!(json["objects"].as_array().unwrap().len(), 2);
}

#[test]
fn node_is_added_and_its_enrolment_file_kept_from_others() {
    let server = Server::start(vec![
        about(),
        locations(),
        (
            "POST /api/admin/configuration/v1/worker_vm/",
            vec![Reply::Created(format!("{WORKERS}7/"), "token = \"t\"\n".into())],
        ),
    ]);
    let home = server.home();
    let line = [
        "node",
        "add",
        "lon-1",
        "--address",
        "10.0.0.1",
        "--location",
        "London",
        "--enrolment-file",
        "lon-1.toml",
    ];
    let outcome = home.run_ok(&line);
    assert!(outcome.out.contains("Conferencing Node lon-1 is added (id 7)."), "{}", outcome.out);
    let file = home.path().join("lon-1.toml");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "token = \"t\"\n");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let body = server.received("POST /api/admin/configuration/v1/worker_vm/")[0].json();
    assert_eq!(body["system_location"], "/api/admin/configuration/v1/system_location/3/");
    assert_eq!(
        (&body["name"], &body["hostname"], &body["cloud_bursting"]),
        (&json!("lon-1"), &json!("lon-1"), &json!(false))
    );

    let again = home.run(&line);
    assert_eq!(again.code, 3, "an enrolment file was replaced: {again:?}");
    assert!(again.err.contains("give another name with --enrolment-file"), "{again:?}");
    assert_eq!(server.received("POST /api/admin/configuration/v1/worker_vm/").len(), 1);
}

#[test]
fn registered_node_is_given_a_new_enrolment_file() {
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/configuration/v1/worker_vm/", ok(list(json!([worker()])))),
        (
            "POST /api/admin/configuration/v1/worker_vm/7/enrolment/",
            vec![Reply::Created(format!("{WORKERS}7/"), "token = \"u\"\n".into())],
        ),
    ]);
    let home = server.home();
    let outcome = home.run_ok(&["node", "enrol", "lon-1"]);
    assert!(
        outcome.out.contains("A new enrolment file for the Conferencing Node lon-1: lon-1.toml"),
        "{}",
        outcome.out
    );
    let file = home.path().join("lon-1.toml");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "token = \"u\"\n");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = home.run(&["node", "enrol", "lon-1"]);
    assert_eq!(again.code, 3, "an enrolment file was replaced: {again:?}");
    home.run_ok(&["node", "enrol", "lon-1", "--enrolment-file", "second.toml"]);
    assert_eq!(server.received("POST /api/admin/configuration/v1/worker_vm/7/enrolment/").len(), 2);
}

#[test]
fn refused_attempt_of_a_node_to_connect_is_shown() {
    let mut status = worker_status("lon-1", "");
    status["refused_contact"] = json!({"reason": "certificate_expired", "text": "its certificate has expired",
        "address": "10.0.0.1", "at": "2026-11-23T18:00:00.000000"});
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/configuration/v1/worker_vm/", ok(list(json!([worker()])))),
        ("GET /api/admin/status/v1/worker_vm/", ok(list(json!([status])))),
    ]);
    let home = server.home();
    for line in [&["node", "list"][..], &["node", "show", "lon-1"]] {
        let outcome = home.run_ok(line);
        let text = outcome.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains("an attempt to connect as this node from 10.0.0.1 was refused"),
            "{}",
            outcome.out
        );
        assert!(text.contains("its certificate has expired"), "{}", outcome.out);
    }
}

#[test]
fn clock_that_is_off_is_shown() {
    let mut status = worker_status("lon-1", "");
    status["clock_offset_text"] = json!("2 h behind");
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/configuration/v1/worker_vm/", ok(list(json!([worker()])))),
        ("GET /api/admin/status/v1/worker_vm/", ok(list(json!([status])))),
    ]);
    let home = server.home();
    let listed = home.run_ok(&["node", "list"]).out;
    assert!(listed.contains("lon-1: its clock is 2 h behind"), "{listed}");
    let shown = home.run_ok(&["node", "show", "lon-1"]).out;
    assert!(shown.lines().any(|line| line.starts_with("Clock") && line.ends_with("2 h behind")), "{shown}");
}

#[test]
fn refusal_of_a_node_names_the_field_and_leaves_no_file() {
    let refusal = json!({"worker_vm": {"address": ["Conferencing node with this address already exists."]},
        "error": "the address is in use", "kind": "invalid", "hint": "give the node an address of its own"});
    let server = Server::start(vec![
        about(),
        locations(),
        ("POST /api/admin/configuration/v1/worker_vm/", vec![Reply::Json(400, refusal)]),
    ]);
    let home = server.home();
    let line =
        ["node", "add", "x", "--address", "10.0.0.1", "--location", "London", "--enrolment-file", "x.toml"];
    let outcome = home.run(&line);
    assert_eq!(outcome.code, 3, "{outcome:#?}");
    assert_eq!(
        outcome.err,
        "pitlane: the Management Node refuses to add the node x: the address is in use\n  \
         next: give the node an address of its own\n"
    );
    assert!(!home.path().join("x.toml").exists());
}

#[test]
fn maintenance_mode_goes_to_the_node_of_exactly_this_name() {
    let server = Server::start(vec![
        about(),
        (
            "GET /api/admin/configuration/v1/worker_vm/",
            ok(list(json!([{"id": 8, "name": "LON-1"}, worker()]))),
        ),
        ("PATCH /api/admin/configuration/v1/worker_vm/7/", vec![Reply::Json(202, Value::Null)]),
    ]);
    let home = server.home();
    home.run_ok(&["node", "maintenance", "on", "lon-1", "--reason", "fan broken"]);
    home.run_ok(&["node", "maintenance", "off", "lon-1"]);
    let bodies: Vec<Value> = server.received("PATCH").iter().map(crate::server::Received::json).collect();
    assert_eq!(bodies[0], json!({"maintenance_mode": true, "maintenance_mode_reason": "fan broken"}));
    assert_eq!(bodies[1]["maintenance_mode"], json!(false));
    let none = home.run(&["node", "remove", "lon-3"]);
    assert_eq!(none.code, 1);
    assert!(none.err.contains("there is no Conferencing Node named lon-3"), "{}", none.err);
}

#[test]
fn node_is_removed_only_after_the_losses_were_shown() {
    let waiting = ("34", "WAITING_FOR_CALLS", "Waiting for calls to clear");
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/configuration/v1/worker_vm/", ok(list(json!([worker()])))),
        ("GET /api/admin/status/v1/upgrade/", ok(status(1, true, "confirmed", waiting))),
        ("DELETE /api/admin/configuration/v1/worker_vm/7/", vec![Reply::Json(204, Value::Null)]),
    ]);
    let home = server.home();
    let unasked = home.run(&["node", "remove", "lon-1"]);
    assert_eq!(unasked.code, 2, "{unasked:?}");
    assert!(unasked.err.contains("add --yes to remove it without asking"), "{}", unasked.err);
    assert!(server.received("DELETE").is_empty(), "it was removed without asking");
    let removed = home.run_ok(&["node", "remove", "lon-1", "--yes"]);
    assert_eq!(server.received("DELETE").len(), 1);
    for outcome in [unasked, removed] {
        assert!(
            outcome.err.contains("lon-1 carries 3 calls: they go on without being counted"),
            "{}",
            outcome.err
        );
        let run = "lon-1 is in upgrade run 1 (Waiting for calls to clear): the run goes on without it";
        assert!(outcome.err.contains(run), "{}", outcome.err);
        assert!(outcome.err.contains("The Management Node refuses the machine of lon-1"), "{}", outcome.err);
    }
}

#[test]
fn removal_of_an_idle_node_claims_no_loss_of_calls_or_run() {
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/configuration/v1/worker_vm/", ok(list(json!([worker()])))),
        ("GET /api/admin/status/v1/upgrade/", {
            let mut idle = status(1, false, "", ("34", "IDLE", "No upgrade in progress"));
            idle["nodes"][0]["calls"] = json!(0);
            ok(idle)
        }),
        ("DELETE /api/admin/configuration/v1/worker_vm/7/", vec![Reply::Json(204, Value::Null)]),
    ]);
    let outcome = server.home().run_ok(&["node", "remove", "lon-1", "-y"]);
    assert_eq!(
        outcome.err,
        "The Management Node refuses the machine of lon-1 from then on. To bring it back, add the node and enrol the \
         machine again.\n"
    );
}

#[test]
fn enrolment_file_of_a_node_with_an_earlier_name_stays_in_the_directory() {
    for (name, file) in
        [("../lon-1", ".._lon-1.toml"), ("/tmp/lon\u{1b}-1", "_tmp_lon_-1.toml"), ("..", "...toml")]
    {
        let mut node = worker();
        node["name"] = json!(name);
        let server = Server::start(vec![
            about(),
            ("GET /api/admin/configuration/v1/worker_vm/", ok(list(json!([node])))),
            (
                "POST /api/admin/configuration/v1/worker_vm/7/enrolment/",
                vec![Reply::Created(format!("{WORKERS}7/"), "token = \"u\"\n".into())],
            ),
        ]);
        let home = server.home();
        home.run_ok(&["node", "enrol", name]);
        assert_eq!(std::fs::read_to_string(home.path().join(file)).unwrap(), "token = \"u\"\n");
    }
}

#[test]
fn room_is_added_with_its_aliases_and_removed_by_name() {
    let room = json!([{"id": 4, "name": "Board", "description": "", "service_type": "conference",
        "aliases": [{"id": 1, "alias": "board@example", "description": ""}]}]);
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/configuration/v1/conference/", ok(list(room))),
        ("POST /api/admin/configuration/v1/conference/", vec![Reply::Created("/x/4/".into(), String::new())]),
        ("DELETE /api/admin/configuration/v1/conference/4/", vec![Reply::Json(204, Value::Null)]),
    ]);
    let home = server.home();
    home.run_ok(&["room", "add", "Board", "--alias", "board@example", "--alias", "1000"]);
    let body = server.received("POST")[0].json();
    assert_eq!(body["aliases"], json!([{"alias": "board@example"}, {"alias": "1000"}]));
    assert_eq!(home.run_ok(&["room", "list"]).out, "ROOM   ALIASES\nBoard  board@example\n");
    home.run_ok(&["room", "remove", "Board"]);
    assert_eq!(server.received("DELETE").len(), 1);
}
