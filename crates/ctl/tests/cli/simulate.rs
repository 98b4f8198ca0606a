//! Forecasts, from options alone and from a running platform.

use serde_json::{Value, json};

use crate::answers::{about, check, ok, status};
use crate::server::{Reply, Server};
use crate::{Home, Outcome};

const STATUS: &str = "GET /api/admin/status/v1/upgrade/";
const CHECK: &str = "POST /api/admin/command/v1/platform/upgrade_check/";

/// A small fleet of two locations, few samples.
const SMALL: [&str; 10] = [
    "simulate",
    "--locations",
    "London=12,Oslo=6@1h",
    "--nodes-at-once",
    "4",
    "--samples",
    "20",
    "--seed",
    "7",
    "--start=03:00",
];

fn object(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.out).unwrap()
}

/// The value of this name in the table.
fn named<'a>(table: &'a str, name: &str) -> &'a str {
    let line = table.lines().find(|line| line.starts_with(name));
    line.unwrap_or_else(|| panic!("no {name} in {table}"))[name.len()..].trim()
}

#[test]
fn forecast_needs_no_login_and_is_the_same_for_the_same_seed() {
    let home = Home::new();
    let outcome = home.run_ok(&SMALL);
    assert_eq!(outcome.out, include_str!("simulate.txt"));
    assert_eq!(home.run_ok(&SMALL).out, outcome.out);
}

#[test]
fn object_has_the_figures_of_the_table() {
    let home = Home::new();
    let table = home.run_ok(&SMALL).out;
    let object = object(&home.run_ok(&[&SMALL[..], &["--json"]].concat()));
    let both = |spread: &Value| format!("{} [{}]", spread["median"], spread["p95"]);
    assert_eq!((object["samples"].as_u64(), object["seed"].as_u64()), (Some(20), Some(7)));
    assert_eq!(named(&table, "Calls offered"), both(&object["calls_offered"]));
    assert!(named(&table, "Calls moved").starts_with(&both(&object["calls_moved"])));
    assert!(named(&table, "Calls refused").starts_with(&both(&object["calls_refused"])));
    let minutes = |seconds: &Value| (seconds.as_f64().unwrap() / 60.0) as u64;
    let took = |seconds: &Value| match minutes(seconds) {
        minutes if minutes % 60 == 0 => format!("{} h", minutes / 60),
        minutes if minutes > 60 => format!("{} h {} min", minutes / 60, minutes % 60),
        minutes => format!("{minutes} min"),
    };
    let time = &object["took_seconds"];
    assert_eq!(
        named(&table, "Time to finish"),
        format!("{} [{}]", took(&time["median"]), took(&time["p95"]))
    );
    for location in object["locations"].as_array().unwrap() {
        let row = named(&table, location["name"].as_str().unwrap());
        let left = |key: &str| {
            location["nodes"].as_u64().unwrap() - location["out_of_service"][key].as_u64().unwrap()
        };
        let fewest = format!("{} [{}]", left("median"), left("p95"));
        let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let refused = both(&location["calls_refused"]);
        assert_eq!((cells[0], cells[1]), (location["nodes"].to_string().as_str(), fewest.as_str()));
        assert_eq!(*cells.last().unwrap(), refused.as_str());
    }
    let curve = |name: &str, edge: &str| object[name][edge].as_array().unwrap().last().unwrap().clone();
    let last = table.lines().rev().nth(1).unwrap();
    let end =
        |name: &str| format!("{} [{}-{}]", curve(name, "median"), curve(name, "p5"), curve(name, "p95"));
    assert!(last.contains(&end("in_service")) && last.ends_with(&end("upgraded")), "{last}");
}

#[test]
fn forecast_of_a_run_that_reaches_its_limit_names_what_is_left_and_what_to_do() {
    let line = ["simulate", "--nodes", "30", "--nodes-at-once", "1", "--run-limit", "2h", "--samples", "5"];
    let home = Home::new();
    let table = home.run_ok(&line).out;
    assert_eq!(named(&table, "Time to finish"), "not within 2 h [not within 2 h]");
    assert!(table.contains("does not finish within 2 h in 5 of 5 samples\n"), "{table}");
    assert!(table.contains("next: raise --nodes-at-once or --run-limit"), "{table}");
    let object = object(&home.run_ok(&[&line[..], &["--json"]].concat()));
    assert_eq!(object["took_seconds"]["median"], Value::Null);
    let left = &object["nodes_left"];
    assert_eq!(named(&table, "Nodes left at 2 h"), format!("{} [{}]", left["median"], left["p95"]));
    assert!(left["median"].as_u64() > Some(10), "{left}");
}

#[test]
fn invalid_options_are_usage_errors_that_name_the_fault() {
    let check = |line: &str, expected: &str| {
        let line: Vec<&str> = ["simulate"].into_iter().chain(line.split_whitespace()).collect();
        let outcome = Home::new().run(&line);
        assert_eq!(outcome.code, 2, "{line:?}: {outcome:?}");
        assert!(outcome.err.contains(expected) && outcome.out.is_empty(), "{line:?}: {outcome:?}");
    };
    check("", "<--nodes <N>|--locations <NAME=N,…>|--from-platform>");
    check("--nodes 0", "0 is not in 1..=100000");
    check("--nodes 5 --locations London=5", "cannot be used with");
    check("--locations London", "is not a location with its nodes; write it like London=120");
    check("--locations London=5,London=6", "the location London is given twice");
    check("--locations London=60000,Oslo=60000", "120000 nodes are more than the 100000");
    check("--nodes 5 --calls-per-node -1", "unexpected argument");
    check("--nodes 5 --calls-per-node=nan", "it is not a number from 0 to 10000");
    check("--nodes 5 --call-mean 0s", "it must be from 1 s to 12 h");
    check("--nodes 5 --call-mean 27", "write it with its unit");
    check("--nodes 5 --start 25:00", "is not a time of day; write it like 03:00 or 3, in UTC");
    check("--nodes 5 --samples 0", "0 is not in 1..=10000");
    check("--nodes 5 --run-limit 8d", "--run-limit must be from 1 s to 168 h");
}

