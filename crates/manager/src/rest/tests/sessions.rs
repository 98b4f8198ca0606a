//! Tests of sessions: from the form to a request with the cookie, and what ends them.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::json;

use super::kit::{API, Answer, Kit};
use crate::store::{StoreError, Transaction};

const ABOUT: &str = "/status/v1/about/";

/// Sends the form, with other headers.
async fn log_in(kit: &Kit, password: &str, next: &str, headers: &[(&str, &str)]) -> Answer {
    let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let form = format!("csrfmiddlewaretoken=x&username=admin&password={encoded}&next={next}");
    let mut request = Request::builder().method("POST").uri("/admin/login/");
    request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    kit.send(request.body(Body::from(form)).unwrap()).await
}

/// Logs in; returns the cookie as a browser sends it.
async fn session(kit: &Kit, headers: &[(&str, &str)]) -> String {
    let answer = log_in(kit, &kit.credentials().1, "", headers).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let mut cookies = answer.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
    let cookie = cookies.find(|cookie| cookie.starts_with("__Host-pitlane-session="));
    cookie.unwrap_or_else(|| panic!("{:?}", answer.headers)).split(';').next().unwrap().to_string()
}

async fn with(kit: &Kit, cookie: &str, method: &str, path: &str, site: &str, body: &str) -> Answer {
    let request =
        Request::builder().method(method).uri(format!("{API}{path}")).header(header::COOKIE, cookie);
    kit.send(request.header("Sec-Fetch-Site", site).body(Body::from(body.to_string())).unwrap()).await
}

async fn get(kit: &Kit, cookie: &str) -> Answer {
    with(kit, cookie, "GET", ABOUT, "same-origin", "").await
}

/// No session is used for so many minutes.
async fn rest(kit: &Kit, minutes: i64) {
    let age = move |tx: &Transaction<'_>| {
        tx.execute("UPDATE session SET used = used - ?1, began = began - ?1", [minutes * 60_000])?;
        Ok::<_, StoreError>(())
    };
    kit.committer.store().write(age).await.unwrap();
}

#[tokio::test]
async fn session_makes_requests_of_its_account_also_after_a_restart() {
    let mut kit = Kit::new().await;
    let answer = log_in(&kit, &kit.credentials().1, "/api/admin/schema/", &[]).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers[header::LOCATION]),
        (303, &"/api/admin/schema/".parse().unwrap())
    );
    let cookie = session(&kit, &[]).await;
    kit.restart_api();
    get(&kit, &cookie).await.expect(200);
    let made = with(
        &kit,
        &cookie,
        "POST",
        "/configuration/v1/system_location/",
        "same-origin",
        r#"{"name": "Oslo"}"#,
    );
    made.await.expect(201);
    let audit = kit.get("/history/v1/audit/?action=created").await.expect(200);
    assert_eq!(audit["objects"][0]["account"], "admin");
}

#[tokio::test]
async fn requests_of_other_sites_do_nothing() {
    let kit = Kit::new().await;
    let cookie = session(&kit, &[]).await;
    let list = "/configuration/v1/system_location/";
    for site in ["cross-site", "same-site"] {
        with(&kit, &cookie, "POST", list, site, r#"{"name": "Oslo"}"#).await.expect(403);
    }
    assert_eq!(kit.get(list).await.expect(200)["meta"]["total_count"], 0);
    let password = kit.credentials().1;
    let refused = log_in(&kit, &password, "", &[("Sec-Fetch-Site", "cross-site")]).await;
    assert_eq!((refused.status.as_u16(), refused.headers.get(header::SET_COOKIE)), (403, None));
}

#[tokio::test]
async fn wrong_password_begins_no_session_and_guesses_are_slowed_down() {
    let kit = Kit::new().await;
    let wrong = log_in(&kit, "wrong", "", &[]).await;
    assert_eq!((wrong.status.as_u16(), wrong.headers.get(header::SET_COOKIE)), (400, None));
    log_in(&kit, &"x".repeat(2_000), "", &[]).await.expect(400);
    let mut guesses = 1;
    while log_in(&kit, &format!("guess {guesses}"), "", &[]).await.status == 400 {
        guesses += 1;
        assert!(guesses < 20, "nobody slows the guesses down");
    }
    assert_eq!(log_in(&kit, &kit.credentials().1, "", &[]).await.status, 429);
    kit.get(ABOUT).await.expect(429);
}

#[tokio::test]
async fn every_login_has_a_token_of_its_own_and_ends_the_session_before() {
    let kit = Kit::new().await;
    let first = session(&kit, &[]).await;
    let second = session(&kit, &[("Cookie", &first)]).await;
    assert_ne!(first, second);
    get(&kit, &first).await.expect(401);
    get(&kit, &second).await.expect(200);
    let prepared = format!("__Host-pitlane-session={}", "ab".repeat(32));
    let third = session(&kit, &[("Cookie", &prepared)]).await;
    assert_ne!(third, prepared);
    get(&kit, &prepared).await.expect(401);
}

#[tokio::test]
async fn session_ends_at_logout_with_a_new_password_and_when_it_was_not_used() {
    let kit = Kit::new().await;
    let cookie = session(&kit, &[]).await;
    let out = Request::builder().method("POST").uri("/admin/logout/").header(header::COOKIE, &cookie);
    let out = kit.send(out.body(Body::empty()).unwrap()).await;
    assert_eq!(out.status, 303);
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    get(&kit, &cookie).await.expect(401);
    let unused = session(&kit, &[]).await;
    kit.call("PATCH", "/configuration/v1/global/1/", json!({"management_session_timeout": 40}))
        .await
        .expect(202);
    rest(&kit, 39).await;
    get(&kit, &unused).await.expect(200);
    rest(&kit, 39).await;
    get(&kit, &unused).await.expect(200);
    rest(&kit, 40).await;
    get(&kit, &unused).await.expect(401);
    let changed = session(&kit, &[]).await;
    let body = json!({"old_password": kit.credentials().1, "new_password": "another long password"});
    kit.call("POST", "/command/v1/account/password/", body).await.expect(200);
    get(&kit, &changed).await.expect(401);
}
