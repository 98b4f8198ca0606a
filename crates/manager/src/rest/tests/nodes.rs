//! Tests of system locations and Conferencing Nodes.

use axum::http::header;
use fleet::node::{Contact, NodeId};
use serde_json::{Value, json};
use wire::EnrolmentFile;
use wire::machine::Machine;

use super::kit::{Kit, NEW, OLD, assert_includes, node};
use crate::link::{Reason, Refused};
use crate::store::StoreError;

const NODES: &str = "/configuration/v1/worker_vm/";
const LOCATIONS: &str = "/configuration/v1/system_location/";

#[tokio::test]
async fn system_location_is_made_changed_and_removed() {
    let kit = Kit::new().await;
    let made = kit.call("POST", LOCATIONS, json!({"name": "Oslo", "mtu": 1500})).await;
    assert_eq!(made.headers[header::LOCATION], "/api/admin/configuration/v1/system_location/1/");
    assert_eq!((made.status.as_u16(), made.text.as_str()), (201, ""));
    let one = format!("{LOCATIONS}1/");
    kit.call("PATCH", &one, json!({"description": "the north"})).await.expect(202);
    kit.call("PUT", &one, json!({"name": "Bergen"})).await.expect(204);
    let shown = kit.get(one.trim_end_matches('/')).await.expect(200);
    assert_includes(
        &shown,
        &json!({
            "id": 1, "name": "Bergen", "description": "the north", "mtu": 1500, "overflow_location1": null,
            "resource_uri": "/api/admin/configuration/v1/system_location/1/"
        }),
    );
    kit.call("DELETE", &one, json!({})).await.expect(204);
    kit.get(&one).await.expect(404);
    kit.call("DELETE", &one, json!({})).await.expect(404);
    kit.call("PATCH", &one, json!({})).await.expect(404);
}

#[tokio::test]
async fn location_is_unique_and_stays_while_nodes_are_in_it() {
    let kit = Kit::new().await;
    assert_eq!(kit.add_node(1).await.status, 201);
    let twice = kit.call("POST", LOCATIONS, json!({"name": "OSLO"})).await.expect(400);
    assert_eq!(
        twice["system_location"],
        json!({"name": ["A system location with this name exists already."]})
    );
    kit.call("POST", LOCATIONS, json!({"name": "Bergen"})).await.expect(201);
    kit.call("PATCH", &format!("{LOCATIONS}2/"), json!({"name": "Oslo"})).await.expect(400);
    kit.call("PATCH", &format!("{LOCATIONS}1/"), json!({"name": "oslo"})).await.expect(202);
    let used = kit.call("DELETE", &format!("{LOCATIONS}1/"), json!({})).await.expect(409);
    assert_eq!(used["kind"], "conflict");
}

#[tokio::test]
async fn new_node_is_given_its_enrolment_file_once() {
    let kit = Kit::new().await;
    let made = kit.add_node(1).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.headers[header::CONTENT_TYPE], "application/toml");
    assert_eq!(made.headers[header::LOCATION], "/api/admin/configuration/v1/worker_vm/1/");
    let file = EnrolmentFile::parse(&made.text).unwrap();
    assert_eq!((file.node.as_str(), file.manager.as_slice()), ("node1", &["127.0.0.1:8444".to_string()][..]));
    assert!(file.token.len() >= 43, "{}", file.token);
    let shown = kit.get(&format!("{NODES}1/")).await.expect(200);
    assert_includes(
        &shown,
        &json!({
            "id": 1, "name": "node1", "hostname": "node1", "domain": "example.com", "address": "10.0.0.1",
            "netmask": "255.255.255.0", "gateway": "10.0.0.254",
            "system_location": "/api/admin/configuration/v1/system_location/1/",
            "node_type": "CONFERENCING", "cloud_bursting": false, "maintenance_mode": false,
            "maintenance_mode_reason": "", "description": "", "deployment_type": "MANUAL-PROVISION-ONLY",
            "vm_cpu_count": 4, "ipv6_address": null, "password": "",
            "resource_uri": "/api/admin/configuration/v1/worker_vm/1/"
        }),
    );
    let database = std::fs::read(kit.dir.path().join("store-a.db-wal")).unwrap();
    let token = file.token.as_bytes();
    assert!(!database.windows(token.len()).any(|bytes| bytes == token), "the token itself is stored");
}

