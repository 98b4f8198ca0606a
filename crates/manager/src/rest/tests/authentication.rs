//! Tests of the settings of logins.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use super::kit::{API, Answer, Kit};
use super::tokens::{CLIENTS, HERE, ask, assertion, client, with};

const SETTINGS: &str = "/configuration/v1/authentication/1/";

async fn set(kit: &Kit, name: &str, value: Value) -> Answer {
    kit.call("PATCH", SETTINGS, json!({name: value})).await
}

/// A client with the role of administrators; returns its number and a token.
async fn administrator(kit: &Kit) -> (i64, String) {
    let body = json!({"client_name": "administrator", "role": 1});
    let made = kit.call("POST", CLIENTS, body).await.expect(201);
    let (client, key) = (made["client_id"].as_str().unwrap(), made["private_key_jwt"].as_str().unwrap());
    let given = ask(kit, &assertion(client, key, HERE, "1")).await.expect(200);
    (made["id"].as_i64().unwrap(), given["access_token"].as_str().unwrap().into())
}

#[tokio::test]
async fn access_token_is_valid_for_as_long_as_is_set() {
    let kit = Kit::new().await;
    let (client, key) = client(&kit).await;
    set(&kit, "api_oauth2_expiration", json!(120)).await.expect(202);
    let given = ask(&kit, &assertion(&client, &key, HERE, "1")).await.expect(200);
    assert_eq!(given["expires_in"], 120);
    set(&kit, "api_oauth2_expiration", json!(59)).await.expect(400);
}

#[tokio::test]
async fn what_pitlane_does_not_have_is_refused() {
    let kit = Kit::new().await;
    for (name, value) in [("source", json!("LDAP")), ("api_oauth2_allow_all_perms", json!(true))] {
        let refused = set(&kit, name, value).await.expect(400);
        assert!(refused["authentication"][name].is_array(), "{refused}");
    }
}

#[tokio::test]
async fn passwords_are_refused_only_while_a_client_may_manage_the_accounts() {
    let kit = Kit::new().await;
    set(&kit, "api_oauth2_disable_basic", json!(true)).await.expect(409);
    client(&kit).await;
    set(&kit, "api_oauth2_disable_basic", json!(true)).await.expect(409);
    let (id, token) = administrator(&kit).await;
    set(&kit, "api_oauth2_disable_basic", json!(true)).await.expect(202);
    let refused = kit.get(SETTINGS).await.expect(401);
    assert!(refused["error"].as_str().unwrap().contains("api_oauth2_disable_basic"), "{refused}");
    with(&kit, &token, "GET", SETTINGS).await.expect(200);
    let change = async |method: &str, path: &str, body: Value| {
        let request = Request::builder().method(method).uri(format!("{API}{path}"));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        kit.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let (one, role) = (format!("{CLIENTS}{id}/"), "/api/admin/configuration/v1/role/3/");
    change("PATCH", &one, json!({"role": role})).await.expect(409);
    change(
        "PATCH",
        "/configuration/v1/role/1/",
        json!({"permissions": [role.replace("role/3", "permission/1")]}),
    )
    .await
    .expect(409);
    change("DELETE", &one, json!({})).await.expect(409);
    change("PATCH", SETTINGS, json!({"api_oauth2_disable_basic": false})).await.expect(202);
    kit.call("DELETE", &one, json!({})).await.expect(204);
}
