//! Tests of authentication, and of what every answer has.

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use serde_json::json;

use super::kit::{API, Kit, basic};
use crate::link::ConnectionHandle;

async fn with(kit: &Kit, authorization: Option<&str>) -> super::kit::Answer {
    let mut request = Request::builder().uri(format!("{API}/status/v1/about/"));
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    kit.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn first_password_is_made_once_and_only_its_hash_is_stored() {
    let kit = Kit::new().await;
    let again = |_: &str| -> Result<(), crate::store::StoreError> { panic!("another password was made") };
    crate::rest::first_account(kit.committer.store(), again).await.unwrap();
    let hash =
        super::super::accounts::find(kit.committer.store(), "admin".into()).await.unwrap().unwrap().password;
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let about = with(&kit, Some(&kit.authorization)).await.expect(200);
    assert_eq!(about["release_text"], fleet::version::Release::PRESENT.to_string());
}

#[tokio::test]
async fn account_is_not_created_when_its_password_cannot_be_handed_over() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("store-a.db");
    let connection = crate::store::open(&path, &mut || {}).unwrap();
    let store = crate::store::Store::start(&path, connection, super::kit::no_nodes());
    let lost = |_: &str| Err(crate::store::StoreError::Closed);
    assert!(crate::rest::first_account(&store, lost).await.is_err());
    assert_eq!(super::super::accounts::find(&store, "admin".into()).await.unwrap(), None);
}