#[tokio::test]
async fn registered_node_is_given_another_enrolment_file_and_the_one_before_is_void() {
    let kit = Kit::new().await;
    let first = EnrolmentFile::parse(&kit.add_node(1).await.text).unwrap();
    let made = kit.call("POST", &format!("{NODES}1/enrolment/"), json!({})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.headers[header::LOCATION], "/api/admin/configuration/v1/worker_vm/1/");
    let second = EnrolmentFile::parse(&made.text).unwrap();
    assert_eq!(second.node, "node1");
    assert_eq!(owner(&kit, &first).await, None);
    assert_eq!(owner(&kit, &second).await, Some(NodeId(1)));
    kit.call("POST", &format!("{NODES}2/enrolment/"), json!({})).await.expect(404);
}

#[tokio::test]
async fn removed_node_leaves_neither_a_token_nor_a_registration() {
    let kit = Kit::new().await;
    let used = EnrolmentFile::parse(&kit.add_node(1).await.text).unwrap();
    let (token, now) = (used.token.clone(), kit.committer.now());
    let spend =
        move |tx: &rusqlite::Transaction<'_>| crate::store::enrolments::spend(tx, &token, b"its key", now);
    assert!(kit.committer.store().write(spend).await.unwrap().is_some());
    let registrations = async || {
        let sql = "SELECT count(*) FROM registration WHERE node_id = 1";
        let count = move |connection: &rusqlite::Connection| {
            Ok::<_, StoreError>(connection.query_row(sql, [], |row| row.get::<_, u32>(0))?)
        };
        kit.committer.store().read(count).await.unwrap()
    };
    assert_eq!((owner(&kit, &used).await, registrations().await), (Some(NodeId(1)), 1));
    kit.call("DELETE", &format!("{NODES}1/"), json!({})).await.expect(204);
    assert_eq!((owner(&kit, &used).await, registrations().await), (None, 0));
}

/// The node of the token in an enrolment file.
async fn owner(kit: &Kit, file: &EnrolmentFile) -> Option<NodeId> {
    let (token, now) = (file.token.clone(), kit.committer.now());
    let owner =
        move |connection: &rusqlite::Connection| crate::store::enrolments::owner(connection, &token, now);
    kit.committer.store().read(owner).await.unwrap()
}

#[tokio::test]
async fn node_that_was_refused_is_shown_with_why_until_it_is_heard() {
    let kit = Kit::new().await;
    kit.add_node(1).await.status.is_success().then_some(()).unwrap();
    let shown = async || kit.get("/status/v1/worker_vm/1/").await.expect(200)["refused_contact"].clone();
    assert_eq!(shown().await, Value::Null);
    let at = kit.committer.now();
    let refused = Refused { reason: Reason::Expired, address: "10.0.0.1".parse().unwrap(), at };
    kit.refusals.record_node(NodeId(1), "node1", Contact::Never, refused);
    let refusal = shown().await;
    assert_eq!(
        (&refusal["reason"], &refusal["address"]),
        (&json!("certificate_expired"), &json!("10.0.0.1"))
    );
    assert!(refusal["text"].as_str().unwrap().contains("pitlane node enrol"), "{refusal}");
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    kit.committer.heard(NodeId(1), wire::Tally::default(), None);
    assert_eq!(shown().await, Value::Null);
}

#[tokio::test]
async fn machine_with_a_former_identity_of_a_node_in_touch_is_named_as_another() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    kit.report(1, OLD).await;
    let at = kit.committer.now();
    let refused = Refused { reason: Reason::RegistrationEnded, address: "10.0.0.9".parse().unwrap(), at };
    kit.refusals.record_node(NodeId(1), "node1", Contact::Heard, refused);
    let refusal = kit.get("/status/v1/worker_vm/1/").await.expect(200)["refused_contact"].clone();
    assert_eq!(refusal["reason"], "registration_ended");
    let text = refusal["text"].as_str().unwrap();
    assert!(text.contains("the node itself is in touch, and another machine tries"), "{text}");
    assert!(!text.contains("pitlane node enrol"), "{text}");
}

