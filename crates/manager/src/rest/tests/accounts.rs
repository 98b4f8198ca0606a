//! Tests of accounts, roles and permissions, and of what is noted of changes.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use super::kit::{API, Answer, Kit, assert_includes, basic, node};
use crate::resources::Permission;

const ACCOUNTS: &str = "/configuration/v1/account/";
const ROLES: &str = "/configuration/v1/role/";
const PASSWORD: &str = "correct horse battery";

/// Makes an account with a role of its own that has these permissions.
async fn account(kit: &Kit, name: &str, permissions: &[Permission]) {
    let ids: Vec<i64> = permissions.iter().map(|permission| permission.id()).collect();
    let made = kit.call("POST", ROLES, json!({"name": format!("Role of {name}"), "permissions": ids})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let role = made.headers[header::LOCATION].to_str().unwrap();
    let body = json!({"name": name, "password": PASSWORD, "role": role});
    kit.call("POST", ACCOUNTS, body).await.expect(201);
}

/// A request of another account.
async fn by(kit: &Kit, name: &str, method: &str, path: &str, body: Value) -> Answer {
    let request = Request::builder().method(method).uri(format!("{API}{path}"));
    let request = request.header(header::AUTHORIZATION, basic(name, PASSWORD));
    kit.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn permissions_in_the_store_are_those_of_the_program() {
    let kit = Kit::new().await;
    let stored = kit.get("/configuration/v1/permission/").await.expect(200);
    assert_eq!(stored["meta"]["total_count"], Permission::ALL.len());
    for (permission, object) in Permission::ALL.iter().zip(stored["objects"].as_array().unwrap()) {
        let expected =
            json!({"id": permission.id(), "codename": permission.codename(), "name": permission.name()});
        assert_includes(object, &expected);
    }
    let administrator = kit.get(&format!("{ROLES}?name=Administrator")).await.expect(200);
    assert_eq!(administrator["objects"][0]["permissions"].as_array().unwrap().len(), Permission::ALL.len());
    let found = kit.get(&format!("{ROLES}?permissions__codename=audit")).await.expect(200);
    assert_eq!(found["meta"]["total_count"], 1);
}

#[tokio::test]
async fn account_may_do_what_its_role_says_and_nothing_else() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    account(&kit, "viewer", &[Permission::UseApi, Permission::ViewPlatform]).await;
    account(&kit, "locked", &[]).await;
    for (method, path) in [
        ("POST", "/configuration/v1/worker_vm/"),
        ("PATCH", "/configuration/v1/worker_vm/1/"),
        ("POST", "/configuration/v1/worker_vm/1/enrolment/"),
        ("DELETE", "/configuration/v1/system_location/"),
        ("POST", "/configuration/v1/upgrade/"),
        ("POST", "/command/v1/platform/upgrade_start/"),
        ("POST", "/command/v1/platform/upgrade_check/"),
        ("GET", "/configuration/v1/account/"),
        ("GET", "/history/v1/audit/"),
    ] {
        let refused = by(&kit, "viewer", method, path, json!({})).await.expect(403);
        assert_eq!(refused["kind"], "forbidden", "{method} {path}");
    }
    for path in [
        "/configuration/v1/worker_vm/",
        "/status/v1/worker_vm/",
        "/status/v1/upgrade/",
        "/history/v1/upgrade/",
    ] {
        by(&kit, "viewer", "GET", path, json!({})).await.expect(200);
        by(&kit, "locked", "GET", path, json!({})).await.expect(403);
    }
    let change = json!({"old_password": PASSWORD, "new_password": "another horse battery"});
    by(&kit, "locked", "POST", "/command/v1/account/password/", change).await.expect(403);
}

#[tokio::test]
async fn password_is_hashed_hidden_and_kept_when_its_mark_is_sent_back() {
    let kit = Kit::new().await;
    account(&kit, "ann", &[Permission::UseApi, Permission::ViewPlatform]).await;
    let shown = kit.get(&format!("{ACCOUNTS}2/")).await.expect(200);
    assert_eq!((&shown["name"], &shown["password"]), (&json!("ann"), &json!("********")));
    kit.call("PUT", &format!("{ACCOUNTS}2/"), shown).await.expect(204);
    by(&kit, "ann", "GET", "/status/v1/about/", json!({})).await.expect(200);
    let weak = kit.call("PATCH", &format!("{ACCOUNTS}2/"), json!({"password": "short"})).await.expect(400);
    assert!(weak["account"]["password"].is_array(), "{weak}");
    kit.call("PATCH", &format!("{ACCOUNTS}2/"), json!({"password": "a different password"}))
        .await
        .expect(202);
    by(&kit, "ann", "GET", "/status/v1/about/", json!({})).await.expect(401);
    kit.call("POST", ACCOUNTS, json!({"name": "a:b", "password": PASSWORD, "role": 1})).await.expect(400);
    let null = json!({"name": "bob", "role": 1, "password": null});
    kit.call("POST", ACCOUNTS, null).await.expect(400);
    kit.call("PATCH", &format!("{ACCOUNTS}1/"), json!({"password": null, "description": "x"}))
        .await
        .expect(202);
    kit.get("/status/v1/about/").await.expect(200);
    let named = json!({"password": "Ann and her horse"});
    kit.call("PATCH", &format!("{ACCOUNTS}2/"), named).await.expect(400);
    let nothing = kit.call("POST", ACCOUNTS, json!({"name": "bob", "role": 1})).await.expect(400);
    assert_eq!(nothing["account"], json!({"password": ["This field is required."]}));
    let wal = std::fs::read(kit.dir.path().join("store-a.db-wal")).unwrap();
    assert!(!wal.windows(PASSWORD.len()).any(|bytes| bytes == PASSWORD.as_bytes()), "a password is stored");
}

#[tokio::test]
async fn inactive_account_cannot_log_in() {
    let kit = Kit::new().await;
    account(&kit, "ann", &[Permission::UseApi, Permission::ViewPlatform]).await;
    kit.call("PATCH", &format!("{ACCOUNTS}2/"), json!({"is_active": false})).await.expect(202);
    by(&kit, "ann", "GET", "/status/v1/about/", json!({})).await.expect(401);
    kit.call("PATCH", &format!("{ACCOUNTS}2/"), json!({"is_active": true})).await.expect(202);
    by(&kit, "ann", "GET", "/status/v1/about/", json!({})).await.expect(200);
}

#[tokio::test]
async fn somebody_can_always_manage_the_accounts() {
    let kit = Kit::new().await;
    let refused = async |method: &str, path: &str, body: Value| {
        let refused = kit.call(method, path, body).await.expect(409);
        assert!(refused["error"].as_str().unwrap().contains("manage the accounts"), "{refused}");
    };
    let one = format!("{ACCOUNTS}1/");
    refused("DELETE", &one, json!({})).await;
    refused("PATCH", &one, json!({"is_active": false})).await;
    refused("PATCH", &one, json!({"role": "/api/admin/configuration/v1/role/3/"})).await;
    refused("PATCH", &format!("{ROLES}1/"), json!({"permissions": [1, 2]})).await;
    kit.call("DELETE", &format!("{ROLES}1/"), json!({})).await.expect(409);
    account(&kit, "ann", &[Permission::UseApi, Permission::Accounts]).await;
    kit.call("DELETE", &one, json!({})).await.expect(204);
    by(&kit, "ann", "GET", ACCOUNTS, json!({})).await.expect(200);
    let body = json!({"is_active": false});
    by(&kit, "ann", "PATCH", &format!("{ACCOUNTS}2/"), body).await.expect(409);
}

#[tokio::test]
async fn nobody_gives_or_takes_over_more_than_he_may_do() {
    let kit = Kit::new().await;
    account(&kit, "ann", &[Permission::UseApi, Permission::Accounts]).await;
    account(&kit, "ben", &[Permission::UseApi]).await;
    let (ann, administrator) = (json!({"role": format!("{API}{ROLES}1/")}), format!("{ACCOUNTS}1/"));
    let new = |name: &str| json!({"name": name, "password": PASSWORD, "role": format!("{API}{ROLES}1/")});
    let all: Vec<i64> = Permission::ALL.iter().map(|permission| permission.id()).collect();
    let clients = "/configuration/v1/oauth2_client/";
    for (method, path, body) in [
        ("PATCH", format!("{ACCOUNTS}2/"), ann),
        ("POST", ACCOUNTS.into(), new("eve")),
        ("PATCH", administrator.clone(), json!({"password": "another horse battery"})),
        ("DELETE", administrator, json!({})),
        ("POST", ROLES.into(), json!({"name": "All", "permissions": all})),
        ("PATCH", format!("{ROLES}1/"), json!({"permissions": [1, 9]})),
        ("POST", clients.into(), json!({"client_name": "eve", "role": format!("{API}{ROLES}1/")})),
    ] {
        let refused = by(&kit, "ann", method, &path, body).await.expect(403);
        assert!(refused["error"].as_str().unwrap().contains("the account ann"), "{method} {path}: {refused}");
    }
    assert_eq!(kit.get(ACCOUNTS).await.expect(200)["meta"]["total_count"], 3);
    // What she has herself, she gives.
    by(&kit, "ann", "PATCH", &format!("{ACCOUNTS}3/"), json!({"password": "another horse battery"}))
        .await
        .expect(202);
    by(&kit, "ann", "POST", ROLES, json!({"name": "Tools", "permissions": [1, 9]})).await.expect(201);
}

#[tokio::test]
async fn certificate_of_a_node_is_chosen_by_who_may_change_certificates() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    let made = rcgen::generate_simple_self_signed(["node1.example.com".to_string()]).unwrap();
    let body = json!({"certificate": made.cert.pem(), "private_key": made.signing_key.serialize_pem()});
    kit.call("POST", "/configuration/v1/tls_certificate/", body).await.expect(201);
    let nodes = [Permission::UseApi, Permission::ViewPlatform, Permission::ChangePlatform];
    account(&kit, "ann", &nodes).await;
    account(&kit, "ben", &[&nodes[..], &[Permission::ChangeTrust]].concat()).await;
    let one = "/configuration/v1/worker_vm/1/";
    let choice = json!({"tls_certificate": format!("{API}/configuration/v1/tls_certificate/1/")});
    by(&kit, "ann", "PATCH", one, choice.clone()).await.expect(403);
    assert_eq!(kit.get(one).await.expect(200)["tls_certificate"], Value::Null);
    by(&kit, "ben", "PATCH", one, choice).await.expect(202);
    let whole = kit.get(one).await.expect(200);
    by(&kit, "ann", "PUT", one, whole).await.expect(204);
    by(&kit, "ann", "PATCH", one, json!({"tls_certificate": null})).await.expect(403);
}

