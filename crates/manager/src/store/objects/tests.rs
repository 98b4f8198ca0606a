//! Tests of the statements: they fit the tables, use the indexes, and find what lists filtered in memory find.

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::resources::draft::draft;
use crate::resources::filter::{Filter, Named, OPERATORS, order};
use crate::resources::shown::{Nested, shown};
use crate::resources::{ALL, Served, configured, query};

fn store() -> (TempDir, Connection) {
    let dir = TempDir::new().unwrap();
    let connection = crate::store::open(&dir.path().join("store-a.db"), &mut || {}).unwrap();
    (dir, connection)
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(key, value)| ((*key).to_string(), (*value).to_string())).collect()
}

fn add(connection: &Connection, of: &'static Resource, body: &Value) -> i64 {
    let (object, errors) = draft(of, body.as_object().unwrap(), None, 1_000);
    assert!(errors.is_empty(), "{errors:?}");
    insert(connection, &object).unwrap()
}

#[test]
fn every_statement_of_every_resource_fits_its_table() {
    let (_dir, connection) = store();
    let core = CoreFacts::default();
    for of in ALL.iter().filter(|of| of.served == Served::Table) {
        select(&connection, of, &query::read(*of, &[]).unwrap(), &core).unwrap();
        assert!(find(&connection, of, 999, &core).unwrap().is_none());
        for field in of.fields.iter().filter(|field| field.filtered) {
            let order = pairs(&[("order_by", field.name), (&format!("{}__isnull", field.name), "true")]);
            select(&connection, of, &query::read(*of, &order).unwrap(), &core).unwrap();
        }
        for field in of.fields.iter().filter(|field| field.unique.is_some()) {
            for value in ["a", "ä"] {
                assert_eq!(holder(&connection, of, field, value).unwrap(), None);
            }
        }
        for (other, field) in ALL
            .iter()
            .flat_map(|other: &&'static Resource| other.fields.iter().map(move |field| (other, field)))
        {
            if field.related() == Some(of.name) && !matches!(field.kind, Kind::Related(Related::Children(_)))
            {
                assert_eq!(referring(&connection, other, field, (999, &BTreeSet::new())).unwrap(), 0);
            }
        }
    }
}

#[test]
fn new_node_is_compared_with_the_others_through_an_index() {
    let (_dir, connection) = store();
    let of = configured("worker_vm");
    for field in of.fields.iter().filter(|field| field.unique.is_some()) {
        let case = field.unique.unwrap().case;
        let sql =
            format!("EXPLAIN QUERY PLAN SELECT id FROM {} WHERE {}", of.name, equality(field, case, "a"));
        let plan: String = connection.query_row(&sql, ["a"], |row| row.get(3)).unwrap();
        assert!(plan.starts_with("SEARCH"), "{}: {plan}", field.name);
    }
}

#[test]
fn relation_is_crossed_and_children_are_found() {
    let (_dir, connection) = store();
    let (rooms, aliases) = (configured("conference"), configured("conference_alias"));
    for n in 1..=3 {
        let room = add(&connection, rooms, &json!({"name": format!("Room {n}")}));
        for alias in ["a", "b"] {
            add(&connection, aliases, &json!({"alias": format!("{alias}{n}"), "conference": room}));
        }
    }
    let found = |of: &'static Resource, key: &str, value: &str| -> Vec<i64> {
        let asked = query::read(of, &pairs(&[(key, value)])).unwrap();
        let (_, objects) = select(&connection, of, &asked, &CoreFacts::default()).unwrap();
        objects.iter().map(|object| object.id).collect()
    };
    assert_eq!(found(rooms, "aliases__alias", "b2"), [2]);
    assert_eq!(found(rooms, "aliases__alias__startswith", "a"), [1, 2, 3]);
    assert_eq!(found(rooms, "aliases", "5"), [3]);
    assert_eq!(found(aliases, "conference__name__iexact", "room 3"), [5, 6]);
    assert_eq!(found(aliases, "conference__aliases__alias", "a1"), [1, 2]);
    assert_eq!(found(aliases, "conference", "/api/admin/configuration/v1/conference/2/"), [3, 4]);
    add(&connection, rooms, &json!({"name": "Without"}));
    assert_eq!(found(rooms, "aliases__isnull", "true"), [4]);
    for wrong in ["conference__aliases__conference__name__x", "conference__colour", "alias__name", "colour"] {
        assert!(query::read(aliases, &pairs(&[(wrong, "x")])).is_err(), "{wrong}");
    }
}

