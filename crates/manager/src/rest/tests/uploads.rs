//! Tests of uploads: in parts, in one form, damaged, too large.

use axum::body::Body;
use axum::http::header;
use bytes::Bytes;
use fleet::platform::Event;
use fleet::time::Span;
use fleet::version::{Build, Release, Version};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::kit::Kit;

const REQUESTS: &str = "/configuration/v1/upgrade_request/";
const PACKAGES: &str = "/configuration/v1/upgrade_package/";

#[tokio::test]
async fn upload_is_resumed_after_a_gap_and_a_restart() {
    let mut kit = Kit::new().await;
    let (bytes, manifest) = kit.package();
    let uuid = kit.ask_for_upload(bytes.len()).await;
    let one = format!("{REQUESTS}{uuid}/");
    kit.send_part(&uuid, 0, &bytes[..1000]).await.expect(202);
    // A connection that breaks in the middle of a part.
    let broken = futures_util::stream::iter([Ok(Bytes::copy_from_slice(&bytes[1000..1500])), Err("gone")]);
    let request = kit.request("POST", &format!("{one}upload/")).header("Upload-Offset", 1000);
    kit.send(request.body(Body::from_stream(broken)).unwrap()).await.expect(400);
    kit.restart_api();
    let state = kit.get(&one).await.expect(200);
    assert_eq!((&state["state"], &state["offset"]), (&json!("uploading"), &json!(1500)));
    assert_eq!(state["total_size"], bytes.len());
    let wrong = kit.send_part(&uuid, 1000, &bytes[1000..]).await.expect(409);
    assert_eq!((&wrong["kind"], &wrong["offset"]), (&json!("wrong_offset"), &json!(1500)));
    let early = kit.call("POST", &format!("{one}finish/"), json!({"validate_only": true})).await.expect(409);
    assert_eq!(early["offset"], 1500);
    let whole = kit.send_part(&uuid, 1500, &bytes[1500..]).await.expect(202);
    assert_eq!((&whole["ok"], &whole["offset"]), (&json!(true), &json!(bytes.len())));
    let finished =
        kit.call("POST", &format!("{one}finish/"), json!({"validate_only": true})).await.expect(200);
    assert_eq!(finished["state"], "ready");
    assert_eq!(finished["current"]["release_text"], "34 (34000)");
    assert_eq!(finished["upgrade"]["release_text"], "34.1 (34100)");
    assert_eq!(finished["check"]["package"]["manifest"], manifest);
    assert!(finished["upgrade"]["uploaded_at"].is_string());
    assert!(kit.names(kit.layout.uploads()).is_empty());
    // The same package again changes nothing.
    assert_eq!(kit.upload_package().await, manifest);
    assert_eq!(kit.get(PACKAGES).await.expect(200)["meta"]["total_count"], 1);
}

#[tokio::test]
async fn damaged_package_is_refused_with_its_reason_and_nothing_is_kept() {
    let kit = Kit::new().await;
    let (mut bytes, _) = kit.package();
    let last = bytes.len() - 1100;
    bytes[last] ^= 1;
    let uuid = kit.ask_for_upload(bytes.len()).await;
    kit.send_part(&uuid, 0, &bytes).await.expect(202);
    let refused = kit
        .call("POST", &format!("{REQUESTS}{uuid}/finish/"), json!({"validate_only": true}))
        .await
        .expect(400);
    assert_eq!(refused["kind"], "package_refused");
    let reason = refused["error"].as_str().unwrap();
    assert!(reason.contains("changed or damaged on the way"), "{reason}");
    assert_eq!(refused["upgrade"], json!({"package": [reason]}));
    let state = kit.get(&format!("{REQUESTS}{uuid}/")).await.expect(200);
    assert_eq!((&state["state"], &state["error"]), (&json!("failed"), &json!(reason)));
    assert!(kit.names(kit.layout.uploads()).is_empty());
    assert!(kit.names(kit.layout.packages()).is_empty());
    assert_eq!(kit.get(PACKAGES).await.expect(200)["meta"]["total_count"], 0);
    kit.send_part(&uuid, 0, &bytes).await.expect(409);
    kit.call("POST", &format!("{REQUESTS}{uuid}/finish/"), json!({})).await.expect(409);
}