#[tokio::test]
async fn every_change_is_noted_with_who_made_it_and_no_secret() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    kit.call("PATCH", "/configuration/v1/worker_vm/1/", json!({"description": "rack 3"})).await.expect(202);
    kit.call("PATCH", "/configuration/v1/worker_vm/1/", json!({"description": "rack 3"})).await.expect(202);
    kit.call("POST", "/configuration/v1/worker_vm/1/enrolment/", json!({})).await;
    kit.call("POST", "/configuration/v1/conference/", json!({"name": "Board", "aliases": ["a"]}))
        .await
        .expect(201);
    kit.call("PATCH", "/configuration/v1/conference/1/", json!({"aliases": ["a", "b"]})).await.expect(202);
    kit.call("POST", "/configuration/v1/worker_vm/", node(1)).await.expect(400);
    account(&kit, "ann", &[]).await;
    kit.call("DELETE", "/configuration/v1/worker_vm/1/", json!({})).await.expect(204);
    let audit = kit.get("/history/v1/audit/?limit=0").await.expect(200);
    let entries = audit["objects"].as_array().unwrap();
    let done: Vec<String> = entries
        .iter()
        .map(|entry| format!("{} {} {}", entry["action"], entry["resource"], entry["name"]))
        .collect();
    assert_eq!(
        done.join("\n").replace('"', ""),
        "created system_location Oslo\ncreated worker_vm node1\nchanged worker_vm node1\nenrolment worker_vm node1\n\
         created conference Board\nchanged conference Board\ncreated role Role of ann\ncreated account ann\n\
         deleted worker_vm node1"
    );
    assert_eq!(entries[2]["changes"], json!([{"field": "description", "from": "", "to": "rack 3"}]));
    assert_eq!(entries[5]["changes"], json!([{"field": "aliases", "from": ["a"], "to": ["a", "b"]}]));
    let made = entries[4]["changes"].as_array().unwrap();
    assert!(made.contains(&json!({"field": "aliases", "from": [], "to": ["a"]})), "{made:?}");
    assert_eq!((&entries[2]["account"], &entries[2]["source"]), (&json!("admin"), &json!("0.0.0.0")));
    assert!(!audit.to_string().contains("argon2"), "{audit}");
    let since = entries[8]["time"].as_str().unwrap();
    let found = kit.get(&format!("/history/v1/audit/?time__gte={since}&account=admin&order_by=-time")).await;
    assert_eq!(found.expect(200)["objects"][0]["action"], "deleted");
    kit.call("DELETE", "/history/v1/audit/", json!({})).await.expect(405);
}

#[tokio::test]
async fn request_that_is_no_change_of_an_object_is_noted_as_well() {
    let mut kit = Kit::new().await;
    let (_, old) = kit.credentials();
    let change = json!({"old_password": old, "new_password": "another horse battery"});
    kit.call("POST", "/command/v1/account/password/", change).await.expect(200);
    kit.authorization = basic("admin", "another horse battery");
    let audit = kit.get("/history/v1/audit/").await.expect(200);
    let entry = &audit["objects"][0];
    assert_includes(entry, &json!({"action": "password", "resource": "account", "account": "admin"}));
    assert!(!audit.to_string().contains("horse"), "{audit}");
}
