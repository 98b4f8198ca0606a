//! Escaping of foreign text for logs, terminals and pages.
//!
//! One rule for all of them: a character that moves the cursor, ends a line, changes the direction of writing or
//! is invisible is written as its escape. The length of a text is not limited here.

use std::borrow::Cow;

/// Whether a character has an effect other than its visible glyph: control characters
/// (Unicode category Cc), the two separators of lines and paragraphs (Zl, Zp), the controls of the
/// bidirectional algorithm (UAX 9, section 2), and format characters without a glyph.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with every hidden character written as its escape, such as `\n` or `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_hidden(c) {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
        check("plain, «naïve» 日本語 \u{1f600}", "plain, «naïve» 日本語 \u{1f600}");
        check("a\r\nERROR b", "a\\r\\nERROR b");
        check("\u{1b}[2J\u{9b}31m\u{7f}\0", "\\u{1b}[2J\\u{9b}31m\\u{7f}\\u{0}");
        check("a\u{2028}b\u{2029}c\u{85}d", "a\\u{2028}b\\u{2029}c\\u{85}d");
        check("\u{202e}gpj\u{2066}x\u{2069}", "\\u{202e}gpj\\u{2066}x\\u{2069}");
        check("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}");
    }
}
