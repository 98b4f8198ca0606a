//! The differences of two JSON values as short lines: the path to what has changed, the old value and the new one.

use serde_json::{Map, Value};

/// The most characters of a value that are shown.
const LONGEST: usize = 120;

/// Finds the differences between two values at one path.
pub(crate) fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(old), Value::Object(new)) if are_alike(old, new) => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                let [before, after] = [old, new].map(|of| of.get(name).unwrap_or(&Value::Null));
                compare(&format!("{path}.{name}"), before, after, found);
            }
        }
        (before, after) => found.push(format!("{path}: {} -> {}", shown(before), shown(after))),
    }
}

/// Whether two objects are compared field by field. Two variants of an enum have no field in common, and are compared
/// as a whole.
fn are_alike(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    old.keys().any(|name| new.contains_key(name))
}

fn shown(value: &Value) -> String {
    let text = plain(value);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::Bool(held) => held.to_string(),
        Value::Number(number) => number.to_string(),
        // The first digits suffice to distinguish hashes of software.
        Value::String(hash) if hash.len() == 64 && !hash.contains(' ') => hash.chars().take(8).collect(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(before: &Value, after: &Value) -> Vec<String> {
        let mut found = Vec::new();
        compare("world", before, after, &mut found);
        found
    }

    #[test]
    fn only_what_differs_is_listed_by_its_path() {
        let before = json!({"same": 1, "node3": {"stage": "waiting", "calls": 2}});
        let after = json!({"same": 1, "node3": {"stage": "rebooting", "calls": 2}});
        assert_eq!(differences(&before, &after), ["world.node3.stage: waiting -> rebooting"]);
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn added_and_removed_values_are_listed() {
        let (one, two) =
            (json!({"node1": {"calls": 0}}), json!({"node1": {"calls": 0}, "node2": {"calls": 1}}));
        assert_eq!(differences(&one, &two), ["world.node2: none -> {calls: 1}"]);
        assert_eq!(differences(&two, &one), ["world.node2: {calls: 1} -> none"]);
    }

    #[test]
    fn variants_are_compared_as_a_whole() {
        let (one, two) =
            (json!({"is": {"waiting": {"since": 1}}}), json!({"is": {"rebooting": {"since": 5}}}));
        assert_eq!(differences(&one, &two), ["world.is: {waiting: {since: 1}} -> {rebooting: {since: 5}}"]);
    }

    #[test]
    fn long_values_are_cut_and_hashes_shortened() {
        let (one, two) = (json!({"a": "b".repeat(64)}), json!({"a": "long words ".repeat(50)}));
        let lines = differences(&one, &two).concat();
        assert!(lines.starts_with("world.a: bbbbbbbb -> long words") && lines.ends_with('…'), "{lines}");
        assert!(lines.chars().count() < 150, "{lines}");
    }
}