#[tokio::test]
async fn upload_holds_its_limits() {
    let kit = Kit::new().await;
    for size in [json!(0), json!(u64::MAX), json!(5_u64 << 30), json!("x"), Value::Null] {
        let body = json!({"request": true, "total_size": size});
        let refused = kit.call("POST", "/configuration/v1/upgrade/", body).await.expect(400);
        assert!(refused["upgrade"]["total_size"].is_array(), "{refused}");
    }
    kit.call("POST", "/configuration/v1/upgrade/", json!({})).await.expect(400);
    let uuid = kit.ask_for_upload(10).await;
    kit.send_part(&uuid, 0, b"12345").await.expect(202);
    let larger = kit.send_part(&uuid, 5, b"678901").await.expect(413);
    assert_eq!(larger["kind"], "too_large");
    // The same without an announced length.
    let stream = futures_util::stream::iter([
        Ok::<_, String>(Bytes::from_static(b"678")),
        Ok(Bytes::from_static(b"901")),
    ]);
    let request = kit.request("POST", &format!("{REQUESTS}{uuid}/upload/")).header("Upload-Offset", 5);
    kit.send(request.body(Body::from_stream(stream)).unwrap()).await.expect(413);
    assert_eq!(kit.get(&format!("{REQUESTS}{uuid}/")).await.expect(200)["offset"], 5);
    let no_offset = kit.request("POST", &format!("{REQUESTS}{uuid}/upload/")).body("6".into()).unwrap();
    kit.send(no_offset).await.expect(400);
    for _ in 0..3 {
        kit.ask_for_upload(10).await;
    }
    let full = kit
        .call("POST", "/configuration/v1/upgrade/", json!({"request": true, "total_size": 10}))
        .await
        .expect(409);
    assert_eq!(full["kind"], "conflict");
    let (error, hint) = (full["error"].as_str().unwrap(), full["hint"].as_str().unwrap());
    assert!(error.contains(&format!("{uuid} of admin (5 of 10 bytes, last one 0 s ago)")), "{error}");
    assert!(hint.contains("pitlane upgrade uploads remove UPLOAD"), "{hint}");
    kit.call("POST", &format!("{REQUESTS}{uuid}/cancel/"), json!({})).await.expect(202);
    kit.get(&format!("{REQUESTS}{uuid}/")).await.expect(404);
    assert!(kit.names(kit.layout.uploads()).is_empty());
    let uuid = kit.ask_for_upload(10).await;
    kit.call("DELETE", &format!("{REQUESTS}{uuid}/"), json!({})).await.expect(204);
    kit.call("DELETE", &format!("{REQUESTS}{uuid}/"), json!({})).await.expect(404);
    kit.get(&format!("{REQUESTS}../../store-a.db/")).await.expect(404);
}

#[tokio::test]
async fn new_upload_replaces_an_idle_one_of_the_same_account_alone() {
    let kit = Kit::new().await;
    let mut asked = Vec::new();
    for _ in 0..4 {
        asked.push(kit.ask_for_upload(10).await);
    }
    kit.uploads_rest_for(Span::minutes(3)).await;
    // The first belongs to another account, and the second has received bytes.
    let other = format!("UPDATE upload SET owner = 'eve' WHERE uuid = '{}'", asked[0]);
    let write =
        move |tx: &rusqlite::Transaction<'_>| Ok::<_, crate::store::StoreError>(tx.execute_batch(&other)?);
    kit.committer.store().write(write).await.unwrap();
    kit.send_part(&asked[1], 0, b"12345").await.expect(202);
    let mut shown = Vec::new();
    for uuid in &asked {
        let upload = kit.get(&format!("{REQUESTS}{uuid}/")).await.expect(200);
        shown.push((upload["owner"].clone(), upload["idle"].clone()));
    }
    let expected = [("eve", true), ("admin", false), ("admin", true), ("admin", true)];
    assert_eq!(shown, expected.map(|(owner, idle)| (json!(owner), json!(idle))));
    for _ in 0..2 {
        kit.ask_for_upload(10).await;
    }
    let mut found = Vec::new();
    for uuid in &asked {
        found.push(kit.get(&format!("{REQUESTS}{uuid}/")).await.status.as_u16());
    }
    assert_eq!(found, [200, 200, 404, 404]);
    let full =
        kit.call("POST", "/configuration/v1/upgrade/", json!({"request": true, "total_size": 10})).await;
    full.expect(409);
}

#[tokio::test]
async fn upload_that_is_being_sent_is_not_idle_however_slow_it_is() {
    let kit = Kit::new().await;
    let uuid = kit.ask_for_upload(10).await;
    for _ in 0..3 {
        kit.ask_for_upload(10).await;
    }
    let (bytes, arriving) = tokio::sync::mpsc::channel::<Bytes>(1);
    let stream = futures_util::stream::unfold(arriving, async |mut arriving| {
        arriving.recv().await.map(|bytes| (Ok::<_, String>(bytes), arriving))
    });
    let request = kit.request("POST", &format!("{REQUESTS}{uuid}/upload/")).header("Upload-Offset", 0);
    let request = request.body(Body::from_stream(stream)).unwrap();
    let sending = tokio::spawn(kit.router.clone().oneshot(request));
    bytes.send(Bytes::from_static(b"12345")).await.unwrap();
    drop(bytes.reserve().await.unwrap());
    kit.uploads_rest_for(Span::minutes(3)).await;
    // Three others are idle: they are removed, and this one is not.
    for _ in 0..3 {
        kit.ask_for_upload(10).await;
    }
    bytes.send(Bytes::from_static(b"67890")).await.unwrap();
    drop(bytes);
    assert_eq!(sending.await.unwrap().unwrap().status(), 202);
}

