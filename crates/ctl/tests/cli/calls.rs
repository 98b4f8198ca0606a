//! Participants and conferences.

use serde_json::{Value, json};

use crate::answers::{about, list, ok};
use crate::server::{Reply, Server};

const ANN: &str = "6e6c9a0e-31a3-4c43-8e0a-0b1c5a4a9d01";
const STANDUP: &str = "0f2a1b8c-5d7e-4f90-9c3b-7a6d5e4f3c02";

fn participants() -> (&'static str, Vec<Reply>) {
    let found = json!([
        {"id": ANN, "conference": "standup", "display_name": "Ann \u{1b}[2J", "source_alias": "ann@example.com",
         "media_node": "10.0.0.1", "connect_time": "2026-11-29T18:05:27.000000", "is_muted": true, "is_on_hold": true},
        {"id": "x", "conference": "board", "display_name": "Bob", "connect_time": null, "added_later": 1}
    ]);
    ("GET /api/admin/status/v1/participant/?limit=1000", ok(list(found)))
}

fn conferences() -> (&'static str, Vec<Reply>) {
    let found = json!([{"id": STANDUP, "name": "standup", "start_time": "2026-11-29T18:05:27.000000", "is_locked": true}]);
    ("GET /api/admin/status/v1/conference/", ok(list(found)))
}

#[test]
fn participants_are_listed_by_room_with_their_state_and_without_control_characters() {
    let server = Server::start(vec![about(), participants()]);
    let home = server.home();
    let out = home.run_ok(&["participant", "list"]).out;
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("ROOM     NAME"), "{out}");
    assert!(lines[1].starts_with("board    Bob") && lines[1].contains("not answered"), "{out}");
    assert!(lines[2].contains("Ann \u{fffd}[2J") && lines[2].contains("2026-11-29 18:05:27"), "{out}");
    assert!(lines[2].contains("muted, on hold") && lines[2].contains(ANN), "{out}");
    let json: Value = serde_json::from_str(&home.run_ok(&["participant", "list", "--json"]).out).unwrap();
    assert_eq!(json["objects"].as_array().unwrap().len(), 2);
}

#[test]
fn participant_is_muted_and_somebody_is_dialled() {
    let done = |data: Value| ok(json!({"status": "success", "data": data}));
    let server = Server::start(vec![
        about(),
        ("POST /api/admin/command/v1/participant/mute/", done(Value::Null)),
        (
            "POST /api/admin/command/v1/participant/dial/",
            done(json!({"participant_id": ANN, "participant_ids": [ANN]})),
        ),
    ]);
    let home = server.home();
    assert_eq!(home.run_ok(&["participant", "mute", ANN]).out, format!("Participant {ANN} is muted.\n"));
    let body = server.received("POST /api/admin/command/v1/participant/mute/")[0].json();
    assert_eq!(body, json!({"participant_id": ANN}));
    let line = ["participant", "dial", "8000", "sip:bob@example.com", "--name", "Bob", "--location", "Oslo"];
    assert!(home.run_ok(&line).out.contains(ANN));
    let body = server.received("POST /api/admin/command/v1/participant/dial/")[0].json();
    let expected = json!({
        "conference_alias": "8000", "destination": "sip:bob@example.com", "remote_display_name": "Bob", "node": null,
        "system_location": "Oslo",
    });
    assert_eq!(body, expected);
}

#[test]
fn conference_is_listed_and_unlocked_by_the_name_of_its_room() {
    let server = Server::start(vec![
        about(),
        conferences(),
        ("POST /api/admin/command/v1/conference/unlock/", ok(json!({"status": "success", "data": null}))),
    ]);
    let home = server.home();
    let out = home.run_ok(&["conference", "list"]).out;
    assert!(out.contains("standup  2026-11-29 18:05:27  locked"), "{out}");
    home.run_ok(&["conference", "unlock", "standup"]);
    let body = server.received("POST /api/admin/command/v1/conference/unlock/")[0].json();
    assert_eq!(body, json!({"conference_id": STANDUP}));
}