/// The fields of a location that the test fills, and values that meet each other in every case and in none.
const TEXTS: [&str; 9] = ["", "Oslo", "oslo", "OSLO 2", "Ærø", "ærø", "straße", "100", "it's %_\\"];

fn filled(rng: &mut SmallRng, n: usize) -> Value {
    let text = TEXTS[rng.random_range(0..TEXTS.len())];
    let qos = match rng.random_range(0..3) {
        0 => Value::Null,
        _ => rng.random_range(0..5).into(),
    };
    json!({"name": format!("{text} {n}"), "description": text, "mtu": rng.random_range(512..517), "media_qos": qos})
}

fn asked(rng: &mut SmallRng) -> Vec<(String, String)> {
    let (field, number) =
        [("name", false), ("description", false), ("mtu", true), ("media_qos", true)][rng.random_range(0..4)];
    let operator = OPERATORS[rng.random_range(0..OPERATORS.len())];
    let word = |rng: &mut SmallRng| match number {
        true => rng.random_range(0..5).to_string(),
        false => TEXTS[rng.random_range(0..TEXTS.len())].to_string(),
    };
    let value = match operator {
        "isnull" => if rng.random() { "true" } else { "false" }.to_string(),
        "range" | "in" => format!("{},{}", word(rng), word(rng)),
        "regex" | "iregex" => regex::escape(&word(rng)),
        _ => word(rng),
    };
    let order = ["name", "-name", "description", "-media_qos", "mtu", "-id"][rng.random_range(0..6)];
    vec![
        (format!("{field}__{operator}"), value),
        ("order_by".into(), format!("{order},description")),
        ("limit".into(), rng.random_range(1..9).to_string()),
        ("offset".into(), rng.random_range(0..4).to_string()),
    ]
}

#[test]
fn statement_finds_what_a_filter_in_memory_finds() {
    let of = configured("system_location");
    let named: Vec<Named> = of.fields.iter().map(|field| (field.name, field.queried_as())).collect();
    let mut rng = SmallRng::seed_from_u64(7);
    let (_dir, connection) = store();
    for n in 0..60 {
        add(&connection, of, &filled(&mut rng, n));
    }
    connection.execute("UPDATE system_location SET body = '{}' WHERE id % 7 = 0", []).unwrap();
    let all = query::read(of, &pairs(&[("limit", "0")])).unwrap();
    let (_, everything) = select(&connection, of, &all, &CoreFacts::default()).unwrap();
    let everything: Vec<Value> = everything.iter().map(|object| shown(object, &mut Nested::new())).collect();
    let mut hits = 0;
    for _ in 0..2_000 {
        let pairs = asked(&mut rng);
        let (total, found) =
            select(&connection, of, &query::read(of, &pairs).unwrap(), &CoreFacts::default()).unwrap();
        let expected = query::read(&named[..], &pairs).unwrap();
        let mut objects = everything.clone();
        objects.retain(|object| expected.filters.iter().all(|filter: &Filter<_>| filter.matches(object)));
        order(&mut objects, &expected.orders);
        assert_eq!(total, objects.len(), "{pairs:?}");
        let page: Vec<&Value> = objects.iter().skip(expected.offset).take(expected.limit).collect();
        let found: Vec<Value> = found.iter().map(|object| shown(object, &mut Nested::new())).collect();
        assert_eq!(found.iter().collect::<Vec<_>>(), page, "{pairs:?}");
        hits += found.len();
    }
    assert!(hits > 1_000, "the queries find next to nothing: {hits}");
}
