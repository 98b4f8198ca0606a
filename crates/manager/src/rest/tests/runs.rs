//! Tests of check, start, status and history of runs.

use fleet::desired::RunId;
use fleet::fact::Fact;
use fleet::node::NodeId;
use fleet::observed::Calls;
use fleet::platform::Event;
use fleet::run::Outcome;
use fleet::version::{Release, Version};
use serde_json::{Value, json};

use super::kit::{Kit, NEW, OLD};

const CHECK: &str = "/command/v1/platform/upgrade_check/";
const START: &str = "/command/v1/platform/upgrade_start/";

#[tokio::test]
async fn check_names_every_blocker() {
    let kit = Kit::new().await;
    let manifest = kit.upload_package().await;
    for n in 1..=3 {
        kit.add_node(n).await;
    }
    kit.report(1, OLD).await;
    kit.report(2, Release { version: Version::new(31, 4), ..OLD }).await;
    let check = kit.call("POST", CHECK, json!({"package": manifest})).await.expect(200);
    let named: Vec<(&Value, &Value)> =
        check["blockers"].as_array().unwrap().iter().map(|b| (&b["blocker"], &b["node"])).collect();
    assert_eq!(named, [(&json!("node_off_path"), &json!("node2")), (&json!("unreachable"), &json!("node3"))]);
    let text = check["blockers"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("node2 runs 31.4, and 34.1 cannot be installed on"), "{check}");
    let places: Vec<[&Value; 3]> =
        check["blockers"].as_array().unwrap().iter().map(|b| [&b["rule"], &b["object"], &b["uri"]]).collect();
    let node = |n: u8| format!("/api/admin/configuration/v1/worker_vm/{n}/");
    let expected = [["R15", "node2", &node(2)], ["R17", "node3", &node(3)]];
    assert_eq!(json!(places), json!(expected));
    assert_eq!(check["current"], json!({"version": "34", "build": 34_000, "release_text": "34 (34000)"}));
    let start = kit.call("POST", START, json!({"package": manifest})).await.expect(409);
    assert_eq!((&start["kind"], start["blockers"].as_array().unwrap().len()), (&json!("blocked"), 2));
    assert!(start["hint"].is_string());
    assert_eq!(kit.get("/status/v1/upgrade/").await.expect(200)["run"], Value::Null);
}

#[tokio::test]
async fn start_takes_overrides_and_refuses_a_second_one() {
    let kit = Kit::new().await;
    kit.upload_package().await;
    kit.add_node(1).await;
    kit.report(1, OLD).await;
    let wrong = kit.call("POST", START, json!({"policy": {"nodes_at_once": 0}})).await.expect(400);
    assert!(wrong["upgrade_start"]["nodes_at_once"].is_array(), "{wrong}");
    for misspelt in [json!({"pakage": "x"}), json!({"policy": {"first_node": 1}})] {
        let refused = kit.call("POST", START, misspelt).await.expect(400);
        let named = refused["upgrade_start"].as_object().unwrap().keys().next().cloned();
        assert!(matches!(named.as_deref(), Some("pakage" | "first_node")), "{refused}");
    }
    kit.call("POST", START, json!({"package": "x"})).await.expect(400);
    kit.call("POST", START, json!({"package": "0".repeat(64)})).await.expect(404);
    let policy = json!({"nodes_at_once": 3, "drain_limit_seconds": 90});
    let started = kit.call("POST", START, json!({"package": null, "policy": policy})).await.expect(202);
    assert_eq!(started, json!({"status": "success", "data": {"run": 1, "warnings": []}}));
    let status = kit.get("/status/v1/upgrade/").await.expect(200);
    let run = &status["run"];
    assert_eq!((&run["places"], &run["policy"]["drain_limit_seconds"]), (&json!(3), &json!(90)));
    assert_eq!((&run["policy"]["rest_seconds"], &run["lock"]), (&json!(600), &json!("held")));
    assert_eq!((&run["source"], &run["target"]), (&json!("34 (34000)"), &json!("34.1 (34100)")));
    assert_eq!(status["nodes"][0]["upgrade_status"], "PENDING");
    assert_eq!(status["manager"]["upgrade_status_text"], "Upgrade in progress");
    let again = kit.call("POST", START, json!({})).await.expect(409);
    assert_eq!(again["blockers"][0]["blocker"], "run_under_way");
    assert!(again["error"].as_str().unwrap().contains("do not reboot it"), "{again}");
}

