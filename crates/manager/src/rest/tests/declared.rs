//! Every declared resource as a tool that knows none of them sees it: from the directory to the schema, from there to
//! an object that is made, changed and removed.

use serde_json::{Map, Value, json};

use super::kit::{API, Kit};
use crate::resources::{ALL, Affects, Area, Field, Initial, Kind, Place, Resource, Shape, Verb, configured};

/// A path below the API of a URI.
fn below(uri: &str) -> &str {
    uri.strip_prefix(API).unwrap()
}

/// A value of a required field. `n` makes it another one than that of other objects.
async fn value(kit: &Kit, field: &Field, n: usize) -> Value {
    match field.kind {
        Kind::Text(shape) => text(shape, n).into(),
        Kind::Choice(choices) => choices[0].into(),
        Kind::Whole(from, _) => from.into(),
        Kind::Boolean => true.into(),
        Kind::Password => "a password of some length".into(),
        Kind::Moment => "2026-11-23T18:05:27".into(),
        Kind::ToOne(relation) => Box::pin(make(kit, configured(relation.of), n)).await.into(),
        Kind::ToMany(_) | Kind::Children(_) | Kind::List => json!([]),
    }
}

fn text(shape: Shape, n: usize) -> String {
    match shape {
        Shape::Text(_) | Shape::Name(_) | Shape::FileName(_) => format!("name {n}"),
        Shape::Hostname => format!("host{n}"),
        Shape::Domain => "example.com".into(),
        Shape::Address => format!("10.0.0.{n}"),
        Shape::Netmask => "255.255.255.0".into(),
    }
}

/// Makes an object from its required fields, and the objects that these name; returns its URI.
async fn make(kit: &Kit, of: &'static Resource, n: usize) -> String {
    let mut body = Map::new();
    for field in of.fields.iter().filter(|field| field.initial == Initial::Required) {
        body.insert(field.name.into(), value(kit, field, n).await);
    }
    let made = kit.call("POST", below(&of.path()), Value::Object(body)).await;
    assert_eq!(made.status, 201, "{}: {}", of.name, made.text);
    made.headers["location"].to_str().unwrap().into()
}

#[tokio::test]
async fn every_resource_of_a_directory_has_a_schema_and_a_list() {
    let kit = Kit::new().await;
    for area in Area::ALL {
        let directory = kit.get(below(area.path())).await.expect(200);
        for (name, entry) in directory.as_object().unwrap() {
            let [list, schema] = ["list_endpoint", "schema"].map(|key| entry[key].as_str().unwrap());
            kit.get(below(list)).await.expect(200);
            let schema = kit.get(&format!("{}?format=json", below(schema))).await.expect(200);
            for (field, described) in schema["fields"].as_object().unwrap() {
                for key in ["blank", "default", "help_text", "nullable", "readonly", "type", "unique"] {
                    assert!(described.get(key).is_some(), "{name}.{field}.{key}");
                }
            }
        }
        let declared = ALL.iter().filter(|of| of.area == area).count();
        assert_eq!(directory.as_object().unwrap().len(), declared);
    }
}

#[tokio::test]
async fn object_of_every_resource_is_made_read_sent_back_and_removed() {
    let kit = Kit::new().await;
    for (n, of) in ALL.iter().enumerate().filter(|(_, of)| of.list.contains(&Verb::Post)) {
        let uri = make(&kit, of, n + 1).await;
        let one = below(&uri).to_string();
        let shown = kit.get(&one).await.expect(200);
        let schema = kit.get(&format!("{}schema/", below(&of.path()))).await.expect(200);
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&shown), names(&schema["fields"]), "{}", of.name);
        assert_eq!(shown["resource_uri"], uri);
        kit.call("PUT", &one, shown.clone()).await.expect(204);
        assert_eq!(kit.get(&one).await.expect(200), shown, "{}", of.name);
        refuses_wrong_types(&kit, of, &one).await;
        kit.call("DELETE", &one, json!({})).await.expect(204);
        kit.get(&one).await.expect(404);
    }
}

/// Every field that can be written refuses a value that is none of its type, names itself, and changes nothing.
async fn refuses_wrong_types(kit: &Kit, of: &Resource, one: &str) {
    let before = kit.get(one).await.expect(200);
    let written = of.fields.iter().filter(|field| field.access != crate::resources::Access::ReadOnly);
    for field in written {
        let refused = kit.call("PATCH", one, json!({field.name: {"a": [1.5]}})).await.expect(400);
        let named: Vec<&String> = refused[of.name].as_object().unwrap().keys().collect();
        assert_eq!(named, [field.name], "{}", of.name);
    }
    assert_eq!(kit.get(one).await.expect(200), before);
}

#[tokio::test]
async fn what_is_kept_is_given_back() {
    let kit = Kit::new().await;
    for (n, of) in ALL.iter().enumerate().filter(|(_, of)| of.list.contains(&Verb::Post)) {
        let one = below(&make(&kit, of, n + 1).await).to_string();
        for field in of.fields.iter().filter(|field| field.place == Place::Body) {
            let given: Value = match field.kind {
                Kind::Whole(_, most) => most.into(),
                Kind::Choice(choices) => choices[choices.len() - 1].into(),
                Kind::Boolean => (!kit.get(&one).await.expect(200)[field.name].as_bool().unwrap()).into(),
                Kind::Text(shape) => text(shape, 200 + n).into(),
                Kind::Password
                | Kind::List
                | Kind::Moment
                | Kind::ToOne(_)
                | Kind::ToMany(_)
                | Kind::Children(_) => continue,
            };
            if field.access == crate::resources::Access::Written {
                kit.call("PATCH", &one, json!({field.name: given})).await.expect(202);
                assert_eq!(kit.get(&one).await.expect(200)[field.name], given, "{}.{}", of.name, field.name);
            }
        }
        if of.affects == Affects::Store {
            kit.call("DELETE", &one, json!({})).await.expect(204);
        }
    }
}
