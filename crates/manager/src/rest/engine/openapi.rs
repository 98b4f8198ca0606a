//! The description of the whole management API as OpenAPI 3.1, made from the declarations.
//!
//! It says what the server does: numbers and booleans may be sent as text, unknown fields are ignored, and a refusal is
//! the same object everywhere.

use serde_json::{Map, Value, json};

use crate::auth::sessions::COOKIE;
use crate::resources::draft::initial;
use crate::resources::query::{DEFAULT_LIMIT, LARGEST_LIMIT};
use crate::resources::{
    ALL, Access, Created, Field, Initial, Key, Kind, Related, Resource, Served, Support, Verb,
};

/// The description, for a release.
pub(super) fn document(release: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::from_iter([("Refusal".to_string(), refusal()), ("Meta".to_string(), meta())]);
    for of in ALL {
        paths.insert(of.path(), list(of));
        if !of.detail.is_empty() {
            paths.insert(format!("{}{{key}}/", of.path()), detail(of));
        }
        for action in of.actions {
            paths.insert(format!("{}{{key}}/{}/", of.path(), action.name()), action_of(of));
        }
        schemas.insert(component(of), shown(of));
        schemas.insert(written_component(of), written(of));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pitlane management API",
            "version": release,
            "description": "Every path is served with and without its trailing slash. Times are UTC.",
        },
        "security": [{"basic": []}, {"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "An access token of /oauth/token/ (RFC 6749 section 4.4, RFC 7523).",
                },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": COOKIE,
                    "description": "A session that a form at /admin/login/ has begun.",
                },
            },
            "schemas": schemas,
            "responses": {
                "Refusal": {
                    "description": "The request was refused, and nothing was changed.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
                },
            },
        },
    })
}

/// The name of the schema of an object.
fn component(of: &Resource) -> String {
    let area = of.area.path().trim_start_matches("/api/admin/").replace("v1/", "").replace('/', "_");
    format!("{area}{}", of.name)
}

fn written_component(of: &Resource) -> String {
    format!("{}_written", component(of))
}

fn refusal() -> Value {
    json!({
        "type": "object",
        "required": ["error", "hint", "kind"],
        "properties": {
            "error": {"type": "string", "description": "What is wrong."},
            "hint": {"type": "string", "description": "What to do next."},
            "kind": {"type": "string", "description": "A token that never changes."},
        },
    })
}

fn meta() -> Value {
    let uri = json!({"type": ["string", "null"]});
    json!({
        "type": "object",
        "required": ["limit", "next", "offset", "previous", "total_count"],
        "properties": {
            "limit": {"type": "integer"}, "next": uri, "offset": {"type": "integer"}, "previous": uri,
            "total_count": {"type": "integer"},
        },
    })
}

/// The operations of a list.
fn list(of: &Resource) -> Value {
    let mut operations = Map::new();
    for verb in of.list {
        operations.insert(verb.text().to_lowercase(), list_operation(of, *verb));
    }
    Value::Object(operations)
}

fn list_operation(of: &Resource, verb: Verb) -> Value {
    let id = |what: &str| format!("{}_{what}", component(of));
    match verb {
        Verb::Get => json!({
            "operationId": id("list"), "summary": format!("Lists the {}.", of.plural), "tags": [of.name],
            "parameters": filters(of),
            "responses": responses("200", "A page of the objects.", Some(page(of))),
        }),
        Verb::Post => json!({
            "operationId": id("post"), "summary": of.help, "tags": [of.name],
            "requestBody": body(of, &written_component(of)),
            "responses": created(of),
        }),
        Verb::Patch | Verb::Put => json!({
            "operationId": id(if verb == Verb::Put { "replace_all" } else { "change_many" }),
            "summary": if verb == Verb::Put { "Makes the given objects the only ones." } else { "Changes many objects at once." },
            "tags": [of.name],
            "requestBody": {"required": true, "content": {"application/json": {"schema": {
                "type": "object",
                "properties": {
                    "objects": {"type": "array", "items": {"$ref": reference(&written_component(of))}},
                    "deleted_objects": {"type": "array", "items": {"type": ["string", "integer"]}},
                },
            }}}},
            "responses": responses(if verb == Verb::Put { "204" } else { "202" }, "It is done.", None),
        }),
        Verb::Delete => json!({
            "operationId": id("delete_many"), "summary": format!("Deletes the {} that match.", of.plural), "tags": [of.name],
            "parameters": filters(of),
            "responses": responses("204", "They are deleted.", None),
        }),
    }
}