#[tokio::test]
async fn without_the_right_password_there_is_a_challenge_and_nothing_else() {
    let kit = Kit::new().await;
    let wrong = basic("admin", "wrong");
    let nobody = basic("nobody", "wrong");
    let mut bodies = Vec::new();
    for authorization in [None, Some(wrong.as_str()), Some(nobody.as_str()), Some("Digest x")] {
        let answer = with(&kit, authorization).await;
        assert_eq!(answer.status, 401);
        assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
        bodies.push(answer.text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the answers reveal who exists: {bodies:?}");
}

/// A request from an address, with the cookie that a tool keeps.
async fn from(kit: &Kit, address: &str, authorization: &str, cookie: Option<&str>) -> super::kit::Answer {
    let address: std::net::SocketAddr = format!("{address}:40000").parse().unwrap();
    let mut request = Request::builder().uri(format!("{API}/status/v1/about/"));
    request = request.header(header::AUTHORIZATION, authorization).extension(ConnectInfo(address));
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    kit.send(request.body(Body::empty()).unwrap()).await
}

/// The cookie of an answer, as a tool sends it back.
fn cookie_of(answer: &super::kit::Answer) -> String {
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.ends_with("; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
    cookie.split(';').next().unwrap().to_string()
}

/// Guesses until the guesses are limited.
async fn guess(kit: &Kit, address: &str) -> super::kit::Answer {
    for n in 0..100 {
        let answer = from(kit, address, &basic("admin", &format!("guess {n}")), None).await;
        if answer.status != 401 {
            return answer;
        }
    }
    panic!("nobody slows the guesses down")
}

#[tokio::test]
async fn login_authenticates_the_connection() {
    let (kit, handle) = (Kit::new().await, ConnectionHandle::unauthenticated());
    for (authorization, status) in [(basic("admin", "wrong"), 401), (kit.authorization.clone(), 200)] {
        let request = Request::builder().uri(format!("{API}/status/v1/about/")).extension(handle.clone());
        let request = request.header(header::AUTHORIZATION, authorization).body(Body::empty()).unwrap();
        assert_eq!(kit.send(request).await.status, status);
        assert_eq!(handle.is_authenticated(), status == 200, "after {status}");
    }
}

#[tokio::test]
async fn guesses_are_slowed_down() {
    let kit = Kit::new().await;
    let slowed = guess(&kit, "192.0.2.1").await;
    assert_eq!(slowed.status, 429);
    assert!(slowed.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(slowed.json()["kind"], "too_many_attempts");
}

#[tokio::test]
async fn guesses_behind_the_same_address_or_elsewhere_lock_nobody_out() {
    let kit = Kit::new().await;
    let login = from(&kit, "192.0.2.1", &kit.authorization, None).await;
    let cookie = cookie_of(&login);
    for attacker in ["192.0.2.1", "198.51.100.7", "198.51.100.8"] {
        assert_eq!(guess(&kit, attacker).await.status, 429);
    }
    let answer = from(&kit, "192.0.2.1", &kit.authorization, Some(&cookie)).await;
    assert_eq!((answer.status.as_u16(), answer.headers.get(header::SET_COOKIE)), (200, None));
    assert_eq!(from(&kit, "203.0.113.5", &kit.authorization, None).await.status, 200);
    // The token does not replace the password.
    assert_eq!(from(&kit, "192.0.2.1", &basic("admin", "another guess"), Some(&cookie)).await.status, 401);
}

const PASSWORD: &str = "/command/v1/account/password/";

#[tokio::test]
async fn password_is_changed_with_the_old_one_and_everything_old_ends() {
    let mut kit = Kit::new().await;
    let old = kit.authorization.clone();
    let (_, secret) = kit.credentials();
    let cookie = cookie_of(&from(&kit, "192.0.2.1", &old, None).await);
    std::fs::create_dir_all(kit.layout.state()).unwrap();
    std::fs::write(kit.layout.state().join("admin-password"), &secret).unwrap();
    let about = with(&kit, Some(&old)).await.expect(200);
    let warning = about["warnings"][0]["text"].as_str().unwrap();
    assert!(warning.contains("state/admin-password on the Management Node"), "{warning}");
    let new = "correct horse battery";
    for (body, field) in [
        (json!({}), "old_password"),
        (json!({"old_password": secret}), "new_password"),
        (json!({"old_password": secret, "new_password": "short"}), "new_password"),
        (json!({"old_password": secret, "new_password": secret}), "new_password"),
        (json!({"old_password": "wrong", "new_password": new}), "old_password"),
    ] {
        let refused = kit.call("POST", PASSWORD, body).await.expect(400);
        assert!(refused["password"][field].is_array(), "{refused}");
    }
    assert_eq!(with(&kit, Some(&old)).await.status, 200, "a refused change has changed something");
    let changed = kit.call("POST", PASSWORD, json!({"old_password": secret, "new_password": new})).await;
    assert!(changed.headers.contains_key(header::SET_COOKIE));
    let changed = changed.expect(200);
    assert!(changed["remark"].as_str().unwrap().contains("was removed"), "{changed}");
    assert_eq!(from(&kit, "192.0.2.1", &old, Some(&cookie)).await.status, 401);
    kit.authorization = basic("admin", new);
    let again = from(&kit, "192.0.2.1", &kit.authorization, Some(&cookie)).await;
    assert!(again.headers.contains_key(header::SET_COOKIE), "the token of the old password is still good");
    assert_eq!(again.expect(200)["warnings"], json!([]));
    kit.restart_api();
    assert_eq!(with(&kit, Some(&old)).await.status, 401);
    assert_eq!(with(&kit, Some(&kit.authorization)).await.status, 200);
}

#[tokio::test]
async fn old_password_is_not_guessed_by_changing_it() {
    let kit = Kit::new().await;
    let mut statuses = Vec::new();
    for n in 0..20 {
        let body = json!({"old_password": format!("guess {n}"), "new_password": "correct horse battery"});
        let answer = kit.call("POST", PASSWORD, body).await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!((statuses[0], statuses[19]), (400, 429));
    // Guesses of others do not prevent the owner from changing it.
    let (_, secret) = kit.credentials();
    let cookie = cookie_of(&from(&kit, "192.0.2.1", &kit.authorization, None).await);
    let body = json!({"old_password": secret, "new_password": "correct horse battery"}).to_string();
    let request = kit.request("POST", PASSWORD).header(header::COOKIE, cookie);
    let request = request.header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap();
    kit.send(request).await.expect(200);
}

#[tokio::test]
async fn readiness_page_needs_no_password() {
    let kit = Kit::new().await;
    for path in ["/admin/login/", "/admin/login"] {
        let answer = kit.send(Request::builder().uri(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text.contains("management API"), "{}", answer.text);
    }
}

#[tokio::test]
async fn what_does_not_exist_is_refused_in_the_api_s_own_shape() {
    let kit = Kit::new().await;
    let missing = kit.get("/configuration/v1/mjx_integration/").await.expect(404);
    assert_eq!(missing["kind"], "not_found");
    assert!(missing["error"].is_string() && missing["hint"].is_string());
    let method = kit.call("DELETE", "/status/v1/about/", json!({})).await.expect(405);
    assert_eq!(method["kind"], "method_not_allowed");
    let unknown = kit.get("/configuration/v1/worker_vm/77/").await.expect(404);
    assert_eq!(unknown["error"], "worker_vm 77 not found");
    kit.get("/configuration/v1/worker_vm/x/").await.expect(404);
}

#[tokio::test]
async fn body_that_cannot_be_read_changes_nothing() {
    let kit = Kit::new().await;
    let path = "/configuration/v1/system_location/";
    for (body, status, kind) in
        [("{", 400, "malformed"), ("[]", 400, "malformed"), (&" ".repeat((1 << 20) + 1), 413, "too_large")]
    {
        let request = kit.request("POST", path).header(header::CONTENT_TYPE, "application/json");
        let answer = kit.send(request.body(body.to_string().into()).unwrap()).await.expect(status);
        assert_eq!(answer["kind"], kind);
    }
    let form = kit.request("POST", path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    kit.send(form.body("name=S%C3%B8r".into()).unwrap()).await.expect(201);
    let list = kit.get(path).await.expect(200);
    assert_eq!(list["meta"]["total_count"], 1);
    assert_eq!(list["objects"][0]["name"], "Sør");
}

#[tokio::test]
async fn browser_sends_no_change_on_behalf_of_another_site() {
    let kit = Kit::new().await;
    let path = "/configuration/v1/system_location/";
    let from = |site: &str| {
        let request = kit.request("POST", path).header(header::HOST, "manager.example.com");
        let request = request.header("Sec-Fetch-Site", site);
        request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("name=Oslo".into())
            .unwrap()
    };
    let refused = kit.send(from("cross-site")).await.expect(403);
    assert_eq!(refused["kind"], "cross_site");
    assert_eq!(kit.get(path).await.expect(200)["meta"]["total_count"], 0);
    kit.send(from("same-origin")).await.expect(201);
}
