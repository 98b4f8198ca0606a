//! Text from outside that goes to a terminal, and numbers as people read them.

use edge::text::is_hidden;
use serde_json::Value;

/// Replaces every hidden character by a visible one, so that no name, reason or note can move the cursor, repaint
/// the screen or change the direction of writing. Line ends stay: notes have lines.
pub(crate) fn harmless(text: &str) -> String {
    let visible = |c: char| if is_hidden(c) && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}

/// [`harmless`] for every text in an answer.
pub(crate) fn harmless_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(harmless(text)),
        Value::Array(items) => Value::Array(items.iter().map(harmless_value).collect()),
        Value::Object(fields) => Value::Object(
            fields.iter().map(|(name, value)| (harmless(name), harmless_value(value))).collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// The first line of a text that may hold several.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Bytes as an operator reads them: `812 B`, `4.0 KiB`, `61.3 MiB`.
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

/// The beginning of a hash, as long as people compare it.
pub(crate) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_move_the_cursor() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\n"), "a\u{fffd}[2Jb\u{fffd}\n");
        assert_eq!(harmless("a\u{202e}b"), "a\u{fffd}b");
        let value = serde_json::json!({"name": ["\u{7}x", 1, null]});
        assert_eq!(harmless_value(&value), serde_json::json!({"name": ["\u{fffd}x", 1, null]}));
    }

    #[test]
    fn bytes_are_printed_as_an_operator_reads_them() {
        let check = |count: u64, expected: &str| assert_eq!(bytes(count), expected);
        check(0, "0 B");
        check(1023, "1023 B");
        check(4096, "4.0 KiB");
        check((1 << 20) - 1, "1.0 MiB");
        check(64_282_624, "61.3 MiB");
    }
}
