//! Tests of what the engine does for every resource, shown with a few of them.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use super::kit::{Kit, node};

const NODES: &str = "/configuration/v1/worker_vm/";
const LOCATIONS: &str = "/configuration/v1/system_location/";
const ROOMS: &str = "/configuration/v1/conference/";

async fn locations(kit: &Kit, names: &[&str]) {
    for name in names {
        kit.call("POST", LOCATIONS, json!({"name": name})).await.expect(201);
    }
}

async fn names(kit: &Kit, query: &str) -> Vec<Value> {
    let list = kit.get(&format!("{LOCATIONS}{query}")).await.expect(200);
    list["objects"].as_array().unwrap().iter().map(|object| object["name"].clone()).collect()
}

#[tokio::test]
async fn path_may_begin_with_two_slashes_and_needs_none_at_its_end() {
    let kit = Kit::new().await;
    for path in [
        "//api/admin/configuration/v1/system_location/",
        "/api/admin/configuration/v1/system_location?limit=1",
    ] {
        let request = Request::builder().uri(path).header(header::AUTHORIZATION, &kit.authorization);
        kit.send(request.body(Body::empty()).unwrap()).await.expect(200);
    }
}

#[tokio::test]
async fn unknown_method_is_answered_with_those_that_there_are() {
    let kit = Kit::new().await;
    let check = async |method: &str, path: &str, allowed: &str| {
        let answer = kit.call(method, path, json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.headers[header::ALLOW].to_str().unwrap()), (405, allowed));
    };
    check("DELETE", NODES, "GET, POST, PATCH").await;
    check("POST", &format!("{NODES}1/"), "GET, PUT, PATCH, DELETE").await;
    check("GET", &format!("{NODES}1/enrolment/"), "POST").await;
    check("POST", &format!("{NODES}schema/"), "GET").await;
    check("POST", "/configuration/v1/", "GET").await;
    check("OPTIONS", NODES, "GET, POST, PATCH").await;
}

#[tokio::test]
async fn body_without_a_type_is_read_as_json() {
    let kit = Kit::new().await;
    let request = kit.request("POST", LOCATIONS).body(Body::from(r#"{"name": "Oslo"}"#)).unwrap();
    kit.send(request).await.expect(201);
}

/// What a value in a request means, for a field that may be null, one that may not, a choice, and a number.
#[tokio::test]
async fn null_clears_what_may_be_null_and_keeps_the_rest() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    let one = format!("{NODES}1/");
    let check = async |field: &str, given: Value, expected: Value| {
        kit.call("PATCH", &one, json!({field: given})).await.expect(202);
        assert_eq!(kit.get(&one).await.expect(200)[field], expected, "{field}: {given}");
    };
    check("ipv6_address", json!("2001:DB8::1"), json!("2001:db8::1")).await;
    check("ipv6_address", json!(null), json!(null)).await;
    check("ipv6_address", json!(""), json!(null)).await;
    check("description", json!("here"), json!("here")).await;
    check("description", json!(null), json!("here")).await;
    check("description", json!(""), json!("")).await;
    check("snmp_mode", json!("STANDARD"), json!("STANDARD")).await;
    check("snmp_mode", json!(""), json!("STANDARD")).await;
    check("vm_cpu_count", json!("8"), json!(8)).await;
    check("vm_cpu_count", json!("16.0"), json!(16)).await;
    check("vm_cpu_count", json!(null), json!(16)).await;
    check("managed", json!("True"), json!(true)).await;
    check("transcoding", json!(false), json!(true)).await;
    check("password", json!("secret"), json!("")).await;
    for (field, wrong) in
        [("vm_cpu_count", json!(true)), ("vm_cpu_count", json!(8.5)), ("vm_cpu_count", json!(1))]
    {
        kit.call("PATCH", &one, json!({field: wrong})).await.expect(400);
    }
}

#[tokio::test]
async fn relation_is_filtered_across_and_the_far_end_stays_while_it_is_named() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    locations(&kit, &["Bergen", "Tromsø"]).await;
    kit.call("PATCH", &format!("{LOCATIONS}2/"), json!({"overflow_location1": "3"})).await.expect(202);
    assert_eq!(names(&kit, "?overflow_location1__name=Troms%C3%B8").await, ["Bergen"]);
    let found = kit.get(&format!("{NODES}?system_location__name__istartswith=os")).await.expect(200);
    assert_eq!(found["meta"]["total_count"], 1);
    let used = kit.call("DELETE", &format!("{LOCATIONS}3/"), json!({})).await.expect(409);
    assert!(used["error"].as_str().unwrap().contains("overflow_location1 of 1 system locations"), "{used}");
    let wrong = json!({"overflow_location1": "/api/admin/configuration/v1/system_location/9/"});
    let refused = kit.call("PATCH", &format!("{LOCATIONS}2/"), wrong).await.expect(400);
    assert_eq!(
        refused["system_location"]["overflow_location1"],
        json!(["There is no such system location."])
    );
    kit.call("PATCH", &format!("{LOCATIONS}2/"), json!({"overflow_location1": null})).await.expect(202);
    kit.call("DELETE", &format!("{LOCATIONS}3/"), json!({})).await.expect(204);
}

