//! Anything that is configured, by the schema that the Management Node gives; and who changed what.

use serde_json::{Value, json};

use crate::answers::{about, list, ok};
use crate::server::{Reply, Server};

const ROLES: &str = "/api/admin/configuration/v1/role/";

fn field(kind: &str, default: Value, help: &str) -> Value {
    json!({"type": kind, "default": default, "blank": !default.is_null(), "nullable": false, "readonly": false,
        "unique": false, "help_text": help})
}

fn roles() -> (&'static str, Vec<Reply>) {
    let mut permissions = field("related", json!([]), "What the accounts of the role may do.");
    permissions["related_type"] = "to_many".into();
    permissions["related_schema"] = "/api/admin/configuration/v1/permission/schema/".into();
    let fields = json!({"name": field("string", Value::Null, "The name of the role."), "permissions": permissions,
        "places": field("list", json!([]), "Where it is.")});
    ("GET /api/admin/configuration/v1/role/schema/", ok(json!({"fields": fields})))
}

fn permissions() -> Vec<(&'static str, Vec<Reply>)> {
    let fields = json!({"fields": {"name": field("string", json!(""), "What it allows."),
        "codename": field("string", json!(""), "Its identifier.")}});
    let found = json!([{"id": 2, "name": "view_platform",
        "resource_uri": "/api/admin/configuration/v1/permission/2/"}]);
    vec![
        ("GET /api/admin/configuration/v1/permission/schema/", ok(fields)),
        ("GET /api/admin/configuration/v1/permission/?name=view_platform&limit=1000", ok(list(found))),
    ]
}

#[test]
fn object_is_added_with_the_objects_that_it_names() {
    let made = vec![Reply::Created(format!("{ROLES}4/"), String::new())];
    let mut script = vec![about(), roles(), ("POST /api/admin/configuration/v1/role/", made)];
    script.extend(permissions());
    let server = Server::start(script);
    let home = server.home();
    let outcome =
        home.run_ok(&["config", "add", "role", "name=Watcher", "permissions=view_platform,3", "places=a, b"]);
    assert_eq!(outcome.out, "role 4 is added.\n");
    let sent = server.received("POST").remove(0);
    let expected = json!({"name": "Watcher", "permissions": ["/api/admin/configuration/v1/permission/2/", "3"], "places": ["a", "b"]});
    assert_eq!(sent.json(), expected);
}

#[test]
fn fields_are_described_and_an_unknown_one_is_refused_before_anything_is_sent() {
    let server = Server::start(vec![about(), roles()]);
    let home = server.home();
    let outcome = home.run_ok(&["config", "fields", "role"]);
    let lines: Vec<&str> = outcome.out.lines().collect();
    assert_eq!(lines[0], "FIELD        TYPE        DEFAULT   MEANING");
    assert_eq!(lines[1], "name         string      required  The name of the role.");
    assert_eq!(lines[2], "permissions  permission            What the accounts of the role may do.");
    let refused = home.run(&["config", "add", "role", "nmae=Watcher"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("there is no field nmae"), "{refused:?}");
}

#[test]
fn changes_are_shown_with_who_made_them() {
    let entry = |n: u32, action: &str| {
        json!({"id": n, "time": format!("2026-11-30T15:0{n}:00.000000"), "account": "ann", "source": "10.0.0.9",
            "action": action, "resource": "worker_vm", "name": "lon-1",
            "changes": [{"field": "description", "from": "", "to": "rack\u{1b} 3"}]})
    };
    let newest_first = list(json!([entry(2, "changed"), entry(1, "created")]));
    let log = "GET /api/admin/history/v1/audit/?order_by=-time&limit=20&account=ann";
    let server = Server::start(vec![about(), (log, ok(newest_first))]);
    let home = server.home();
    let outcome = home.run_ok(&["log", "--account", "ann"]);
    assert_eq!(
        outcome.out,
        "2026-11-30 15:01:00  ann from 10.0.0.9: created worker_vm lon-1\n\
         2026-11-30 15:02:00  ann from 10.0.0.9: changed worker_vm lon-1\n    description:  -> rack\u{fffd} 3\n"
    );
}
