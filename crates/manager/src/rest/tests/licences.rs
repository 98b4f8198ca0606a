//! Tests of licences: installed and refused, shown, removed, and in the way of an upgrade (R18).

use std::fs;

use licence::sign;
use package::{SigningKey, generate_key};
use serde_json::{Value, json};

use super::kit::{Kit, assert_includes};

pub(super) const LICENCES: &str = "/configuration/v1/licence/";

/// A key whose licences the Management Node accepts.
pub(super) fn publisher(kit: &Kit) -> SigningKey {
    let pair = generate_key("licences for tests").unwrap();
    fs::create_dir_all(kit.layout.licence_trust()).unwrap();
    pair.write(&kit.layout.licence_trust(), "licences").unwrap();
    pair.signing
}

/// A licence of 5 calls for version 34, with these terms in place of others.
pub(super) fn signed(key: &SigningKey, id: &str, others: Value) -> String {
    let mut terms = json!({
        "id": id, "customer": "Example Ltd", "counts": {"port": 5}, "versions": {"from": 34, "to": 34}
    });
    terms.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    sign(&serde_json::from_value(terms).unwrap(), key).unwrap()
}

async fn refused(kit: &Kit, text: &str, status: u16) -> String {
    let answer = kit.call("POST", LICENCES, json!({"text": text})).await.expect(status);
    answer["error"].as_str().unwrap().to_string()
}

async fn total(kit: &Kit) -> Value {
    kit.get(LICENCES).await.expect(200)["meta"]["total_count"].clone()
}

#[tokio::test]
async fn licence_is_installed_shown_and_removed() {
    let kit = Kit::new().await;
    let key = publisher(&kit);
    let others =
        json!({"features": ["a", "b"], "expires": "2099-12-31", "counts": {"port": 5, "vmr": "unlimited"}});
    let text = signed(&key, "2026-0042", others);
    let made = kit.call("POST", LICENCES, json!({"text": text.replace('\n', "\r\n")})).await;
    assert_eq!(made.headers["location"], "/api/admin/configuration/v1/licence/1/");
    made.expect(201);
    let shown = kit.get(&format!("{LICENCES}1/")).await.expect(200);
    assert_includes(
        &shown,
        &json!({
            "id": 1, "entitlement_id": "2026-0042", "customer": "Example Ltd", "concurrent": 5, "vmr": 2_147_483_647,
            "features": "a,b", "start_date": "", "expiration_date": "2099-12-31", "versions": "34", "status": "valid",
            "active": true, "signed_with": key.id().to_string(), "text": text
        }),
    );
    let declared = kit.get(&format!("{LICENCES}schema/")).await.expect(200);
    let names = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&shown), names(&declared["fields"]));
    let listed = kit.get(&format!("{LICENCES}?active=true")).await.expect(200);
    assert_eq!(listed["objects"], json!([shown]));
    let again = refused(&kit, &text, 409).await;
    assert_eq!(again, "the licence 2026-0042 is installed already; nothing was changed");
    kit.call("DELETE", &format!("{LICENCES}1/"), json!({})).await.expect(204);
    kit.call("DELETE", &format!("{LICENCES}1/"), json!({})).await.expect(404);
    assert_eq!(total(&kit).await, 0);
    let noted = kit.get("/history/v1/audit/?resource=licence").await.expect(200);
    assert_eq!(noted["meta"]["total_count"], 2);
}

#[tokio::test]
async fn licence_that_cannot_count_is_refused_with_the_reason_and_nothing_is_installed() {
    let kit = Kit::new().await;
    let stranger = generate_key("another publisher").unwrap().signing;
    let none = refused(&kit, &signed(&stranger, "L-1", json!({})), 409).await;
    assert!(none.starts_with("no licence can be verified: "), "{none}");
    let key = publisher(&kit);
    let check = async |text: &str, expected: &str| {
        let error = refused(&kit, text, 400).await;
        assert!(error.starts_with("text: ") && error.contains(expected), "{error}");
    };
    let good = signed(&key, "L-1", json!({}));
    check("", "this is not a licence").await;
    check(&good[..good.len() - 9], "the signature of the licence cannot be read").await;
    check(&good.replace("\"port\": 5", "\"port\": 900"), "was changed after it was signed").await;
    check(&signed(&stranger, "L-1", json!({})), "whose licences are not accepted here").await;
    check(&signed(&key, "L-1", json!({"expires": "2026-01-31"})), "expired: its last day was 2026-01-31")
        .await;
    let earlier = json!({"versions": {"from": 32, "to": 33}});
    check(&signed(&key, "L-1", earlier), "L-1 is for version 32 to 33, and this platform runs 34").await;
    check(&"x".repeat(9_000), "a licence has at most 8192 bytes").await;
    kit.call("POST", LICENCES, json!({})).await.expect(400);
    kit.call("POST", LICENCES, json!({"text": 5})).await.expect(400);
    kit.call("PATCH", LICENCES, json!({})).await.expect(405);
    assert_eq!(total(&kit).await, 0);
}