#[tokio::test]
async fn start_of_a_finished_upload_is_the_last_step_of_it() {
    let kit = Kit::new().await;
    let (bytes, _) = kit.package();
    let uuid = kit.ask_for_upload(bytes.len()).await;
    kit.send_part(&uuid, 0, &bytes).await.expect(202);
    kit.add_node(1).await;
    let finish = format!("/configuration/v1/upgrade_request/{uuid}/finish/");
    let blocked = kit.call("POST", &finish, json!({"validate_only": false})).await.expect(409);
    assert_eq!(blocked["blockers"][0]["blocker"], "unreachable");
    kit.report(1, OLD).await;
    let started = kit.call("POST", &finish, json!({"validate_only": false})).await.expect(202);
    assert_eq!((&started["data"]["run"], &started["state"]), (&json!(1), &json!("done")));
    assert_eq!(started["next_url"], "/api/admin/status/v1/upgrade/");
    kit.call("POST", &finish, json!({"validate_only": false})).await.expect(409);
}

#[tokio::test]
async fn history_shows_the_facts_of_each_run() {
    let kit = Kit::new().await;
    kit.upload_package().await;
    kit.call("POST", START, json!({})).await.expect(202);
    let under_way = kit.get("/history/v1/upgrade/1/").await.expect(200);
    assert_eq!(under_way["outcome"], Value::Null);
    assert_eq!(under_way["facts"][0]["text"], "run 1 started: from 34 (34000) to 34.1 (34100)");
    assert_eq!(under_way["facts"][0]["fact"]["fact"], "run_started");
    assert_eq!(kit.get("/history/v1/upgrade/").await.expect(200)["meta"]["total_count"], 0);
    kit.committer.apply(Event::ManagerRejected { why: "the disk is full".into() }).await.unwrap();
    kit.call("POST", START, json!({})).await.expect(202);
    kit.committer.apply(Event::ManagerStaged).await.unwrap();
    kit.committer.apply(Event::ManagerStarted { release: NEW, fell_back: None, wall: None }).await.unwrap();
    let list = kit.get("/history/v1/upgrade/").await.expect(200);
    let outcomes: Vec<&Value> =
        list["objects"].as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, ["complete", "manager_rejected"]);
    assert_eq!(list["objects"][0]["id"], 2);
    let facts = kit.get("/history/v1/upgrade/2/").await.expect(200)["facts"].clone();
    let texts: Vec<&str> =
        facts.as_array().unwrap().iter().map(|fact| fact["text"].as_str().unwrap()).collect();
    assert_eq!(texts[0], "run 2 started: from 34 (34000) to 34.1 (34100)");
    let ended = Fact::RunEnded { run: RunId(2), outcome: Outcome::Complete };
    assert_eq!(*texts.last().unwrap(), ended.to_string());
    let seq = facts[0]["seq"].as_i64().unwrap();
    let later = kit.get(&format!("/history/v1/upgrade/2/?since={seq}")).await.expect(200);
    assert_eq!(later["facts"].as_array().unwrap().len(), texts.len() - 1);
    kit.get("/history/v1/upgrade/2/?since=x").await.expect(400);
    kit.get("/history/v1/upgrade/3/").await.expect(404);
    let status = kit.get("/status/v1/upgrade/").await.expect(200);
    assert_eq!((&status["run"], &status["last_run"]["outcome"]), (&Value::Null, &json!("complete")));
    assert_eq!((&list["objects"][1]["facts_evicted"], &under_way["facts_evicted"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn calls_push_nothing_out_of_the_history() {
    let kit = Kit::new().await;
    kit.upload_package().await;
    kit.add_node(1).await;
    kit.report(1, OLD).await;
    kit.call("POST", START, json!({})).await.expect(202);
    let entries = async || {
        let read = |connection: &rusqlite::Connection| {
            let sql = "SELECT count(*) FROM journal";
            Ok::<i64, crate::store::StoreError>(connection.query_row(sql, [], |row| row.get(0))?)
        };
        kit.committer.store().read(read).await.unwrap()
    };
    let before = entries().await;
    for n in 0..500 {
        kit.report_calls(1, n % 7).await;
    }
    assert_eq!(entries().await, before, "a call is an entry of the history");
    kit.committer.read(|fleet, _| {
        let observed = fleet.nodes().get(NodeId(1)).unwrap().observed.clone().unwrap();
        assert_eq!(observed.calls, Calls::Known { count: 499 % 7, oldest: None });
    });
    // A report with consequences is an entry.
    kit.committer.apply(Event::LinkDown { id: NodeId(1) }).await.unwrap();
    assert_eq!(entries().await, before);
    kit.committer.apply(Event::Maintenance { id: NodeId(1), operator: Some("fan".into()) }).await.unwrap();
    assert_eq!(entries().await, before + 1);
}

#[tokio::test]
async fn expired_package_is_refused_at_its_upload_and_at_a_start_but_not_to_finish_what_it_began() {
    let kit = Kit::new().await;
    let last = jiff::civil::date(2020, 12, 24);
    let (bytes, manifest) = kit.package_until(last);
    let uuid = kit.ask_for_upload(bytes.len()).await;
    kit.send_part(&uuid, 0, &bytes).await.expect(202);
    let finish = format!("/configuration/v1/upgrade_request/{uuid}/finish/");
    let refused = kit.call("POST", &finish, json!({"validate_only": true})).await.expect(400).to_string();
    assert!(refused.contains("until 2020-12-24, and this machine's clock says"), "{refused}");

    let upload = kit.dir.path().join("uploaded-in-time");
    std::fs::write(&upload, &bytes).unwrap();
    let held = crate::packages::admit_on(&kit.layout, &upload, last).unwrap();
    let check = kit.call("POST", CHECK, json!({"package": manifest})).await.expect(200);
    assert_eq!(check["blockers"][0]["blocker"], "package_expired", "{check}");
    let start = kit.call("POST", START, json!({"package": manifest})).await.expect(409);
    assert_eq!(start["blockers"][0]["blocker"], "package_expired", "{start}");
    let installed = Some(held.verified.hash());
    assert_eq!(crate::packages::expired(&held.verified, installed, jiff::civil::date(2026, 1, 1)), None);
}

#[tokio::test]
async fn run_is_paused_resumed_and_stopped_with_who_and_why_in_its_history_g9() {
    let kit = Kit::new().await;
    kit.upload_package().await;
    kit.add_node(1).await;
    kit.report(1, OLD).await;
    let order = async |what: &str, body: Value| {
        kit.call("POST", &format!("/command/v1/platform/upgrade_{what}/"), body).await
    };
    let none = order("pause", json!({})).await.expect(409);
    assert_eq!(none["error"], "no upgrade is under way");
    kit.call("POST", START, json!({})).await.expect(202);
    let long = order("pause", json!({"reason": "x".repeat(251)})).await.expect(400);
    assert!(long["upgrade_pause"]["reason"].is_array(), "{long}");
    order("resume", json!({})).await.expect(409);
    let paused = order("pause", json!({"reason": "the board meets"})).await.expect(202);
    assert_eq!(paused["data"]["run"], 1);
    order("pause", json!({})).await.expect(409);
    let run = kit.get("/status/v1/upgrade/").await.expect(200)["run"].clone();
    assert_eq!((&run["paused"]["by"], &run["paused"]["why"]), (&json!("admin"), &json!("the board meets")));
    order("resume", json!({})).await.expect(202);
    assert_eq!(kit.get("/status/v1/upgrade/").await.expect(200)["run"]["paused"], Value::Null);
    kit.committer.apply(Event::ManagerStaged).await.unwrap();
    let restarting = order("stop", json!({})).await.expect(409);
    assert!(restarting["error"].as_str().unwrap().contains("restarting into the release"), "{restarting}");
    let started = Event::ManagerStarted { release: NEW, fell_back: None, wall: None };
    kit.committer.apply(started).await.unwrap();
    order("stop", json!({"reason": "wrong night"})).await.expect(202);
    let status = kit.get("/status/v1/upgrade/").await.expect(200);
    assert_eq!((&status["run"], &status["last_run"]["outcome"]), (&Value::Null, &json!("stopped")));
    let history = kit.get("/history/v1/upgrade/1/").await.expect(200)["facts"].to_string();
    for said in ["paused by admin: the board meets", "resumed by admin", "stopped by admin: wrong night"] {
        assert!(history.contains(said), "{said}: {history}");
    }
}