#[tokio::test]
async fn invalid_node_is_refused_field_by_field() {
    let kit = Kit::new().await;
    kit.add_node(1).await.status.is_success().then_some(()).unwrap();
    let nothing = kit.call("POST", NODES, json!({})).await.expect(400);
    let named: Vec<&String> = nothing["worker_vm"].as_object().unwrap().keys().collect();
    assert_eq!(named, ["address", "domain", "gateway", "hostname", "name", "netmask", "system_location"]);
    assert_eq!(nothing["kind"], "invalid");
    let mut same = node(1);
    same["address"] = "10.0.0.1".into();
    let twice = kit.call("POST", NODES, same).await.expect(400);
    let named: Vec<&String> = twice["worker_vm"].as_object().unwrap().keys().collect();
    assert_eq!(named, ["address", "hostname", "name"]);
    for (field, value) in [
        ("name", json!("n".repeat(33))),
        ("name", json!("../node2")),
        ("name", json!("..")),
        ("name", json!("node\u{7}2")),
        ("hostname", json!("a_b")),
        ("address", json!("10.0.0.300")),
        ("netmask", json!("255.0.255.0")),
        ("system_location", json!("/api/admin/configuration/v1/system_location/9/")),
        ("node_type", json!("PROXYING")),
        ("maintenance_mode", json!("perhaps")),
        ("maintenance_mode_reason", json!("r".repeat(251))),
    ] {
        let mut wrong = node(2);
        wrong[field] = value;
        let refused = kit.call("POST", NODES, wrong).await.expect(400);
        let named: Vec<&String> = refused["worker_vm"].as_object().unwrap().keys().collect();
        assert_eq!(named, [field]);
    }
    assert_eq!(kit.get(NODES).await.expect(200)["meta"]["total_count"], 1);
    assert_eq!(kit.committer.read(|fleet, _| fleet.nodes().len()), 1);
}

#[tokio::test]
async fn node_with_a_name_that_is_refused_now_is_served_and_changed_all_the_same() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    let write = move |tx: &rusqlite::Transaction<'_>| {
        Ok::<_, crate::store::StoreError>(
            tx.execute("UPDATE worker_vm SET name = '../a/b' WHERE id = 1", [])?,
        )
    };
    kit.committer.store().write(write).await.unwrap();
    let one = format!("{NODES}1/");
    let mut whole = kit.get(&one).await.expect(200);
    assert_eq!(whole["name"], "../a/b");
    assert_eq!(kit.call("POST", &format!("{one}enrolment/"), json!({})).await.status, 201);
    whole["description"] = "x".into();
    kit.call("PUT", &one, whole).await.expect(204);
    kit.call("PATCH", &one, json!({"name": "../a/c"})).await.expect(400);
    kit.call("PATCH", &one, json!({"name": "a-b"})).await.expect(202);
    assert_eq!(kit.get(&one).await.expect(200)["name"], "a-b");
}

#[tokio::test]
async fn change_of_a_node_reaches_the_fleet() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    kit.call("PUT", &format!("{NODES}1/"), json!({"name": "first"})).await.expect(204);
    assert_eq!(kit.committer.read(|fleet, _| fleet.nodes().get(NodeId(1)).unwrap().name.clone()), "first");
    kit.call("PATCH", &format!("{NODES}1/"), json!({"name": "", "description": "x"})).await.expect(400);
    let kept = kit.get(&format!("{NODES}1/")).await.expect(200);
    assert_eq!((&kept["name"], &kept["description"]), (&json!("first"), &json!("")));
    kit.call("DELETE", &format!("{NODES}1/"), json!({})).await.expect(204);
    assert_eq!(kit.committer.read(|fleet, _| fleet.nodes().len()), 0);
    // Ids are never used twice.
    assert_eq!(
        kit.call("POST", NODES, node(1)).await.headers[header::LOCATION],
        "/api/admin/configuration/v1/worker_vm/2/"
    );
}

