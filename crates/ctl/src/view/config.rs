//! Objects of any resource, by their schema.

use serde_json::Value;

use super::Canvas;
use super::table::table;
use crate::text::sanitized;

/// How many fields of an object a list shows.
const COLUMNS: usize = 6;

/// How many characters of a value a list shows.
const CELL: usize = 40;

/// The resources of a directory.
pub(crate) fn resources(directory: &Value) -> Vec<String> {
    directory.as_object().into_iter().flatten().map(|(name, _)| sanitized(name)).collect()
}

/// The fields of a schema.
pub(crate) fn fields(schema: &Value, canvas: Canvas) -> Vec<String> {
    let all = schema["fields"].as_object().into_iter().flatten();
    let written = all.filter(|(name, field)| field["readonly"] != true && name.as_str() != "resource_uri");
    let rows = written.map(|(name, field)| {
        let choices: Vec<&str> =
            field["valid_choices"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let kind = match (choices.is_empty(), field["related_schema"].as_str()) {
            (false, _) => choices.join(" | "),
            (true, Some(schema)) => {
                schema.trim_end_matches("/schema/").rsplit('/').next().unwrap_or("").to_string()
            }
            (true, None) => field["type"].as_str().unwrap_or("").to_string(),
        };
        let initial = if field["blank"] == false { "required".into() } else { cell(&field["default"]) };
        vec![sanitized(name), sanitized(&kind), initial, sanitized(field["help_text"].as_str().unwrap_or(""))]
    });
    table(canvas, &["FIELD", "TYPE", "DEFAULT", "MEANING"], rows.collect())
}

/// A list of objects: the first fields of each.
pub(crate) fn objects(list: &Value, canvas: Canvas) -> Vec<String> {
    let all: Vec<&Value> = list["objects"].as_array().into_iter().flatten().collect();
    let Some(first) = all.first().and_then(|object| object.as_object()) else {
        return vec!["There are none.".into()];
    };
    let known_by = ["id", "name", "alias", "codename", "description"];
    let shown = |name: &&String| !known_by.contains(&name.as_str()) && name.as_str() != "resource_uri";
    let before = known_by.into_iter().filter(|name| first.contains_key(*name));
    let names: Vec<&str> =
        before.chain(first.keys().filter(shown).map(String::as_str)).take(COLUMNS).collect();
    columns(list, &names, canvas)
}

/// A list of objects: these fields of each.
pub(crate) fn columns(list: &Value, names: &[&str], canvas: Canvas) -> Vec<String> {
    let all: Vec<&Value> = list["objects"].as_array().into_iter().flatten().collect();
    if all.is_empty() {
        return vec!["There are none.".into()];
    }
    let headings: Vec<String> = names.iter().map(|name| name.to_uppercase().replace('_', " ")).collect();
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let row = |object: &&Value| names.iter().map(|name| cell(&object[*name])).collect();
    table(canvas, &headings, all.iter().map(row).collect())
}

/// One object: a line for each field.
pub(crate) fn object(object: &Value) -> Vec<String> {
    let all = object.as_object().into_iter().flatten();
    all.map(|(name, value)| format!("{name}: {}", whole(value)).trim_end().to_string()).collect()
}

/// The changes of the audit, the newest last.
pub(crate) fn changes(list: &Value) -> Vec<String> {
    let all: Vec<&Value> = list["objects"].as_array().into_iter().flatten().collect();
    if all.is_empty() {
        return vec!["Nothing was changed.".into()];
    }
    all.iter().rev().flat_map(|entry| change(entry)).collect()
}

fn change(entry: &Value) -> Vec<String> {
    let text = |name: &str| sanitized(entry[name].as_str().unwrap_or(""));
    let time: String = text("time").chars().take(19).collect();
    let head = format!(
        "{}  {} from {}: {} {} {}",
        time.replace('T', " "),
        text("account"),
        text("source"),
        text("action"),
        text("resource"),
        text("name")
    );
    let fields = entry["changes"].as_array().into_iter().flatten();
    let is_change = entry["action"] == "changed";
    let line = |change: &Value| {
        format!("    {}: {} -> {}", cell(&change["field"]), cell(&change["from"]), cell(&change["to"]))
    };
    std::iter::once(head).chain(fields.filter(|_| is_change).map(line)).collect()
}

fn cell(value: &Value) -> String {
    whole(value).chars().take(CELL).collect()
}

/// A value as people write it; an object by its name.
fn whole(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => sanitized(text.strip_prefix("/api/admin/configuration/v1/").unwrap_or(text)),
        Value::Array(all) => all.iter().map(whole).collect::<Vec<_>>().join(", "),
        Value::Object(object) => {
            let name = ["codename", "name", "alias", "id"].into_iter().find_map(|name| object.get(name));
            name.map_or_else(|| sanitized(&value.to_string()), whole)
        }
    }
}
