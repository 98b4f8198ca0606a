//! Tests of companion systems: when their version is warned of.

use serde_json::{Value, json};

use super::kit::{Kit, OLD};

const SYSTEMS: &str = "/configuration/v1/companion_system/";

async fn add(kit: &Kit, name: &str, version: &str) {
    let body = json!({"name": name, "address": "10.0.0.9", "kind": "teams_connector", "version": version});
    kit.call("POST", SYSTEMS, body).await.expect(201);
}

/// Rule, object and URI of the warnings of companion systems, with the two versions.
fn shown(warnings: &Value) -> Vec<Value> {
    let of_systems = warnings.as_array().unwrap().iter().filter(|one| one["warning"] == "companion_version");
    of_systems
        .map(|one| json!([one["rule"], one["object"], one["uri"], one["runs"], one["expected"]]))
        .collect()
}

#[tokio::test]
async fn companion_system_with_another_version_is_warned_of_before_an_upgrade_and_after_r28() {
    let kit = Kit::new().await;
    kit.upload_package().await;
    kit.add_node(1).await;
    kit.report(1, OLD).await;
    add(&kit, "teams-1", "34").await;
    add(&kit, "teams-2", "34.1").await;
    let uri = |n: u8| format!("/api/admin{SYSTEMS}{n}/");
    let check = kit.call("POST", "/command/v1/platform/upgrade_check/", json!({})).await.expect(200);
    let first = json!(["R28", "teams-1", uri(1), "34", "34.1"]);
    assert_eq!(shown(&check["warnings"]), std::slice::from_ref(&first));
    let text = check["warnings"].as_array().unwrap().first().unwrap()["text"].as_str().unwrap();
    assert!(text.contains("teams-1 runs 34 as it is noted, and the upgrade is to 34.1"), "{text}");
    // The platform runs 34 until the run is started.
    let status = kit.get("/status/v1/upgrade/").await.expect(200);
    assert_eq!(shown(&status["warnings"]), [json!(["R28", "teams-2", uri(2), "34.1", "34"])]);
    let start = kit.call("POST", "/command/v1/platform/upgrade_start/", json!({})).await.expect(202);
    assert_eq!(shown(&start["data"]["warnings"]), std::slice::from_ref(&first));
    let status = kit.get("/status/v1/upgrade/").await.expect(200);
    assert_eq!(shown(&status["warnings"]), [first]);
    kit.call("PATCH", &format!("{SYSTEMS}1/"), json!({"version": "34.1"})).await.expect(202);
    assert_eq!(kit.get("/status/v1/upgrade/").await.expect(200)["warnings"], json!([]));
}

#[tokio::test]
async fn version_of_a_companion_system_is_one() {
    let kit = Kit::new().await;
    let body = json!({"name": "teams", "address": "teams.example", "version": "latest"});
    let refused = kit.call("POST", SYSTEMS, body).await.expect(400);
    assert_eq!(refused["companion_system"]["version"], json!(["Enter a version such as 34.1."]));
    add(&kit, "teams", "34.0").await;
    assert_eq!(kit.get(&format!("{SYSTEMS}1/")).await.expect(200)["version"], "34");
}
