//! Texts for the terminal: sanitizing of foreign text, and numbers in a form for people. Prints nothing itself.

use edge::text::is_hidden;
use serde_json::Value;

/// Replaces every hidden character by a visible one, so that no name, reason or note can move the cursor, clear the
/// screen or change the direction of text. Line ends stay: notes have lines.
pub(crate) fn sanitized(text: &str) -> String {
    let visible = |c: char| if is_hidden(c) && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}

/// [`sanitized`] for every text in an answer.
pub(crate) fn sanitized_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(sanitized(text)),
        Value::Array(items) => Value::Array(items.iter().map(sanitized_value).collect()),
        Value::Object(fields) => Value::Object(
            fields.iter().map(|(name, value)| (sanitized(name), sanitized_value(value))).collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A text on one line: line ends and repeated blanks become one blank.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Bytes in a form for people: `812 B`, `4.0 KiB`, `61.3 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1 << 10 {
        return format!("{count} B");
    }
    let mut amount = count as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1023.95 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// The first digits of a hash, as many as people compare.
pub(crate) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        assert_eq!(sanitized("a\u{1b}[2Jb\r\n"), "a\u{fffd}[2Jb\u{fffd}\n");
        assert_eq!(sanitized("a\u{202e}b"), "a\u{fffd}b");
        let value = serde_json::json!({"name": ["\u{7}x", 1, null]});
        assert_eq!(sanitized_value(&value), serde_json::json!({"name": ["\u{fffd}x", 1, null]}));
    }

    #[test]
    fn bytes_are_printed_for_people() {
        let check = |count: u64, expected: &str| assert_eq!(bytes(count), expected);
        check(0, "0 B");
        check(1023, "1023 B");
        check(4096, "4.0 KiB");
        check((1 << 20) - 1, "1.0 MiB");
        check(64_282_624, "61.3 MiB");
    }
}