#[test]
fn picture_names_its_axes_and_assumptions() {
    let home = Home::new();
    let name = "--locations=A&B=3,<Oslo>=3";
    home.run_ok(&["simulate", name, "--samples", "3", "--svg", "x.svg"]);
    let picture = std::fs::read_to_string(home.path().join("x.svg")).unwrap();
    for words in [
        "Nodes in service, percent of the location",
        "Nodes upgraded",
        "hours after Start, and the time in UTC",
        "the median of 3 samples",
        "prefers-color-scheme:dark",
        "A&amp;B (3)",
        "&lt;Oslo&gt; (3)",
    ] {
        assert!(picture.contains(words), "no {words} in {picture}");
    }
    assert_eq!(picture.matches("<polyline").count(), 3, "two locations and the progress");
    let outcome = home.run(&["simulate", "--nodes", "1", "--samples", "1", "--svg", "no/x.svg"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.err.contains("cannot write no/x.svg"), "{outcome:?}");
}

/// The status of a platform at 03:00 with these nodes: location, calls, contact.
fn platform(nodes: &[(&str, Value, &str)]) -> (&'static str, Vec<Reply>) {
    let mut object = status(0, false, "", ("34", "IDLE", "No upgrade in progress"));
    object["now"] = json!("2026-11-23T03:00:00.000000");
    let one = object["nodes"][0].clone();
    let node = |(location, calls, contact): &(&str, Value, &str)| {
        let mut node = one.clone();
        node["system_location"] = json!(location);
        node["calls"] = calls.clone();
        node["contact"] = json!(contact);
        node["maintenance_mode_owners"] = json!([]);
        node
    };
    object["nodes"] = nodes.iter().map(node).collect();
    (STATUS, ok(object))
}

fn checked() -> (&'static str, Vec<Reply>) {
    let (line, mut replies) = check(json!([]));
    let Reply::Json(_, object) = &mut replies[0] else { panic!("another answer") };
    object["policy"] = json!({"name": "careful", "nodes_at_once": 2, "drain_limit_seconds": 1800});
    (line, replies)
}

#[test]
fn forecast_reads_nodes_present_calls_and_the_default_policy_from_a_running_platform() {
    let nodes = [
        ("London", json!(10), "heard"),
        ("London", json!(14), "heard"),
        ("Oslo", json!(0), "heard"),
        ("Oslo", Value::Null, "lost"),
    ];
    let server = Server::start(vec![about(), platform(&nodes), checked()]);
    let home = server.home();
    let line = ["simulate", "--from-platform", "--samples", "3", "--rest", "1m", "--json"];
    let outcome = home.run_ok(&line);
    let object = object(&outcome);
    assert!(
        outcome.err.contains("Nodes not reachable now, or with an unknown number of calls, and left out: 1.")
    );
    let locations: Vec<(&str, u64)> = object["locations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|location| (location["name"].as_str().unwrap(), location["nodes"].as_u64().unwrap()))
        .collect();
    assert_eq!(locations, [("London", 2), ("Oslo", 1)]);
    // 24 calls at three in the morning, when there are 2 % of the busiest hour's.
    assert_eq!(object["plan"]["busiest_calls"], 1_200.0);
    assert_eq!(object["plan"]["start_seconds"], 10_800.0);
    let policy = &object["plan"]["policy"];
    assert_eq!((&policy["name"], &policy["nodes_at_once"]), (&json!("careful, adapted"), &json!(2)));
    assert_eq!((&policy["drain_limit_seconds"], &policy["rest_seconds"]), (&json!(1_800.0), &json!(60.0)));
    assert_eq!(policy["run_limit_seconds"], 86_400.0);
    assert!(
        server.received("POST").iter().all(|request| request.line.ends_with("upgrade_check/")),
        "it is only read"
    );
}

#[test]
fn load_of_a_platform_without_calls_cannot_be_estimated() {
    let refused = vec![Reply::Json(400, json!({"error": "no package is uploaded", "kind": "invalid"}))];
    let server = Server::start(vec![about(), platform(&[("London", json!(0), "heard")]), (CHECK, refused)]);
    let home = server.home();
    let outcome = home.run(&["simulate", "--from-platform"]);
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.err.contains("the platform has no calls now"), "{outcome:?}");
    assert!(outcome.err.contains("give --calls-per-node"), "{outcome:?}");
    let outcome =
        home.run_ok(&["simulate", "--from-platform", "--calls-per-node", "20", "--samples", "2", "--json"]);
    assert!(outcome.err.contains("the standard policy is used"), "{outcome:?}");
    assert_eq!(object(&outcome)["plan"]["busiest_calls"], 20.0);
}