#[tokio::test]
async fn operator_s_maintenance_mode_goes_on_and_off() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    let operator =
        || kit.committer.read(|fleet, _| fleet.nodes().get(NodeId(1)).unwrap().operator_maintenance.clone());
    let one = format!("{NODES}1/");
    kit.call("PATCH", &one, json!({"maintenance_mode": true, "maintenance_mode_reason": "a fan"}))
        .await
        .expect(202);
    assert_eq!(operator(), Some("a fan".into()));
    kit.call("PATCH", &one, json!({"description": "x"})).await.expect(202);
    assert_eq!(operator(), Some("a fan".into()));
    kit.call("PATCH", &one, json!({"maintenance_mode_reason": "two fans"})).await.expect(202);
    assert_eq!(operator(), Some("two fans".into()));
    let shown = kit.get(&format!("{NODES}?maintenance_mode=true")).await.expect(200);
    assert_eq!(shown["objects"][0]["maintenance_mode_reason"], "two fans");
    kit.call("PATCH", &one, json!({"maintenance_mode": false})).await.expect(202);
    assert_eq!(operator(), None);
    let mut second = node(2);
    second["maintenance_mode"] = true.into();
    let commits = kit.committer.commits();
    let before = *commits.borrow();
    assert_eq!(kit.call("POST", NODES, second).await.status, 201);
    assert_eq!(*commits.borrow(), before + 1, "there was a moment without maintenance mode");
    let second = kit.get(&format!("{NODES}2/")).await.expect(200);
    assert_eq!(second["maintenance_mode"], true);
}

#[tokio::test]
async fn lists_come_in_pages_and_can_be_filtered() {
    let kit = Kit::new().await;
    for n in 1..=7 {
        assert_eq!(kit.add_node(n).await.status, 201);
    }
    let page = kit.get(&format!("{NODES}?limit=2&offset=2&order_by=-name")).await.expect(200);
    let names: Vec<&Value> = page["objects"].as_array().unwrap().iter().map(|node| &node["name"]).collect();
    assert_eq!(names, ["node5", "node4"]);
    assert_eq!(
        page["meta"],
        json!({
            "limit": 2, "offset": 2, "total_count": 7,
            "next": "/api/admin/configuration/v1/worker_vm/?limit=2&offset=4&order_by=-name",
            "previous": "/api/admin/configuration/v1/worker_vm/?limit=2&offset=0&order_by=-name"
        })
    );
    let next = page["meta"]["next"].as_str().unwrap().strip_prefix(super::kit::API).unwrap();
    assert_eq!(kit.get(next).await.expect(200)["objects"][0]["name"], "node3");
    let one = kit.get(&format!("{NODES}?system_location=1&name__in=node3,node9")).await.expect(200);
    assert_eq!(one["meta"]["total_count"], 1);
    let refused = kit.get(&format!("{NODES}?password=x")).await.expect(400);
    assert_eq!(refused["error"], "the 'password' field does not allow filtering");
    let hint = refused["hint"].as_str().unwrap();
    assert!(
        hint.contains("the fields are name, hostname, domain,") && hint.contains("istartswith"),
        "{hint}"
    );
    let other = kit.call("DELETE", NODES, json!({})).await;
    assert!(other.headers.contains_key(header::ALLOW), "{other:?}");
    assert!(other.expect(405)["hint"].as_str().unwrap().contains("the header Allow"));
    let nothing = kit.get("/configuration/v1/unicorn/").await.expect(404);
    assert!(nothing["hint"].as_str().unwrap().contains("`pitlane --help`"), "{nothing}");
}

#[tokio::test]
async fn status_of_nodes_and_manager_is_in_the_compatible_shape() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    kit.add_node(2).await;
    kit.report(1, OLD).await;
    let first = kit.get("/status/v1/worker_vm/1/").await.expect(200);
    assert_eq!(first["version"], "34 (34000)");
    assert_eq!(first["sync_status"], "SYNCED");
    assert_eq!(first["system_location"], "Oslo");
    assert_eq!(
        (&first["upgrade_status"], &first["upgrade_status_text"]),
        (&json!("IDLE"), &json!("No upgrade in progress"))
    );
    assert_eq!((&first["signaling_count"], &first["media_load"]), (&json!(0), &Value::Null));
    assert_eq!(first["last_updated"].as_str().unwrap().len(), "2026-11-23T18:05:27.000000".len());
    assert_eq!(first["boot_time"], Value::Null, "the node has not said when it started");
    let body = json!({"maintenance_mode": true, "maintenance_mode_reason": "a fan"});
    kit.call("PATCH", &format!("{NODES}1/"), body).await.expect(202);
    let held = kit.get("/status/v1/worker_vm/?maintenance_mode=true").await.expect(200);
    assert_eq!(held["meta"]["total_count"], 1);
    assert_eq!(held["objects"][0]["sync_status"], "SYNCING");
    assert_eq!(held["objects"][0]["media_load"], 100);
    assert_eq!(held["objects"][0]["maintenance_mode_reason"], "a fan");
    let second = kit.get("/status/v1/worker_vm/2/").await.expect(200);
    assert_eq!((&second["sync_status"], &second["version"]), (&json!("UNREACHABLE"), &json!("")));
    kit.get("/status/v1/worker_vm/3/").await.expect(404);
    kit.get("/status/v1/worker_vm/3/statistics/").await.expect(404);
    let managers = kit.get("/status/v1/management_vm/").await.expect(200);
    assert_eq!(managers["objects"][0]["name"], "manager");
    assert_eq!(managers["objects"][0]["version"], OLD.to_string());
    kit.get("/status/v1/management_vm/1/").await.expect(200);
    kit.get("/status/v1/management_vm/2/").await.expect(404);
    assert_ne!(OLD, NEW);
}

