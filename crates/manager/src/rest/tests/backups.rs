//! Tests of backups over the API: made, listed, fetched, deleted, restored.

use std::fs;

use axum::body::{Body, to_bytes};
use axum::http::header;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::kit::{API, Answer, Kit};

const LIST: &str = "/configuration/v1/system_backup/";
const CREATE: &str = "/command/v1/platform/backup_create/";
const RESTORE: &str = "/command/v1/platform/backup_restore/";
const PASSPHRASE: &str = "correct horse battery";

/// Makes a backup; returns its object.
async fn made(kit: &Kit) -> Value {
    let made = kit.call("POST", CREATE, json!({"passphrase": PASSPHRASE})).await.expect(202);
    made["data"]["system_backup"].clone()
}

/// The bytes of a backup, as a script fetches them from the URI in the list.
async fn fetched(kit: &Kit, backup: &Value) -> Vec<u8> {
    let path = backup["resource_uri"].as_str().unwrap().strip_prefix(API).unwrap();
    let request = kit.request("GET", path).header(header::ACCEPT, "*/*").body(Body::empty()).unwrap();
    let response = kit.router.clone().oneshot(request).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (axum::http::StatusCode::OK, &"application/octet-stream".parse().unwrap())
    );
    to_bytes(response.into_body(), 64 << 20).await.unwrap().to_vec()
}

/// A form with a backup and its passphrase.
async fn restore(kit: &Kit, bytes: &[u8], passphrase: &str) -> Answer {
    let mut form = Vec::new();
    let part =
        |name: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").into_bytes();
    form.extend([part("package"), bytes.to_vec(), b"\r\n".to_vec()].concat());
    form.extend([part("passphrase"), passphrase.into(), b"\r\n--b--\r\n".to_vec()].concat());
    let request =
        kit.request("POST", RESTORE).header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
    kit.send(request.body(form.into()).unwrap()).await
}

#[tokio::test]
async fn backup_is_made_listed_fetched_and_deleted() {
    let kit = Kit::new().await;
    let backup = made(&kit).await;
    let list = kit.get(LIST).await.expect(200);
    assert_eq!(list["objects"], json!([backup]));
    assert_eq!(
        (&backup["version"], &backup["build"], &backup["type"]),
        (&json!("34.1"), &json!("34100"), &json!("manual"))
    );
    assert_eq!(backup["date"].as_str().unwrap().len(), "2026-11-30T19:33:00".len());
    let bytes = fetched(&kit, &backup).await;
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    assert_eq!(backup["size"], bytes.len());
    let one = format!("{LIST}{}/", backup["filename"].as_str().unwrap());
    let request = kit.request("GET", &one).header(header::ACCEPT, "application/json");
    assert_eq!(kit.send(request.body(Body::empty()).unwrap()).await.expect(200), backup);
    kit.call("DELETE", &one, json!({})).await.expect(204);
    kit.call("DELETE", &one, json!({})).await.expect(404);
    assert!(kit.names(kit.layout.backups()).is_empty());
    for path in ["..%2Fauthority.key", "store.db", "backup.partial"] {
        kit.get(&format!("{LIST}{path}/")).await.expect(404);
    }
}

#[tokio::test]
async fn passphrase_is_required_and_shown_nowhere() {
    let kit = Kit::new().await;
    for body in [json!({}), json!({"passphrase": ""}), json!({"passphrase": "x".repeat(1_001)})] {
        let refused = kit.call("POST", CREATE, body).await.expect(400);
        assert!(refused["backup_create"]["passphrase"].is_array(), "{refused}");
    }
    made(&kit).await;
    let noted = kit.get("/history/v1/audit/").await.expect(200).to_string();
    assert!(noted.contains("backup_create") && !noted.contains(PASSPHRASE), "{noted}");
}

#[tokio::test]
async fn request_for_a_backup_says_when_it_is_made() {
    let kit = Kit::new().await;
    let asked =
        kit.call("POST", CREATE, json!({"passphrase": PASSPHRASE, "request": true})).await.expect(202);
    let uri = asked["data"]["resource_uri"].as_str().unwrap().strip_prefix(API).unwrap().to_string();
    let made = async {
        loop {
            let request = kit.get(&uri).await.expect(200);
            if request["state"] != "initialising" {
                return request;
            }
            tokio::task::yield_now().await;
        }
    };
    let request = tokio::time::timeout(crate::testing::BOUND, made).await.unwrap();
    assert_eq!(request["state"], "completed", "{request}");
    assert_eq!(kit.get("/status/v1/backup_request/").await.expect(200)["objects"], json!([request]));
    let list = kit.get(LIST).await.expect(200);
    assert_eq!(list["objects"][0]["resource_uri"], request["download_uri"]);
}

