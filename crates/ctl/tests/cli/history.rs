//! Alarms and what is over.

use serde_json::json;

use crate::answers::{about, list, ok};
use crate::server::Server;

#[test]
fn newest_of_what_is_over_is_listed_for_one_room() {
    let past = json!([{
        "id": "6e6c9a0e", "start_time": "2026-11-29T18:05:27.000000", "conference_name": "standup", "duration": 61,
        "display_name": "Ann \u{1b}[2J", "remote_alias": "ann@example.com", "disconnect_reason": "Call disconnected",
    }]);
    let path = "GET /api/admin/history/v1/participant/?order_by=-start_time&limit=5&conference_name=standup";
    let server = Server::start(vec![about(), (path, ok(list(past)))]);
    let out = server.home().run_ok(&["history", "participant", "--room", "standup", "--last", "5"]).out;
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("START TIME") && lines[0].contains("DISCONNECT REASON"), "{out}");
    assert!(lines[1].contains("Ann \u{fffd}[2J") && lines[1].contains("Call disconnected"), "{out}");
}

#[test]
fn alarms_that_stand_and_that_are_over_are_listed() {
    let alarm = json!([{
        "id": 1, "time_raised": "2026-11-29T18:05:27.000000", "level": "warning", "name": "connectivity_lost",
        "node": "oslo-1", "details": "",
    }]);
    let past = "GET /api/admin/history/v1/alarm/?order_by=-time_raised&limit=100";
    let server = Server::start(vec![
        about(),
        ("GET /api/admin/status/v1/alarm/?order_by=-time_raised&limit=100", ok(list(alarm))),
        (past, ok(list(json!([])))),
    ]);
    let home = server.home();
    assert!(home.run_ok(&["alarm", "list"]).out.contains("connectivity_lost"));
    assert_eq!(home.run_ok(&["alarm", "list", "--past"]).out, "There are none.\n");
}