#[tokio::test]
async fn many_objects_are_changed_in_one_request_or_none() {
    let kit = Kit::new().await;
    locations(&kit, &["Oslo", "Bergen"]).await;
    let refused = json!({"objects": [{"id": 1, "name": "Tromsø"}, {"name": "bergen"}]});
    let refused = kit.call("PATCH", LOCATIONS, refused).await.expect(400);
    assert_eq!((&refused["object"], refused["system_location"]["name"].is_array()), (&json!(1), true));
    assert_eq!(names(&kit, "").await, ["Oslo", "Bergen"]);
    let all = json!({
        "objects": [{"resource_uri": "/api/admin/configuration/v1/system_location/1/", "name": "Bergen"}, {"name": "Bodø"}],
        "deleted_objects": ["/api/admin/configuration/v1/system_location/2/"]
    });
    kit.call("PATCH", LOCATIONS, all).await.expect(202);
    assert_eq!(names(&kit, "").await, ["Bergen", "Bodø"]);
    let twice = json!({"objects": [{"id": 1, "name": "A"}, {"id": 1, "name": "B"}]});
    kit.call("PATCH", LOCATIONS, twice).await.expect(400);
    kit.call("PATCH", LOCATIONS, json!({"objects": [{"id": 9, "name": "A"}]})).await.expect(404);
    kit.call("PATCH", LOCATIONS, json!({"objects": vec![json!({}); 1_001]})).await.expect(400);
}

#[tokio::test]
async fn list_is_replaced_and_its_objects_are_deleted_by_a_filter() {
    let kit = Kit::new().await;
    locations(&kit, &["Oslo", "Bergen", "Bodø", "Narvik"]).await;
    let wanted = json!({"objects": [{"id": 2, "description": "kept"}, {"id": 3}, {"name": "Ålesund"}]});
    kit.call("PUT", LOCATIONS, wanted).await.expect(204);
    assert_eq!(names(&kit, "").await, ["Bergen", "Bodø", "Ålesund"]);
    kit.call("DELETE", &format!("{LOCATIONS}?name__startswith=B"), json!({})).await.expect(204);
    assert_eq!(names(&kit, "").await, ["Ålesund"]);
    kit.call("DELETE", &format!("{LOCATIONS}?colour=red"), json!({})).await.expect(400);
    kit.call("DELETE", LOCATIONS, json!({})).await.expect(204);
    assert!(names(&kit, "").await.is_empty());
}

#[tokio::test]
async fn nodes_that_are_made_together_reach_the_fleet() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    let all = json!({"objects": [node(2), node(3)], "deleted_objects": ["/api/admin/configuration/v1/worker_vm/1/"]});
    kit.call("PATCH", NODES, all).await.expect(202);
    let ids = kit.committer.read(|fleet, _| fleet.nodes().ids().iter().map(|id| id.0).collect::<Vec<_>>());
    assert_eq!(ids, [2, 3]);
}