#[tokio::test]
async fn the_same_file_goes_on_where_it_was() {
    let mut kit = Kit::new().await;
    let (bytes, manifest) = kit.package();
    let first = kit.ask_for_upload_of(&bytes).await.expect(201);
    let uuid = first["upload_id"].as_str().unwrap().to_string();
    kit.send_part(&uuid, 0, &bytes[..1000]).await.expect(202);
    kit.restart_api();
    for _ in 0..6 {
        let again = kit.ask_for_upload_of(&bytes).await.expect(200);
        assert_eq!((&again["upload_id"], &again["offset"]), (&first["upload_id"], &json!(1000)));
    }
    // Another file of that size, and one of another size, are new uploads.
    let mut other = bytes.clone();
    other[0] ^= 1;
    assert_ne!(kit.ask_for_upload_of(&other).await.expect(201)["upload_id"], first["upload_id"]);
    assert_ne!(kit.ask_for_upload_of(&bytes[..2000]).await.expect(201)["upload_id"], first["upload_id"]);
    kit.send_part(&uuid, 1000, &bytes[1000..]).await.expect(202);
    let finish = format!("{REQUESTS}{uuid}/finish/");
    kit.call("POST", &finish, json!({"validate_only": true})).await.expect(200);
    // The package is held already: nothing of it is sent again.
    let held = kit.ask_for_upload_of(&bytes).await.expect(200);
    assert_eq!((&held["upload_id"], &held["offset"]), (&json!(uuid), &json!(bytes.len())));
    kit.call("POST", &finish, json!({"validate_only": true})).await.expect(200);
    kit.call("DELETE", &format!("{PACKAGES}{manifest}/"), json!({})).await.expect(204);
    assert_ne!(kit.ask_for_upload_of(&bytes).await.expect(201)["upload_id"], json!(uuid));
    let body = json!({"request": true, "total_size": 10, "head_sha256": "x"});
    let refused = kit.call("POST", "/configuration/v1/upgrade/", body).await.expect(400);
    assert!(refused["upgrade"]["head_sha256"].is_array(), "{refused}");
}

#[tokio::test]
async fn upload_without_activity_for_a_day_is_replaced() {
    let kit = Kit::new().await;
    let uuid = kit.ask_for_upload(10).await;
    kit.uploads_rest_for(Span::hours(23)).await;
    kit.ask_for_upload(10).await;
    kit.get(&format!("{REQUESTS}{uuid}/")).await.expect(200);
    kit.uploads_rest_for(Span::hours(1)).await;
    kit.ask_for_upload(10).await;
    kit.get(&format!("{REQUESTS}{uuid}/")).await.expect(404);
}

#[tokio::test]
async fn unneeded_packages_are_removed_when_a_new_one_is_kept() {
    let kit = Kit::new().await;
    let release =
        |minor: u16| Release { version: Version::new(34, minor), build: Build(34_000 + u32::from(minor)) };
    let (old, _) = kit.upload_package_of(release(1)).await;
    kit.call("POST", "/command/v1/platform/upgrade_start/", json!({})).await.expect(202);
    for event in
        [Event::ManagerStaged, Event::ManagerStarted { release: release(1), fell_back: None, wall: None }]
    {
        kit.committer.apply(event).await.unwrap();
    }
    let one = format!("{PACKAGES}{old}/");
    let needed = kit.call("DELETE", &one, json!({})).await.expect(409);
    assert_eq!(
        needed["error"],
        "the package of 34.1 (34001) is needed: the platform runs 34.1 (34001), and a node that is brought back is \
         upgraded with it"
    );
    assert!(kit.get(&one).await.expect(200)["needed_for"].is_string());
    let mut removed = Vec::new();
    for minor in 2..=6 {
        let (_, answer) = kit.upload_package_of(release(minor)).await;
        removed.extend(answer["removed_packages"].as_array().unwrap().clone());
    }
    let removed: Vec<&Value> = removed.iter().map(|package| &package["release_text"]).collect();
    assert_eq!(removed, ["34.2 (34002)"]);
    let list = kit.get(&format!("{PACKAGES}?order_by=version")).await.expect(200);
    let kept: Vec<&Value> =
        list["objects"].as_array().unwrap().iter().map(|package| &package["version"]).collect();
    assert_eq!(kept, ["34.1", "34.3", "34.4", "34.5", "34.6"]);
    let later = kit.get(&format!("{PACKAGES}?version__gt=34.4")).await.expect(200);
    assert_eq!(later["meta"]["total_count"], 2);
}

