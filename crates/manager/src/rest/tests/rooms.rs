//! Tests of Virtual Meeting Rooms and their aliases.

use serde_json::{Value, json};
use wire::Room;

use super::kit::{Kit, assert_includes};

const ROOMS: &str = "/configuration/v1/conference/";
const ALIASES: &str = "/configuration/v1/conference_alias/";

fn room(name: &str, aliases: &[&str]) -> Room {
    Room { name: name.into(), aliases: aliases.iter().map(ToString::to_string).collect() }
}

#[tokio::test]
async fn room_reaches_the_nodes_with_its_aliases() {
    let kit = Kit::new().await;
    let before = kit.committer.rooms().revision;
    let body = json!({"name": "Alice", "aliases": [{"alias": "meet.alice"}, {"alias": "1234", "description": "phone"}]});
    kit.call("POST", ROOMS, body).await.expect(201);
    let configuration = kit.committer.rooms();
    assert_eq!(configuration.rooms, [room("Alice", &["meet.alice", "1234"])]);
    assert_ne!(configuration.revision, before);
    let shown = kit.get(&format!("{ROOMS}1/")).await.expect(200);
    assert_includes(
        &shown["aliases"][1],
        &json!({
            "id": 2, "alias": "1234", "description": "phone", "view_order": 0,
            "conference": "/api/admin/configuration/v1/conference/1/",
            "resource_uri": "/api/admin/configuration/v1/conference_alias/2/"
        }),
    );
    assert_eq!(shown["service_type"], "conference");
}

#[tokio::test]
async fn nested_aliases_replace_those_that_a_room_had() {
    let kit = Kit::new().await;
    kit.call("POST", ROOMS, json!({"name": "Alice", "aliases": [{"alias": "a"}, {"alias": "b"}]}))
        .await
        .expect(201);
    kit.call("PATCH", &format!("{ROOMS}1/"), json!({"description": "x"})).await.expect(202);
    assert_eq!(kit.committer.rooms().rooms, [room("Alice", &["a", "b"])]);
    kit.call("PUT", &format!("{ROOMS}1/"), json!({"aliases": [{"alias": "B"}, {"alias": "c"}]}))
        .await
        .expect(204);
    assert_eq!(kit.committer.rooms().rooms, [room("Alice", &["B", "c"])]);
    let ids: Vec<Value> = kit.get(ALIASES).await.expect(200)["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["id"].clone())
        .collect();
    assert_eq!(ids, [2, 3]);
}

#[tokio::test]
async fn alias_is_unique_whatever_its_case() {
    let kit = Kit::new().await;
    kit.call("POST", ROOMS, json!({"name": "Alice", "aliases": [{"alias": "meet.alice"}]})).await.expect(201);
    kit.call("POST", ROOMS, json!({"name": "Bob", "aliases": [{"alias": "møte"}]})).await.expect(201);
    let revision = kit.committer.rooms().revision;
    for alias in ["Meet.Alice", "MØTE"] {
        let body = json!({"alias": alias, "conference": "/api/admin/configuration/v1/conference/1/"});
        let refused = kit.call("POST", ALIASES, body).await;
        let refused =
            if refused.status == 201 { panic!("{alias} was taken twice") } else { refused.expect(400) };
        assert_eq!(refused["conference_alias"], json!({"alias": ["This alias is in use already."]}));
        let nested = kit
            .call("POST", ROOMS, json!({"name": "Carol", "aliases": [{"alias": alias}]}))
            .await
            .expect(400);
        assert_eq!(
            nested["conference"]["aliases"],
            json!([format!("{alias}: This alias is in use already.")])
        );
    }
    kit.call("POST", ROOMS, json!({"name": "Dan", "aliases": ["x", "X"]})).await.expect(400);
    kit.call("POST", ROOMS, json!({"name": "ALICE"})).await.expect(400);
    kit.call("POST", ROOMS, json!({"name": "Eve", "service_type": "lecture"})).await.expect(400);
    assert_eq!(kit.committer.rooms().revision, revision, "a refused write changed the configuration");
    assert_eq!(kit.committer.rooms().rooms.len(), 2);
}

#[tokio::test]
async fn alias_is_made_moved_and_removed() {
    let kit = Kit::new().await;
    kit.call("POST", ROOMS, json!({"name": "Alice"})).await.expect(201);
    kit.call("POST", ROOMS, json!({"name": "Bob"})).await.expect(201);
    let to = |id: u32| json!({"alias": "meet", "conference": format!("/api/admin/configuration/v1/conference/{id}/")});
    kit.call("POST", ALIASES, to(9)).await.expect(400);
    kit.call("POST", ALIASES, to(1)).await.expect(201);
    kit.call("PATCH", &format!("{ALIASES}1/"), to(2)).await.expect(202);
    assert_eq!(kit.committer.rooms().rooms, [room("Alice", &[]), room("Bob", &["meet"])]);
    let many: Vec<String> = (0..250).map(|n| format!("alias {n}")).collect();
    kit.call("PATCH", &format!("{ROOMS}1/"), json!({"aliases": many})).await.expect(202);
    let one_more = json!({"alias": "more", "conference": "/api/admin/configuration/v1/conference/1/"});
    kit.call("POST", ALIASES, one_more).await.expect(400);
    kit.call("PATCH", &format!("{ROOMS}1/"), json!({"aliases": []})).await.expect(202);
    assert_eq!(kit.get(&format!("{ALIASES}?conference=2")).await.expect(200)["meta"]["total_count"], 1);
    kit.call("DELETE", &format!("{ALIASES}1/"), json!({})).await.expect(204);
    kit.get(&format!("{ALIASES}1/")).await.expect(404);
    kit.call("DELETE", &format!("{ROOMS}2/"), json!({})).await.expect(204);
    assert_eq!(kit.committer.rooms().rooms, [room("Alice", &[])]);
    kit.call("DELETE", &format!("{ROOMS}2/"), json!({})).await.expect(404);
}

#[tokio::test]
async fn configuration_that_fits_no_message_is_refused() {
    let kit = Kit::new().await;
    let aliases = |from: usize| -> Vec<Value> {
        (from..from + 250).map(|n| json!({"alias": format!("{n:0>245}")})).collect()
    };
    let mut refused = None;
    for n in 0..100 {
        let body = json!({"name": format!("room {n}"), "aliases": aliases(n * 250)});
        let answer = kit.call("POST", ROOMS, body).await;
        if answer.status == 409 {
            refused = Some((n, answer.json()));
            break;
        }
        assert_eq!(answer.status, 201);
    }
    let (rooms, refusal) = refused.expect("the configuration grew without a limit");
    assert_eq!(refusal["kind"], "conflict");
    assert_eq!(kit.committer.rooms().rooms.len(), rooms);
    let sent = serde_json::to_vec(&*kit.committer.rooms()).unwrap();
    assert!(sent.len() < wire::SYNC_BYTES, "{}", sent.len());
}