#[tokio::test]
async fn what_would_protect_a_room_and_does_not_is_refused() {
    let kit = Kit::new().await;
    for (field, value) in [
        ("pin", json!("1234")),
        ("guest_pin", json!("1")),
        ("allow_guests", json!(true)),
        ("participant_limit", json!(5)),
    ] {
        let refused = kit.call("POST", ROOMS, json!({"name": "Board", field: value})).await.expect(400);
        assert!(refused["conference"][field].is_array(), "{refused}");
    }
    let harmless = json!({"name": "Board", "pin": "", "guest_pin": null, "allow_guests": false, "participant_limit": null});
    kit.call("POST", ROOMS, harmless).await.expect(201);
}

#[tokio::test]
async fn aliases_that_change_places_keep_their_ids() {
    let kit = Kit::new().await;
    kit.call("POST", ROOMS, json!({"name": "Alice", "aliases": ["a", "b"]})).await.expect(201);
    let one = format!("{ROOMS}1/");
    let swapped = json!({"aliases": [{"id": 1, "alias": "b"}, {"id": 2, "alias": "a"}, "c"]});
    kit.call("PATCH", &one, swapped).await.expect(202);
    let aliases = async || -> Vec<(u64, String)> {
        let shown = kit.get(&one).await.expect(200);
        let entry =
            |alias: &Value| (alias["id"].as_u64().unwrap(), alias["alias"].as_str().unwrap().to_string());
        shown["aliases"].as_array().unwrap().iter().map(entry).collect()
    };
    assert_eq!(aliases().await, [(1, "b".into()), (2, "a".into()), (3, "c".into())]);
    // An entry may be the object as it was read, or its URI.
    let renamed =
        json!({"aliases": [{"id": 1, "alias": "d"}, "/api/admin/configuration/v1/conference_alias/3/"]});
    kit.call("PATCH", &one, renamed).await.expect(202);
    assert_eq!(aliases().await, [(1, "d".into()), (3, "c".into())]);
    kit.call("PATCH", &one, json!({"aliases": null})).await.expect(202);
    assert_eq!(aliases().await.len(), 2);
}

#[tokio::test]
async fn alias_is_a_text_even_if_it_is_a_number_and_an_id_is_the_one_that_is_named() {
    let kit = Kit::new().await;
    kit.call("POST", ROOMS, json!({"name": "Alice", "aliases": ["100", "200"]})).await.expect(201);
    let one = format!("{ROOMS}1/");
    let aliases = async || -> Vec<(u64, String)> {
        let shown = kit.get(&one).await.expect(200);
        let entry =
            |alias: &Value| (alias["id"].as_u64().unwrap(), alias["alias"].as_str().unwrap().to_string());
        shown["aliases"].as_array().unwrap().iter().map(entry).collect()
    };
    let moved = json!({"aliases": [{"id": 1, "alias": "300"}, {"id": 2, "alias": "100"}]});
    kit.call("PATCH", &one, moved).await.expect(202);
    assert_eq!(aliases().await, [(1, "300".into()), (2, "100".into())]);
    kit.call("PATCH", &one, json!({"aliases": ["100", "1", "2"]})).await.expect(202);
    assert_eq!(aliases().await, [(2, "100".into()), (3, "1".into()), (4, "2".into())]);
    for wrong in [
        json!([{"id": 2, "alias": "x"}, {"id": 2, "alias": "y"}]),
        json!([{"id": 99, "alias": "x"}]),
        json!(["/api/admin/configuration/v1/conference_alias/99/"]),
        json!(["x", "X"]),
    ] {
        kit.call("PATCH", &one, json!({"aliases": wrong})).await.expect(400);
    }
    assert_eq!(aliases().await.len(), 3);
}

#[tokio::test]
async fn request_for_a_list_without_objects_is_refused() {
    let kit = Kit::new().await;
    locations(&kit, &["Oslo", "Bergen"]).await;
    for body in [json!({}), json!({"object": []}), json!({"name": "x"}), json!({"objects": null})] {
        kit.call("PUT", LOCATIONS, body.clone()).await.expect(400);
        kit.call("PATCH", LOCATIONS, body).await.expect(400);
    }
    assert_eq!(names(&kit, "").await.len(), 2);
    kit.call("DELETE", &format!("{LOCATIONS}?limit=1"), json!({})).await.expect(204);
    assert_eq!(names(&kit, "").await, ["Bergen"]);
}