/// The operations of one object.
fn detail(of: &Resource) -> Value {
    let id = |what: &str| format!("{}_{what}", component(of));
    let mut operations = Map::from_iter([("parameters".to_string(), json!([key(of)]))]);
    for verb in of.detail {
        let operation = match verb {
            Verb::Get => json!({
                "operationId": id("read"), "summary": format!("Shows one {}.", of.called), "tags": [of.name],
                "responses": responses("200", "The object.", Some(json!({"$ref": reference(&component(of))}))),
            }),
            Verb::Put | Verb::Patch | Verb::Post => json!({
                "operationId": id(if *verb == Verb::Put { "put" } else { "change" }),
                "summary": format!("Changes one {}. What is not said keeps its value.", of.called), "tags": [of.name],
                "requestBody": body(of, &written_component(of)),
                "responses": responses(if *verb == Verb::Put { "204" } else { "202" }, "It is changed.", None),
            }),
            Verb::Delete => json!({
                "operationId": id("delete"), "summary": format!("Deletes one {}.", of.called), "tags": [of.name],
                "responses": responses("204", "It is deleted.", None),
            }),
        };
        operations.insert(verb.text().to_lowercase(), operation);
    }
    Value::Object(operations)
}

/// The new enrolment file of a Conferencing Node, the only action there is.
fn action_of(of: &Resource) -> Value {
    json!({
        "parameters": [key(of)],
        "post": {
            "operationId": format!("{}_enrolment", component(of)),
            "summary": "Makes a new enrolment file.", "tags": [of.name],
            "responses": responses_as("201", "The enrolment file.", "application/toml", &json!({"type": "string"})),
        },
    })
}

fn key(of: &Resource) -> Value {
    let schema = match of.key {
        Key::Number => json!({"type": "integer", "minimum": 1, "examples": [1]}),
        Key::Text | Key::Field(_) => json!({"type": "string"}),
    };
    json!({"name": "key", "in": "path", "required": true, "schema": schema})
}

fn filters(of: &Resource) -> Value {
    let number = |name: &str, most: usize, help: &str| {
        json!({
            "name": name, "in": "query", "description": help,
            "schema": {"type": "integer", "minimum": 0, "maximum": most},
        })
    };
    let mut all = vec![
        number(
            "limit",
            LARGEST_LIMIT,
            &format!("How many objects; {DEFAULT_LIMIT} by default, 0 for as many as possible."),
        ),
        number("offset", usize::try_from(u32::MAX).unwrap_or(0), "How many are left out before them."),
        json!({"name": "order_by", "in": "query", "schema": {"type": "string"},
            "description": "The field to order by; with - before it in descending order."}),
    ];
    let named = of.fields.iter().filter(|field| field.filtered);
    all.extend(named.map(|field| {
        let help =
            format!("{} Operators follow the name and two underscores: {}__in=A,B.", field.help, field.name);
        json!({"name": field.name, "in": "query", "schema": {"type": "string"}, "description": help})
    }));
    all.into()
}

