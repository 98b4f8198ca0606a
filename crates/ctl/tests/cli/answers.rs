//! Answers in the exact form of the management API.

use serde_json::{Value, json};

use crate::server::Reply;

pub(crate) const MANIFEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(crate) fn ok(value: Value) -> Vec<Reply> {
    vec![Reply::Json(200, value)]
}

pub(crate) fn about() -> (&'static str, Vec<Reply>) {
    let about = json!({"version": "34", "build": 34000, "release_text": "34 (34000)"});
    ("GET /api/admin/status/v1/about/", ok(about))
}

pub(crate) fn list(objects: Value) -> Value {
    let count = objects.as_array().unwrap().len();
    json!({"meta": {"limit": 1000, "next": null, "offset": 0, "previous": null, "total_count": count},
        "objects": objects})
}

pub(crate) fn package() -> Value {
    json!({"manifest": MANIFEST, "version": "34.1", "build": 34100, "released": "2026-11-20",
        "notes": "New in 34.1: everything.", "size": 5_000_000, "uploaded_at": "2026-11-23T18:00:00.000000"})
}

pub(crate) fn packages() -> (&'static str, Vec<Reply>) {
    ("GET /api/admin/configuration/v1/upgrade_package/", ok(list(json!([package()]))))
}

pub(crate) fn check(blockers: Value) -> (&'static str, Vec<Reply>) {
    let check = json!({"package": package(), "current": {"version": "34", "build": 34000},
        "blockers": blockers, "warnings": []});
    ("POST /api/admin/command/v1/platform/upgrade_check/", ok(check))
}

pub(crate) fn blockers() -> Value {
    json!([
        {"blocker": "unreachable", "node": "lon-2", "text": "lon-2 cannot be contacted; power it on"},
        {"blocker": "nothing_to_do", "text": "the whole platform runs 34.1 (34100) already"},
    ])
}

/// `status/v1/upgrade/` with one node, in a run if there is one.
pub(crate) fn status(second: u32, run: bool, step: &str, node: (&str, &str, &str)) -> Value {
    let (version, token, text) = node;
    let run_object = json!({"id": 1, "source": "34 (34000)", "target": "34.1 (34100)", "manifest": MANIFEST,
        "started_at": "2026-11-23T18:00:00.000000", "limit": "2026-11-24T18:00:00.000000",
        "policy": {"name": "standard", "nodes_at_once": 10, "drain_limit_seconds": 3600,
            "run_limit_seconds": 86400, "rest_seconds": 600},
        "manager_step": step, "lock": "held", "places_taken": 1, "places": 10, "counts": {token: 1}});
    let build = if version == "34" { 34000 } else { 34100 };
    let waits =
        json!({"waits_for": "calls", "calls": {"known": {"count": 3}}, "oldest": 1000, "limit_in": 2000});
    let waiting = token == "WAITING_FOR_CALLS";
    json!({"now": format!("2026-11-23T18:00:{second:02}.000000"),
        "manager": {"name": "mgr", "version": version, "build": build, "upgrade_status": "IDLE",
            "upgrade_status_text": "No upgrade in progress"},
        "run": if run { run_object } else { Value::Null },
        "last_run": null,
        "nodes": [{"id": 1, "name": "lon-1", "system_location": "London", "version": version, "build": build,
            "upgrade_status": token, "upgrade_status_text": text,
            "waits": if waiting { waits } else { Value::Null },
            "waits_text": if waiting { json!("waiting for 3 calls, oldest 1 s, drain limit in 2 s") } else { Value::Null },
            "maintenance_mode": waiting, "maintenance_mode_owners": ["run"], "calls": 3, "contact": "heard",
            "tally": {"carried": 1, "refused_maintenance": 0, "refused_other": 0, "vanished": 0}}]})
}

/// [`status`] after the run has ended with this outcome.
pub(crate) fn ended(second: u32, outcome: &str) -> Value {
    let mut status = status(second, false, "", ("34.1", "IDLE", "No upgrade in progress"));
    status["last_run"] = json!({"id": 1, "source": "34 (34000)", "target": "34.1 (34100)", "manifest": MANIFEST,
        "started_at": "2026-11-23T18:00:00.000000", "ended_at": "2026-11-23T18:00:40.000000",
        "outcome": outcome, "outcome_text": format!("the run is {outcome}")});
    status
}