#[tokio::test]
async fn backup_is_restored_and_what_cannot_be_changes_nothing() {
    let kit = Kit::new().await;
    let backup = made(&kit).await;
    let bytes = fetched(&kit, &backup).await;
    let wrong = restore(&kit, &bytes, "another").await.expect(400);
    assert!(wrong["backup_restore"]["passphrase"][0].as_str().unwrap().contains("passphrase"), "{wrong}");
    let damaged = restore(&kit, &bytes[..bytes.len() / 2], PASSPHRASE).await.expect(400);
    assert!(
        damaged["backup_restore"]["package"].is_array() && damaged["kind"] == "package_refused",
        "{damaged}"
    );
    restore(&kit, b"no backup", PASSPHRASE).await.expect(400);
    let unnamed = restore(&kit, &bytes, "").await.expect(400);
    assert_eq!(unnamed["backup_restore"], json!({"passphrase": ["This field is required."]}));
    kit.call("POST", RESTORE, json!({"passphrase": PASSPHRASE})).await.expect(400);
    assert!(kit.names(kit.layout.restore()).is_empty());
    let done = restore(&kit, &bytes, PASSPHRASE).await.expect(202);
    assert!(done["data"]["message"].as_str().unwrap().contains("restarts"), "{done}");
    assert_eq!(kit.names(kit.layout.restore()), ["accepted"]);
    restore(&kit, &bytes, PASSPHRASE).await.expect(409);
}

#[tokio::test]
async fn nothing_is_restored_while_an_upgrade_is_under_way() {
    let kit = Kit::new().await;
    let bytes = fetched(&kit, &made(&kit).await).await;
    kit.add_node(1).await;
    kit.report(1, super::kit::OLD).await;
    kit.upload_package().await;
    kit.call("POST", "/command/v1/platform/upgrade_start/", json!({})).await.expect(202);
    let refused = restore(&kit, &bytes, PASSPHRASE).await.expect(409);
    assert!(refused["error"].as_str().unwrap().contains("an upgrade is under way"), "{refused}");
    assert!(fs::read_dir(kit.layout.restore()).is_err());
}

#[tokio::test]
async fn check_before_an_upgrade_advises_to_make_a_backup_r19() {
    let kit = Kit::new().await;
    kit.upload_package().await;
    let check = async || {
        let check = kit.call("POST", "/command/v1/platform/upgrade_check/", json!({})).await.expect(200);
        let warnings = check["warnings"].as_array().unwrap().clone();
        warnings.into_iter().find(|warning| warning["rule"] == "R19")
    };
    let warning = check().await.unwrap();
    assert_eq!((&warning["object"], &warning["uri"]), (&json!("manager"), &json!(format!("{API}{LIST}"))));
    let text = warning["text"].as_str().unwrap();
    assert!(
        text.starts_with("there is no backup of the Management Node by 34.1 (34100); make one"),
        "{text}"
    );
    let old = made(&kit).await;
    assert_eq!(check().await, None);
    let (new, dir) = (old["filename"].as_str().unwrap(), kit.layout.backups());
    fs::rename(dir.join(new), dir.join("backup-34.1-34100-20260101T000000Z.tar.zst.age")).unwrap();
    let warning = check().await.unwrap();
    assert_eq!(warning["newest"], "2026-01-01T00:00:00.000000");
    assert!(warning["text"].as_str().unwrap().starts_with("the newest backup of the Management Node is "));
}

#[tokio::test]
async fn schedule_is_set_and_its_secrets_are_not_shown() {
    let kit = Kit::new().await;
    let one = "/configuration/v1/autobackup/1/";
    let shown = kit.get(one).await.expect(200);
    assert_eq!((&shown["autobackup_enabled"], &shown["autobackup_interval"]), (&json!(false), &json!(24)));
    let unnamed = kit.call("PATCH", one, json!({"autobackup_enabled": true})).await.expect(400);
    assert!(unnamed["autobackup"]["autobackup_passphrase"].is_array(), "{unnamed}");
    let other =
        kit.call("PATCH", one, json!({"autobackup_upload_url": "ftps://files.example/"})).await.expect(400);
    assert!(other["error"].as_str().unwrap().contains("over HTTPS alone"), "{other}");
    let set = json!({
        "autobackup_enabled": true, "autobackup_start_hour": 23, "autobackup_passphrase": PASSPHRASE,
        "autobackup_upload_url": "https://files.example/", "autobackup_upload_password": PASSPHRASE,
    });
    kit.call("PATCH", one, set).await.expect(202);
    let shown = kit.get(one).await.expect(200);
    assert_eq!(
        (&shown["autobackup_start_hour"], &shown["autobackup_passphrase"]),
        (&json!(23), &json!("********"))
    );
    for text in [shown.to_string(), kit.get("/history/v1/audit/").await.expect(200).to_string()] {
        assert!(!text.contains(PASSPHRASE), "{text}");
    }
    kit.call("DELETE", one, json!({})).await.expect(405);
}
