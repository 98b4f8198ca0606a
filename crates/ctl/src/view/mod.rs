//! The output for people, as lines of text. Pure: from an answer of the API, a width and colours. Times are computed
//! from the clock in the answer, not from this machine's.

pub(crate) mod backups;
pub(crate) mod calls;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod history;
pub(crate) mod licences;
pub(crate) mod node_state;
pub(crate) mod nodes;
pub(crate) mod rows;
pub(crate) mod table;
pub(crate) mod upgrade;

#[cfg(test)]
pub(crate) mod samples;

use crate::terminal::{Paint, Width};
use crate::text::one_line;

/// The layout of the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    /// How wide a line may be.
    pub(crate) width: Width,
    /// Whether to colour.
    pub(crate) paint: Paint,
}

impl Canvas {
    /// Standard output as it is now.
    pub(crate) fn stdout() -> Self {
        Self { width: crate::terminal::width(), paint: crate::terminal::paint() }
    }

    /// The line, cut to the width if that is limited. It may contain colours.
    pub(crate) fn cut(self, line: &str) -> String {
        match self.width.columns() {
            Some(columns) => console::truncate_str(line, columns, "…").into_owned(),
            None => line.into(),
        }
    }

    /// A sentence for each node as which two machines report.
    pub(crate) fn duplicates<'a>(
        self,
        nodes: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Vec<String> {
        self.sentences(nodes, ": ")
    }

    /// A sentence for each machine that would not start again, with the reason.
    pub(crate) fn start_faults<'a>(
        self,
        machines: impl Iterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Vec<String> {
        self.sentences(machines, ": a restart would fail: ")
    }

    /// A sentence for each name that has a text.
    fn sentences<'a>(
        self,
        named: impl Iterator<Item = (&'a str, Option<&'a str>)>,
        between: &str,
    ) -> Vec<String> {
        let texts = named.filter_map(|(name, text)| Some((name, text?)));
        let sentence = |(name, text): (&str, &str)| one_line(&format!("{name}{between}{text}"));
        texts.map(sentence).flat_map(|sentence| self.wrap("", &sentence)).collect()
    }

    /// Whether the line fits.
    pub(crate) fn fits(self, line: &str) -> bool {
        self.width.columns().is_none_or(|columns| console::measure_text_width(line) <= columns)
    }

    /// The parts of a sentence, joined, on as many lines as needed. A part that is too long for a line is broken
    /// between its words.
    pub(crate) fn flow(self, parts: &[String]) -> Vec<String> {
        let columns = self.width.columns().unwrap_or(usize::MAX);
        let mut lines: Vec<String> = Vec::new();
        for part in parts {
            match lines.last_mut() {
                Some(line)
                    if console::measure_text_width(line) + 2 + console::measure_text_width(part)
                        < columns =>
                {
                    line.push_str(", ");
                    line.push_str(part);
                }
                Some(line) => {
                    line.push(',');
                    lines.push(part.clone());
                }
                None => lines.push(part.clone()),
            }
        }
        let whole = |line: String| if self.fits(&line) { vec![line] } else { self.wrap("", &line) };
        lines.into_iter().flat_map(whole).collect()
    }

    /// Text broken between words, each line with `indent` in front.
    pub(crate) fn wrap(self, indent: &str, text: &str) -> Vec<String> {
        let columns = self.width.columns().map_or(usize::MAX, |columns| columns - indent.len());
        let mut lines = vec![String::new()];
        for word in text.split_whitespace() {
            let line = lines.last_mut().expect("there is always a last line");
            let width = console::measure_text_width(line);
            if width > 0 && width + 1 + console::measure_text_width(word) > columns {
                lines.push(word.into());
            } else {
                if width > 0 {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        lines.iter().map(|line| format!("{indent}{line}")).collect()
    }
}