#[tokio::test]
async fn licences_are_there_after_a_restart() {
    let kit = Kit::new().await;
    let key = publisher(&kit);
    kit.call("POST", LICENCES, json!({"text": signed(&key, "L-1", json!({}))})).await.expect(201);
    let before = kit.committer.licences().installed();
    let again = crate::licences::Licences::default();
    again.reload(kit.committer.store()).await.unwrap();
    assert_eq!((again.installed(), before.len()), (before, 1));
}

#[tokio::test]
async fn active_licence_that_will_not_be_valid_after_the_upgrade_blocks_its_start_r18() {
    let kit = Kit::new().await;
    let key = publisher(&kit);
    let install = async |id: &str, others: Value| {
        kit.call("POST", LICENCES, json!({"text": signed(&key, id, others)})).await.expect(201);
    };
    install("L-1", json!({})).await;
    install("L-2", json!({"versions": {"from": 34}})).await;
    install("L-3", json!({"not_before": "2098-01-01"})).await;
    kit.upload_package().await;
    let next = fleet::version::Release {
        version: fleet::version::Version::new(35, 0),
        build: fleet::version::Build(35_000),
    };
    let check = kit.call("POST", "/command/v1/platform/upgrade_check/", json!({})).await.expect(200);
    assert_eq!(check["blockers"], json!([]), "{check}");
    let (manifest, _) = kit.upload_package_of(next).await;
    let body = json!({"package": manifest});
    let check = kit.call("POST", "/command/v1/platform/upgrade_check/", body.clone()).await.expect(200);
    let blocker = check["blockers"][0].clone();
    assert_includes(
        &blocker,
        &json!({
            "blocker": "licences_not_valid_after_upgrade", "licences": ["L-1"], "rule": "R18", "object": "L-1",
            "uri": "/api/admin/configuration/v1/licence/",
            "text": "This system includes active licenses that will not be valid after upgrade: L-1 (valid for version \
                     34); install licences for 35, then delete these"
        }),
    );
    assert_eq!(check["blockers"].as_array().unwrap().len(), 1, "{check}");
    let start = kit.call("POST", "/command/v1/platform/upgrade_start/", body.clone()).await.expect(409);
    assert_eq!(start["blockers"], json!([blocker]));
    assert!(start["error"].as_str().unwrap().contains("will not be valid after upgrade"), "{start}");
    kit.call("DELETE", &format!("{LICENCES}1/"), json!({})).await.expect(204);
    kit.call("POST", "/command/v1/platform/upgrade_start/", body).await.expect(202);
}

#[tokio::test]
async fn use_of_the_licences_is_shown() {
    let kit = Kit::new().await;
    let key = publisher(&kit);
    let used = async || kit.get("/status/v1/licensing/").await.expect(200)["objects"][0].clone();
    let without =
        json!({"port_count": 0, "port_total": 2_147_483_647, "vmr_count": 0, "vmr_total": 2_147_483_647});
    assert_includes(&used().await, &without);
    for n in [1, 2] {
        kit.add_node(n).await;
        kit.report_calls(n, n).await;
    }
    kit.call("POST", "/configuration/v1/conference/", json!({"name": "Board", "service_type": "conference"}))
        .await
        .expect(201);
    for (id, amount) in [("L-1", json!(5)), ("L-2", json!(7))] {
        let text = signed(&key, id, json!({"counts": {"port": amount, "vmr": 2}}));
        kit.call("POST", LICENCES, json!({"text": text})).await.expect(201);
    }
    assert_includes(
        &used().await,
        &json!({"id": 1, "port_count": 3, "port_total": 12, "vmr_count": 1, "vmr_total": 4}),
    );
    kit.get("/status/v1/licensing/?port_count__gte=4").await.expect(200);
}
