//! The descriptions of resources, in the shapes of django-tastypie that the tools of the compatible API read.

use serde_json::{Map, Value, json};

use crate::resources::draft::initial;
use crate::resources::query::DEFAULT_LIMIT;
use crate::resources::{
    ALL, Access, Area, Field, ID, Initial, KEPT, Key, Kind, Related, Resource, Support, Verb, configured,
};

/// The lists of a part of the API, each with its schema.
pub(super) fn directory(area: Area) -> Value {
    let within = ALL.iter().filter(|of| of.area == area);
    let entry = |of: &&Resource| {
        let path = of.path();
        (of.name.to_string(), json!({"list_endpoint": path, "schema": format!("{path}schema/")}))
    };
    Value::Object(within.map(entry).collect())
}

/// The directories of all parts of the API, by their paths.
pub(super) fn summary() -> Value {
    Value::Object(Area::ALL.map(|area| (area.path().to_string(), directory(area))).into_iter().collect())
}

/// The description of a resource.
pub(super) fn schema(of: &Resource) -> Value {
    let mut fields: Map<String, Value> = Map::new();
    if of.detail.contains(&Verb::Get) {
        fields.extend(id(of).map(|id| (ID.name.to_string(), id)));
    }
    fields.extend(of.fields.iter().map(|field| (field.name.to_string(), described(field))));
    if of.detail.contains(&Verb::Get) {
        fields.insert("resource_uri".into(), uri());
    }
    let filtered = of.fields.iter().filter(|field| field.filtered);
    let rule = |field: &Field| if field.related().is_some() { 2 } else { 1 };
    let filtering: Map<String, Value> =
        filtered.clone().map(|field| (field.name.to_string(), rule(field).into())).collect();
    let ordering: Vec<&str> = filtered.map(|field| field.name).chain([ID.name]).collect();
    json!({
        "allowed_detail_http_methods": detail_methods(of),
        "allowed_list_http_methods": of.list.iter().map(|verb| verb.text().to_lowercase()).collect::<Vec<_>>(),
        "default_format": "application/json",
        "default_limit": DEFAULT_LIMIT,
        "fields": fields,
        "filtering": filtering,
        "ordering": ordering,
    })
}

/// The field `id`, if objects have one.
fn id(of: &Resource) -> Option<Value> {
    let mut number = described(&ID);
    match of.key {
        Key::Number => {}
        Key::Text => number["type"] = "string".into(),
        Key::Field(_) => return None,
    }
    Some(number)
}

/// The methods of an object. The compatible API names POST there when the list has it, and tools take from it whether
/// objects can be created.
fn detail_methods(of: &Resource) -> Vec<String> {
    let post = of.list.contains(&Verb::Post).then_some(&Verb::Post);
    of.detail.iter().chain(post).map(|verb| verb.text().to_lowercase()).collect()
}

fn described(field: &Field) -> Value {
    let (kind, related) = match field.kind {
        Kind::Text(_) | Kind::Choice(_) | Kind::Password | Kind::Version => ("string", None),
        Kind::Whole(..) => ("integer", None),
        Kind::Fraction => ("float", None),
        Kind::Boolean => ("boolean", None),
        Kind::Moment => ("datetime", None),
        Kind::File => ("file", None),
        Kind::List | Kind::Texts => ("list", None),
        // Tools leave a resource out that has a field of type dict.
        Kind::Record => ("string", None),
        Kind::Related(Related::One(_)) => ("related", Some("to_one")),
        Kind::Related(Related::Many(_) | Related::Children(_)) => ("related", Some("to_many")),
    };
    let default = if field.initial == Initial::Now { None } else { initial(field, 0) };
    let mut all = json!({
        "blank": field.initial != Initial::Required,
        "default": default,
        "help_text": help(field),
        "nullable": field.nullable,
        "readonly": field.access == Access::ReadOnly,
        "type": kind,
        "unique": field.unique.is_some() || field.name == ID.name,
    });
    if let (Some(related), Some(of)) = (related, field.related()) {
        all["related_type"] = related.into();
        all["related_schema"] = format!("{}schema/", configured(of).path()).into();
    }
    if let Kind::Choice(choices) = field.kind {
        all["valid_choices"] = choices.into();
    }
    all
}

fn help(field: &Field) -> String {
    match field.support {
        Support::Acts => field.help.into(),
        Support::Kept => format!("{} {KEPT}", field.help).trim_start().into(),
        Support::Refused(sentence) => format!("{} {sentence}", field.help).trim_start().into(),
    }
}

fn uri() -> Value {
    json!({
        "blank": true, "default": null, "help_text": "The path of the object.", "nullable": false, "readonly": true,
        "type": "string", "unique": true,
    })
}
