//! Every declared resource as a tool that knows none of them sees it: from the directory to the schema, from there to
//! an object that is made, changed and removed.

use serde_json::{Map, Value, json};

use super::kit::{API, Kit};
use crate::resources::{
    ALL, Affects, Area, Field, Initial, Kind, Place, Related, Resource, Served, Shape, Verb, configured,
};

/// Whether a tool makes objects of a resource.
fn is_made(of: &Resource) -> bool {
    of.served == Served::Table && of.list.contains(&Verb::Post)
}

/// Whether a resource has one object, which is there from the start.
fn is_singleton(of: &Resource) -> bool {
    of.served == Served::Table && !of.list.contains(&Verb::Post) && of.detail.contains(&Verb::Patch)
}

/// A path below the API of a URI.
fn below(uri: &str) -> &str {
    uri.strip_prefix(API).unwrap()
}

/// A value of a required field. `n` makes it another one than that of other objects.
async fn value(kit: &Kit, field: &Field, n: usize) -> Value {
    match field.kind {
        Kind::Text(Shape::Lines(_)) => pem(field.name),
        Kind::Text(shape) => text(shape, n).into(),
        Kind::Choice(choices) => choices[0].into(),
        Kind::Whole(from, _) => from.into(),
        Kind::Boolean => true.into(),
        Kind::Password => "a password of some length".into(),
        Kind::Moment => "2026-11-23T18:05:27".into(),
        Kind::Related(Related::One(relation)) => Box::pin(make(kit, configured(relation.of), n)).await.into(),
        Kind::Related(_) => json!([]),
        Kind::Fraction | Kind::Version | Kind::File | Kind::Record | Kind::List | Kind::Texts => Value::Null,
    }
}