#[tokio::test]
async fn objects_are_no_texts_in_a_filter() {
    let kit = Kit::new().await;
    kit.call("POST", ROOMS, json!({"name": "Alice", "aliases": ["a"]})).await.expect(201);
    for operator in ["contains", "icontains", "startswith", "endswith", "regex", "iregex", "lt", "range"] {
        let filter = format!("{ROOMS}?aliases__{operator}=zzz");
        kit.get(&filter).await.expect(400);
        kit.call("DELETE", &filter, json!({})).await.expect(400);
    }
    let many = vec!["name__in=a,b,c,d,e,f,g,h,i,j"; 90].join("&") + "&name__in=" + &vec!["x"; 500].join(",");
    kit.get(&format!("{ROOMS}?{many}")).await.expect(200);
    let many = vec![format!("name__in={}", vec!["x"; 500].join(",")); 5].join("&");
    kit.get(&format!("{ROOMS}?{many}")).await.expect(400);
    let crossing = ["aliases__alias__contains=a"; 9].join("&");
    kit.get(&format!("{ROOMS}?{crossing}")).await.expect(400);
    assert_eq!(kit.get(ROOMS).await.expect(200)["meta"]["total_count"], 1);
}

#[tokio::test]
async fn objects_that_name_each_other_leave_together() {
    let kit = Kit::new().await;
    locations(&kit, &["Oslo", "Bergen"]).await;
    kit.call("PATCH", &format!("{LOCATIONS}1/"), json!({"overflow_location1": 2})).await.expect(202);
    kit.call("PATCH", &format!("{LOCATIONS}2/"), json!({"overflow_location1": 1})).await.expect(202);
    kit.call("DELETE", &format!("{LOCATIONS}1/"), json!({})).await.expect(409);
    kit.call("DELETE", LOCATIONS, json!({})).await.expect(204);
    locations(&kit, &["Bodø"]).await;
    kit.call("PATCH", &format!("{LOCATIONS}3/"), json!({"overflow_location1": 3})).await.expect(202);
    kit.call("DELETE", &format!("{LOCATIONS}3/"), json!({})).await.expect(204);
}

#[tokio::test]
async fn nodes_are_sent_rooms_only_when_something_of_theirs_has_changed() {
    let kit = Kit::new().await;
    kit.call("POST", ROOMS, json!({"name": "Alice", "aliases": ["a"]})).await.expect(201);
    let revision = || kit.committer.rooms().revision;
    let before = revision();
    let one = format!("{ROOMS}1/");
    kit.call("PATCH", &one, json!({"tag": "x", "description": "y"})).await.expect(202);
    let whole = kit.get(&one).await.expect(200);
    kit.call("PUT", &one, whole).await.expect(204);
    assert_eq!(revision(), before);
    kit.call("PATCH", &one, json!({"name": "Bob"})).await.expect(202);
    assert_ne!(revision(), before);
}

#[tokio::test]
async fn number_may_be_written_with_a_fraction_of_nothing_and_empty_clears_it() {
    let kit = Kit::new().await;
    kit.call("POST", ROOMS, json!({"name": "Alice", "max_callrate_in": 512.0})).await.expect(201);
    let one = format!("{ROOMS}1/");
    assert_eq!(kit.get(&one).await.expect(200)["max_callrate_in"], 512);
    kit.call("PATCH", &one, json!({"max_callrate_in": "", "system_location": ""})).await.expect(202);
    assert_eq!(kit.get(&one).await.expect(200)["max_callrate_in"], Value::Null);
    for wrong in [json!("5.0.0"), json!(512.5), json!(1e300)] {
        kit.call("PATCH", &one, json!({"max_callrate_in": wrong})).await.expect(400);
    }
    kit.call("PATCH", &one, json!({"creation_time": "1960-01-01T00:00:00"})).await.expect(400);
}