fn page(of: &Resource) -> Value {
    json!({
        "type": "object",
        "required": ["meta", "objects"],
        "properties": {
            "meta": {"$ref": reference("Meta")},
            "objects": {"type": "array", "items": {"$ref": reference(&component(of))}},
        },
    })
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

fn body(of: &Resource, schema: &str) -> Value {
    let schema = json!({"schema": {"$ref": reference(schema)}});
    let is_file = of.fields.iter().any(|field| matches!(field.kind, Kind::File));
    let mut content = Map::from_iter([("application/json".to_string(), schema.clone())]);
    if is_file {
        content.insert("multipart/form-data".into(), schema);
    }
    json!({"required": of.fields.iter().any(|field| field.initial == Initial::Required), "content": content})
}

fn created(of: &Resource) -> Value {
    match (of.served, of.created) {
        (Served::Own, _) => responses("2XX", "It is done, or goes on.", Some(json!({"type": "object"}))),
        (Served::Table | Served::Rows(_), Created::Empty) => {
            responses("201", "It is made; its URI is in Location.", None)
        }
        (Served::Table | Served::Rows(_), Created::OAuthClient) => responses(
            "201",
            "It is made; with its private key.",
            Some(json!({"$ref": reference(&component(of))})),
        ),
        (Served::Table | Served::Rows(_), Created::EnrolmentFile) => responses_as(
            "201",
            "It is made; its enrolment file.",
            "application/toml",
            &json!({"type": "string"}),
        ),
    }
}

fn responses(status: &str, help: &str, schema: Option<Value>) -> Value {
    match schema {
        Some(schema) => responses_as(status, help, "application/json", &schema),
        None => json!({status: {"description": help}, "4XX": refused(), "5XX": refused()}),
    }
}

fn responses_as(status: &str, help: &str, kind: &str, schema: &Value) -> Value {
    json!({
        status: {"description": help, "content": {kind: {"schema": schema}}},
        "4XX": refused(),
        "5XX": refused(),
    })
}

fn refused() -> Value {
    json!({"$ref": "#/components/responses/Refusal"})
}

/// An object as it is shown.
fn shown(of: &Resource) -> Value {
    let mut properties: Map<String, Value> =
        of.fields.iter().map(|field| (field.name.to_string(), described(field, shown_type(field)))).collect();
    let id = match of.key {
        Key::Number => Some("integer"),
        Key::Text => Some("string"),
        Key::Field(_) => None,
    };
    properties.extend(id.map(|id| ("id".to_string(), json!({"type": id}))));
    properties.insert("resource_uri".into(), json!({"type": "string"}));
    let required: Vec<String> = properties.keys().cloned().collect();
    json!({"type": "object", "description": of.help, "required": required, "properties": properties})
}

fn described(field: &Field, mut schema: Value) -> Value {
    let kept = match field.support {
        Support::Acts => "",
        Support::Kept => crate::resources::KEPT,
        Support::Refused(sentence) => sentence,
    };
    schema["description"] = format!("{} {kept}", field.help).trim().into();
    schema
}

fn shown_type(field: &Field) -> Value {
    let name = match field.kind {
        Kind::Text(_) | Kind::Choice(_) | Kind::Password | Kind::Version | Kind::Moment | Kind::File => {
            "string"
        }
        Kind::Whole(..) => "integer",
        Kind::Fraction => "number",
        Kind::Boolean => "boolean",
        Kind::Record => "object",
        Kind::List | Kind::Texts | Kind::Related(Related::Many(_) | Related::Children(_)) => "array",
        Kind::Related(Related::One(_)) => "string",
    };
    if field.nullable { json!({"type": [name, "null"]}) } else { json!({"type": name}) }
}

/// What a request may say of an object.
fn written(of: &Resource) -> Value {
    let fields = of.fields.iter().filter(|field| field.access != Access::ReadOnly);
    let property = |field: &Field| {
        let mut schema = described(field, written_type(field));
        if let Some(default) = initial(field, 0).filter(|_| field.initial != Initial::Now) {
            schema["default"] = default;
        }
        (field.name.to_string(), schema)
    };
    let properties: Map<String, Value> = fields.clone().map(property).collect();
    json!({"type": "object", "description": of.help, "properties": properties})
}

fn written_type(field: &Field) -> Value {
    let uri = json!({"type": ["string", "integer", "object"]});
    match field.kind {
        Kind::Text(_) | Kind::Password | Kind::Version | Kind::Moment => json!({"type": ["string", "null"]}),
        Kind::Choice(choices) => json!({"anyOf": [{"enum": choices}, {"const": ""}, {"type": "null"}]}),
        Kind::Whole(from, to) => {
            json!({"anyOf": [{"type": "integer", "minimum": from, "maximum": to}, {"type": ["string", "null"]}]})
        }
        Kind::Fraction => json!({"type": ["number", "string", "null"]}),
        Kind::Boolean => json!({"anyOf": [{"type": ["boolean", "null"]}, {"enum": ["true", "false"]}]}),
        Kind::Record => json!({"type": ["object", "null"]}),
        Kind::File => json!({"type": ["string", "null"], "format": "binary"}),
        Kind::List | Kind::Texts | Kind::Related(Related::Many(_) | Related::Children(_)) => {
            json!({"anyOf": [{"type": "array", "items": uri}, {"type": "null"}]})
        }
        Kind::Related(Related::One(_)) => json!({"type": ["string", "integer", "object", "null"]}),
    }
}
