//! Answers of the API as the tests of the views use them.

use answers::UpgradeStatus;
use serde_json::{Value, json};

fn read(value: Value) -> UpgradeStatus {
    serde_json::from_value(value).expect("a sample has the API's shape")
}

fn manager(version: &str, build: u32) -> Value {
    json!({"name": "mgr", "version": version, "build": build, "upgrade_status": "IDLE",
        "upgrade_status_text": "No upgrade in progress"})
}

/// One node with what differs.
fn node(
    name: &str,
    version: &str,
    build: u32,
    status: &str,
    text: &str,
    waits: Option<(Value, &str)>,
) -> Value {
    let (waits, words) = waits.map_or((Value::Null, Value::Null), |(waits, words)| (waits, words.into()));
    json!({"id": 1, "name": name, "system_location": "London", "version": version, "build": build,
        "upgrade_status": status, "upgrade_status_text": text, "waits": waits, "waits_text": words,
        "maintenance_mode": false, "maintenance_mode_owners": [], "calls": 3, "contact": "heard",
        "tally": {"carried": 10, "refused_maintenance": 2, "refused_other": 0, "vanished": 0}})
}

/// A run with nodes in every state.
pub(crate) fn under_way() -> UpgradeStatus {
    let calls = json!({"waits_for": "calls"});
    read(json!({
        "now": "2026-11-23T18:05:52.000000",
        "manager": manager("34.1", 34100),
        "run": {"id": 2, "source": "34 (34000)", "target": "34.1 (34100)", "manifest": "ab",
            "started_at": "2026-11-23T17:53:52.000000", "limit": "2026-11-24T17:53:52.000000",
            "policy": {}, "manager_step": "confirmed", "lock": "held", "places_taken": 3, "places": 10,
            "counts": {"IDLE": 1}},
        "last_run": null,
        "nodes": [
            node("lon-10", "34", 34000, "PENDING", "Upgrade pending",
                Some((json!({"waits_for": "queue", "taken": 3, "places": 10}), "in the queue, 3 of 10 places are taken"))),
            node("lon-1", "34.1", 34100, "IDLE", "No upgrade in progress", None),
            node("lon-2", "34", 34000, "WAITING_FOR_CALLS", "Waiting for calls to clear",
                Some((calls, "waiting for 3 calls, oldest 41 min, drain limit in 19 min"))),
            node("lon-3", "34", 34000, "REBOOTING", "Rebooting",
                Some((json!({"waits_for": "restart", "stuck": false}), "away for 12 s"))),
            node("osl-1", "34", 34000, "UNREACHABLE", "Could not communicate with conferencing node",
                Some((json!({"waits_for": "contact"}), "silent for 3 min"))),
        ],
    }))
}

/// The run of [`under_way`] after its end.
pub(crate) fn ended(outcome: &str) -> UpgradeStatus {
    read(json!({
        "now": "2026-11-23T19:05:52.000000",
        "manager": manager("34.1", 34100),
        "run": null,
        "last_run": {"id": 2, "source": "34 (34000)", "target": "34.1 (34100)", "manifest": "ab",
            "started_at": "2026-11-23T17:53:52.000000", "ended_at": "2026-11-23T18:35:52.000000",
            "outcome": outcome, "outcome_text": outcome},
        "nodes": [node("lon-1", "34.1", 34100, "IDLE", "No upgrade in progress", None)],
    }))
}

/// A platform that was never upgraded.
pub(crate) fn never() -> UpgradeStatus {
    read(json!({"now": "2026-11-23T19:05:52.000000", "manager": manager("34", 34000), "run": null,
        "last_run": null, "nodes": []}))
}