/// A certificate that may be that of a server and of an authority, or its key.
fn pem(name: &str) -> Value {
    static PAIR: std::sync::OnceLock<(String, String)> = std::sync::OnceLock::new();
    let make = || {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["manager.example".to_string()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let (certificate, key) = PAIR.get_or_init(make);
    if name == "private_key" { key.as_str().into() } else { certificate.as_str().into() }
}

fn text(shape: Shape, n: usize) -> String {
    match shape {
        Shape::Text(_) | Shape::Name(_) | Shape::FileName(_) => format!("name {n}"),
        Shape::Lines(_) => format!("line {n}\nline 2"),
        Shape::Hostname => format!("host{n}"),
        Shape::Domain => "example.com".into(),
        Shape::Address => format!("10.0.0.{n}"),
        Shape::Ipv6Address => format!("2001:db8::{n}"),
        Shape::Netmask => "255.255.255.0".into(),
        Shape::Version => format!("34.{n}"),
    }
}

/// Makes an object from its required fields, and the objects that these name; returns its URI.
async fn make(kit: &Kit, of: &'static Resource, n: usize) -> String {
    let mut body = Map::new();
    for field in of.fields.iter().filter(|field| field.initial == Initial::Required) {
        body.insert(field.name.into(), value(kit, field, n).await);
    }
    if of.field("private_key_type").is_some() {
        body.insert("private_key_type".into(), "ECDSAP256".into());
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
            let of = crate::resources::find(area, name).unwrap();
            if of.list.contains(&Verb::Get) {
                kit.get(below(list)).await.expect(200);
            }
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
    for (n, of) in ALL.iter().enumerate().filter(|(_, of)| is_made(of)) {
        let uri = make(&kit, of, n + 1).await;
        let one = below(&uri).to_string();
        let shown = kit.get(&one).await.expect(200);
        let schema = kit.get(&format!("{}schema/", below(&of.path()))).await.expect(200);
        assert_eq!(names(&shown), names(&schema["fields"]), "{}", of.name);
        assert_eq!(shown["resource_uri"], uri);
        let (verb, status) = if of.detail.contains(&Verb::Put) { ("PUT", 204) } else { ("PATCH", 202) };
        kit.call(verb, &one, shown.clone()).await.expect(status);
        assert_eq!(kit.get(&one).await.expect(200), shown, "{}", of.name);
        refuses_wrong_types(&kit, of, &one).await;
        kit.call("DELETE", &one, json!({})).await.expect(204);
        kit.get(&one).await.expect(404);
    }
}

#[tokio::test]
async fn only_object_of_a_resource_is_there_from_the_start_and_stays() {
    let kit = Kit::new().await;
    for of in ALL.iter().filter(|of| is_singleton(of)) {
        let (list, one) = (below(&of.path()).to_string(), below(&of.uri(1)).to_string());
        assert_eq!(kit.get(&list).await.expect(200)["meta"]["total_count"], 1, "{}", of.name);
        let shown = kit.get(&one).await.expect(200);
        let schema = kit.get(&format!("{list}schema/")).await.expect(200);
        assert_eq!(names(&shown), names(&schema["fields"]), "{}", of.name);
        kit.call("PUT", &one, shown.clone()).await.expect(204);
        assert_eq!(kit.get(&one).await.expect(200), shown, "{}", of.name);
        refuses_wrong_types(&kit, of, &one).await;
        for (method, path) in [("POST", &list), ("PATCH", &list), ("DELETE", &list), ("DELETE", &one)] {
            kit.call(method, path, json!({})).await.expect(405);
        }
        kit.get(&format!("{list}2/")).await.expect(404);
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

/// The objects that are made elsewhere have the fields of their declaration, and no others.
#[tokio::test]
async fn object_that_is_shown_has_the_fields_of_its_schema() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    kit.upload_package().await;
    let shown = ALL.iter().filter(|of| of.served != Served::Table && of.list.contains(&Verb::Get));
    for of in shown {
        let list = kit.get(below(&of.path())).await.expect(200);
        let Some(object) = list["objects"].as_array().unwrap().first() else { continue };
        let schema = kit.get(&format!("{}schema/", below(&of.path()))).await.expect(200);
        assert_eq!(names(object), names(&schema["fields"]), "{}", of.name);
        kit.get(below(object["resource_uri"].as_str().unwrap())).await.expect(200);
    }
}

#[tokio::test]
async fn description_for_programs_and_page_for_people_name_every_resource() {
    let kit = Kit::new().await;
    let document = kit.get("/openapi.json").await.expect(200);
    for of in ALL {
        let operations = document["paths"][of.path()].as_object().unwrap();
        assert_eq!(operations.len(), of.list.len(), "{}", of.name);
    }
    let text = document.to_string();
    let mut references =
        text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap());
    assert!(references.all(|name| document["components"]["schemas"][name].is_object()));
    let request = axum::http::Request::builder().uri("/admin/platform/schema/");
    let request =
        request.header("authorization", &kit.authorization).body(axum::body::Body::empty()).unwrap();
    let page = kit.send(request).await;
    assert!(page.status == 200 && ALL.iter().all(|of| page.text.contains(of.help)), "{}", page.text);
}

fn names(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn what_is_kept_is_given_back() {
    let kit = Kit::new().await;
    // What was asked of an authority stays as it was.
    let changes = |of: &Resource| is_made(of) && of.name != "certificate_signing_request";
    for (n, of) in ALL.iter().enumerate().filter(|(_, of)| changes(of)) {
        let one = below(&make(&kit, of, n + 1).await).to_string();
        for field in of.fields.iter().filter(|field| field.place == Place::Body) {
            let given: Value = match field.kind {
                Kind::Whole(_, most) => most.into(),
                Kind::Choice(choices) => choices[choices.len() - 1].into(),
                Kind::Boolean => (!kit.get(&one).await.expect(200)[field.name].as_bool().unwrap()).into(),
                // Certificates are not any text.
                Kind::Text(Shape::Lines(_)) if field.initial == Initial::Required => continue,
                Kind::Text(shape) => text(shape, 200 + n).into(),
                Kind::Password
                | Kind::Fraction
                | Kind::Version
                | Kind::File
                | Kind::Record
                | Kind::List
                | Kind::Texts
                | Kind::Moment
                | Kind::Related(_) => continue,
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
