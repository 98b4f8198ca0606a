//! Tests of OAuth2 clients: from their creation to a request with an access token.

use axum::body::Body;
use axum::http::{Request, header};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::kit::{API, Answer, Kit};

pub(super) const CLIENTS: &str = "/configuration/v1/oauth2_client/";

/// A client with the role of viewers, and its private key.
pub(super) async fn client(kit: &Kit) -> (String, String) {
    let made = kit.call("POST", CLIENTS, json!({"client_name": "monitor", "role": 3})).await.expect(201);
    let text = |name: &str| made[name].as_str().unwrap().to_string();
    (text("client_id"), text("private_key_jwt"))
}

pub(super) fn assertion(client: &str, key: &str, audience: &str, id: &str) -> String {
    let now = jiff::Timestamp::now().as_second();
    let claims =
        json!({"iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + 300, "jti": id});
    let key = crate::trust::PrivateKey::read(key, "").unwrap();
    let key = EncodingKey::from_ec_der(&key.to_der());
    encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap()
}

pub(super) async fn ask(kit: &Kit, assertion: &str) -> Answer {
    let form = format!(
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A\
         client-assertion-type%3Ajwt-bearer&client_assertion={assertion}&scope=use_api"
    );
    let request = Request::builder().method("POST").uri("/oauth/token/");
    kit.send(request.body(Body::from(form)).unwrap()).await
}

pub(super) async fn with(kit: &Kit, token: &str, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(format!("{API}{path}"));
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    kit.send(request.body(Body::from("{}")).unwrap()).await
}

pub(super) const HERE: &str = "https://manager.example/oauth/token/";

#[tokio::test]
async fn client_with_a_signed_assertion_may_do_what_its_role_says() {
    let kit = Kit::new().await;
    let (client, key) = client(&kit).await;
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"), "no PKCS#8");
    let given = ask(&kit, &assertion(&client, &key, HERE, "1")).await.expect(200);
    assert_eq!(
        (&given["token_type"], &given["expires_in"], &given["scope"]),
        (&json!("Bearer"), &json!(3600), &json!("use_api"))
    );
    let token = given["access_token"].as_str().unwrap();
    with(&kit, token, "GET", "/status/v1/worker_vm/").await.expect(200);
    with(&kit, token, "POST", "/configuration/v1/conference/").await.expect(403);
    with(&kit, &token.replace(&token[..1], "_"), "GET", "/status/v1/about/").await.expect(401);
    // The key is shown once, and nothing of it is stored.
    let shown = kit.get(&format!("{CLIENTS}1/")).await.expect(200);
    assert_eq!((&shown["private_key_jwt"], &shown["client_id"]), (&json!(""), &json!(client)));
    let stored = std::fs::read(kit.dir.path().join("store-a.db-wal")).unwrap();
    let line = key.lines().nth(1).unwrap().as_bytes();
    assert!(!stored.windows(line.len()).any(|bytes| bytes == line), "the private key is stored");
}

#[tokio::test]
async fn token_ends_with_its_client_and_with_its_role() {
    let kit = Kit::new().await;
    let (client, key) = client(&kit).await;
    let given = ask(&kit, &assertion(&client, &key, HERE, "1")).await.expect(200);
    let token = given["access_token"].as_str().unwrap();
    let role = json!({"role": "/api/admin/configuration/v1/role/2/"});
    kit.call("PATCH", &format!("{CLIENTS}1/"), role).await.expect(202);
    with(&kit, token, "GET", "/status/v1/about/").await.expect(401);
    let given = ask(&kit, &assertion(&client, &key, HERE, "2")).await.expect(200);
    let token = given["access_token"].as_str().unwrap();
    with(&kit, token, "GET", "/status/v1/about/").await.expect(200);
    kit.call("DELETE", &format!("{CLIENTS}1/"), json!({})).await.expect(204);
    with(&kit, token, "GET", "/status/v1/about/").await.expect(401);
    let gone = ask(&kit, &assertion(&client, &key, HERE, "3")).await.expect(401);
    assert_eq!(gone["error"], "invalid_client");
}

#[tokio::test]
async fn assertion_that_does_not_count_is_refused_in_the_words_of_the_standard() {
    let kit = Kit::new().await;
    let (client, key) = client(&kit).await;
    let check = async |assertion: String, status: u16, error: &str| {
        let refused: Value = ask(&kit, &assertion).await.expect(status);
        assert_eq!(refused["error"], error, "{refused}");
        assert!(refused["error_description"].is_string());
    };
    let good = assertion(&client, &key, "https://MANAGER.example:443/oauth/token", "1");
    ask(&kit, &good).await.expect(200);
    check(good.clone(), 400, "invalid_grant").await;
    check(assertion(&client, &key, "https://other.example/oauth/token/", "2"), 401, "invalid_client").await;
    check(assertion("somebody", &key, HERE, "3"), 401, "invalid_client").await;
    check("x.y.z".into(), 400, "invalid_grant").await;
    check(String::new(), 400, "invalid_request").await;
    let unsigned = good.rsplit_once('.').unwrap().0.to_string() + ".";
    check(unsigned, 400, "invalid_grant").await;
}

#[tokio::test]
async fn client_is_nobody_s_namesake_and_is_not_made_with_others() {
    let kit = Kit::new().await;
    let body = json!({"client_name": "admin", "role": 1});
    let made = kit.call("POST", CLIENTS, body).await.expect(201);
    let (client, key) = (made["client_id"].as_str().unwrap(), made["private_key_jwt"].as_str().unwrap());
    let given = ask(&kit, &assertion(client, key, HERE, "1")).await.expect(200);
    let request = Request::builder().method("POST").uri(format!("{API}/configuration/v1/system_location/"));
    let token = format!("Bearer {}", given["access_token"].as_str().unwrap());
    let request = request.header(header::AUTHORIZATION, token);
    kit.send(request.body(Body::from(r#"{"name": "Oslo"}"#)).unwrap()).await.expect(201);
    let audit = kit.get("/history/v1/audit/?action=created&resource=system_location").await.expect(200);
    assert_eq!(audit["objects"][0]["account"], "client:admin");
    let many = json!({"objects": [{"client_name": "bulk", "role": 1}]});
    kit.call("PATCH", CLIENTS, many).await.expect(400);
}