#[tokio::test]
async fn machine_of_a_node_and_its_load_are_shown_with_those_of_its_location() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    kit.add_node(2).await;
    kit.report_calls(1, 3).await;
    kit.report_calls(2, 5).await;
    let unknown = kit.get("/status/v1/worker_vm/1/").await.expect(200);
    assert_eq!((&unknown["cpu_model"], &unknown["media_load"]), (&json!("Unknown"), &Value::Null));
    let machine = |call_limit| Machine {
        cpu_count: Some(4),
        cpu_model: Some("EPYC".into()),
        total_ram: Some(1_000),
        hypervisor: None,
        call_limit,
    };
    kit.committer.note_machine(NodeId(1), machine(Some(10)));
    kit.committer.note_machine(NodeId(2), machine(None));
    let shown = kit.get("/status/v1/worker_vm/1/").await.expect(200);
    assert_eq!(
        (&shown["cpu_count"], &shown["total_ram"], &shown["media_load"]),
        (&json!(4), &json!(1_000), &json!(30))
    );
    assert_eq!((&shown["max_audio_calls"], &shown["hypervisor"]), (&json!(10), &json!("Unknown")));
    let location =
        async || kit.get("/status/v1/system_location/?name=Oslo").await.expect(200)["objects"][0].clone();
    let oslo = location().await;
    assert_eq!((&oslo["max_audio_calls"], &oslo["media_load"]), (&json!(10), &json!(30.0)));
    kit.committer.note_machine(NodeId(2), machine(Some(30)));
    let oslo = location().await;
    assert_eq!((&oslo["max_audio_calls"], &oslo["media_load"]), (&json!(40), &json!(20.0)));
    for (list, id, load) in
        [("system_location", &oslo["id"], json!(20.0)), ("worker_vm", &json!(1), json!(30))]
    {
        let found = kit.get(&format!("/status/v1/{list}/{id}/statistics/")).await.expect(200);
        assert_eq!(found["objects"], json!([{"media_load": load}]));
    }
    let body = json!({"maintenance_mode": true});
    kit.call("PATCH", &format!("{NODES}2/"), body).await.expect(202);
    assert_eq!(location().await["max_audio_calls"], 10, "it takes no calls");
}

#[tokio::test]
async fn page_of_the_status_of_nodes_is_the_same_whether_all_are_made_or_those_on_it() {
    let kit = Kit::new().await;
    for n in 1..=5 {
        kit.add_node(n).await;
    }
    let page = async |query: &str| kit.get(&format!("/status/v1/worker_vm/?{query}")).await.expect(200);
    let plain = page("limit=2&offset=1").await;
    let names: Vec<&Value> = plain["objects"].as_array().unwrap().iter().map(|node| &node["name"]).collect();
    assert_eq!(names, ["node2", "node3"]);
    let ordered = page("limit=2&offset=1&order_by=id").await;
    assert_eq!((&ordered["objects"], &ordered["meta"]["total_count"]), (&plain["objects"], &json!(5)));
    assert_eq!(plain["meta"]["total_count"], 5);
    assert_eq!(page("name__contains=4").await["objects"][0]["id"], 4);
    assert!(page("offset=9").await["objects"].as_array().unwrap().is_empty());
    kit.get("/status/v1/worker_vm/?colour=red").await.expect(400);
    kit.get("/status/v1/worker_vm/6/").await.expect(404);
}