#[tokio::test]
async fn form_uploads_checks_and_starts_in_one() {
    let kit = Kit::new().await;
    let (bytes, manifest) = kit.package();
    let form = |package: &[u8]| {
        let mut body =
            b"--cut\r\nContent-Disposition: form-data; name=\"comment\"\r\n\r\nhello\r\n--cut\r\n".to_vec();
        body.extend(b"Content-Disposition: form-data; name=\"package\"; filename=\"p\"\r\n\r\n");
        body.extend(package);
        body.extend(b"\r\n--cut--\r\n");
        body
    };
    let send = async |package: &[u8]| {
        let request = kit.request("POST", "/command/v1/platform/upgrade/");
        let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut");
        kit.send(request.body(form(package).into()).unwrap()).await
    };
    let refused = send(&bytes[..bytes.len() - 1]).await.expect(400);
    assert_eq!(refused["kind"], "package_refused");
    assert!(kit.names(kit.layout.packages()).is_empty());
    let answer = send(&bytes).await.expect(202);
    assert_eq!(answer, json!({"status": "success", "data": {"run": 1, "warnings": []}}));
    let status = kit.get("/status/v1/upgrade/").await.expect(200);
    assert_eq!(status["run"]["manifest"], manifest);
    let blocked = send(&bytes).await.expect(409);
    assert_eq!(blocked["blockers"][0]["blocker"], "run_under_way");
    let empty = kit.request("POST", "/command/v1/platform/upgrade/");
    let empty = empty.header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut");
    kit.send(empty.body("--cut--\r\n".into()).unwrap()).await.expect(400);
    assert!(kit.names(kit.layout.uploads()).is_empty());
}

#[tokio::test]
async fn held_packages_are_listed_and_removed_unless_a_run_uses_them() {
    let kit = Kit::new().await;
    let manifest = kit.upload_package().await;
    let list = kit.get(PACKAGES).await.expect(200);
    let held = &list["objects"][0];
    assert_eq!(held["manifest"], manifest);
    assert_eq!(
        (&held["version"], &held["build"], &held["released"]),
        (&json!("34.1"), &json!(34_100), &json!("2026-11-23"))
    );
    assert_eq!(held["notes"], "Nothing is lost any more.");
    assert!(held["size"].as_u64().unwrap() > 1024 && held["uploaded_at"].is_string());
    let one = format!("{PACKAGES}{manifest}/");
    kit.get(&one).await.expect(200);
    kit.call("POST", "/command/v1/platform/upgrade_start/", json!({})).await.expect(202);
    kit.call("DELETE", &one, json!({})).await.expect(409);
    let why = "the disk is full".into();
    kit.committer.apply(fleet::platform::Event::ManagerRejected { why }).await.unwrap();
    kit.call("DELETE", &one, json!({})).await.expect(204);
    kit.call("DELETE", &one, json!({})).await.expect(404);
    kit.get(&format!("{PACKAGES}..%2F..%2Fstate/")).await.expect(404);
    let none = kit.call("POST", "/command/v1/platform/upgrade_start/", json!({})).await.expect(409);
    assert_eq!(none["error"], "no upgrade package has been uploaded");
}

#[tokio::test]
async fn change_is_completed_when_its_sender_no_longer_waits() {
    let kit = Kit::new().await;
    let uuid = kit.ask_for_upload(10).await;
    let (bytes, arriving) = tokio::sync::mpsc::channel::<Bytes>(1);
    let stream = futures_util::stream::unfold(arriving, async |mut arriving| {
        arriving.recv().await.map(|bytes| (Ok::<_, String>(bytes), arriving))
    });
    let request = kit.request("POST", &format!("{REQUESTS}{uuid}/upload/")).header("Upload-Offset", 0);
    let request = request.body(Body::from_stream(stream)).unwrap();
    let sending = tokio::spawn(kit.router.clone().oneshot(request));
    bytes.send(Bytes::from_static(b"12345")).await.unwrap();
    drop(bytes.reserve().await.unwrap());
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    bytes.send(Bytes::from_static(b"67890")).await.unwrap();
    drop(bytes);
    // Waits for its turn.
    assert_eq!(kit.send_part(&uuid, 10, b"").await.expect(202)["offset"], 10);
}
