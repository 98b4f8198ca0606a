//! The Conferencing Nodes of a run, one or two rows each, within a width and a number of lines.

use answers::{Node, UpgradeStatus};
use console::measure_text_width;
use fleet::status::Status;

use super::Canvas;
use super::node_state::{node_state, runs};
use crate::terminal::Tone;

/// Widest name that is shown whole beside other columns.
const NAME_COLUMNS: usize = 24;

/// Widest status that widens its column: all but one of the eight. That one moves the rest of its row to the right.
const STATUS_COLUMNS: usize = 34;

/// Lines for the nodes that are left out.
const REST_LINES: usize = 2;

/// The layout of the rows: in columns if the width allows it, else with the words one after another.
struct Layout {
    name: usize,
    runs: usize,
    /// The width of the status column; none if there are no columns.
    status: Option<usize>,
}

impl Layout {
    fn of(nodes: &[&Node], canvas: Canvas) -> Self {
        let widest = |text: fn(&Node) -> String, most: usize| {
            let widths = nodes.iter().map(|node| measure_text_width(&text(node)));
            widths.filter(|width| *width <= most).fold(4, usize::max)
        };
        let longest_name = widest(|node| node.name.clone(), usize::MAX);
        let name = longest_name.min(NAME_COLUMNS);
        let status = widest(|node| node.upgrade_status_text.clone(), STATUS_COLUMNS);
        let wide = Self { name, runs: widest(runs, usize::MAX), status: Some(status) };
        let row = |node: &&Node| {
            format!("  {}{}  {}", wide.front(node), wide.status(node), waits(node).unwrap_or_default())
        };
        if nodes.iter().all(|node| canvas.fits(row(node).trim_end())) {
            return wide;
        }
        Self { name, runs: widest(version, usize::MAX), status: None }
    }

    /// Name and release; without columns, the build is left out.
    fn front(&self, node: &Node) -> String {
        let name = console::pad_str(&node.name, self.name, console::Alignment::Left, Some("…"));
        let runs = if self.status.is_some() { runs(node) } else { version(node) };
        format!("{name}  {runs:width$}  ", width = self.runs)
    }

    fn status(&self, node: &Node) -> String {
        let width = self.status.unwrap_or(0);
        format!("{:width$}", node.upgrade_status_text)
    }

    fn heading(&self) -> String {
        let mut line =
            format!("  {:name$}  {:runs$}  STATUS", "NODE", "RUNS", name = self.name, runs = self.runs);
        if let Some(width) = self.status {
            line.push_str(&" ".repeat(width.saturating_sub("STATUS".len())));
            line.push_str("  WAITS");
        }
        line
    }
}

/// The version alone: `34.1`.
fn version(node: &Node) -> String {
    let runs = runs(node);
    runs.split(" (").next().unwrap_or_default().to_string()
}

/// The nodes on at most `rows` lines, in the order of their names.
pub(super) fn nodes(view: &UpgradeStatus, canvas: Canvas, rows: usize) -> Vec<String> {
    let target = view.run.as_ref().map(|run| run.target.as_str());
    let target = target.or(view.last_run.as_ref().map(|run| run.target.as_str()));
    let mut all: Vec<&Node> = view.nodes.iter().collect();
    if all.is_empty() {
        return vec!["There are no Conferencing Nodes.".into()];
    }
    all.sort_by_key(|node| node_state(node, target));
    let layout = Layout::of(&all, canvas);
    let drawn: Vec<Vec<String>> = all.iter().map(|node| row(node, target, &layout, canvas)).collect();
    let shown = fitting(&drawn, rows.saturating_sub(1));
    let mut kept: Vec<(&str, Vec<String>)> =
        all.iter().map(|node| node.name.as_str()).zip(drawn).take(shown).collect();
    kept.sort_by_key(|(name, _)| natural(name));
    let mut lines = vec![canvas.cut(&canvas.paint.tone(Tone::Quiet, &layout.heading()))];
    lines.extend(kept.into_iter().flat_map(|(_, lines)| lines));
    if shown < all.len() {
        lines.extend(rest(&all[shown..], canvas).into_iter().take(REST_LINES));
    }
    lines
}

/// How many of the drawn nodes fit, with lines left to count those that do not.
fn fitting(drawn: &[Vec<String>], rows: usize) -> usize {
    let lines: usize = drawn.iter().map(Vec::len).sum();
    if lines <= rows {
        return drawn.len();
    }
    let mut left = rows.saturating_sub(REST_LINES);
    drawn
        .iter()
        .take_while(|lines| {
            let fits = lines.len() <= left;
            left = left.saturating_sub(lines.len());
            fits
        })
        .count()
}

/// The nodes that were left out, counted by their status.
fn rest(nodes: &[&Node], canvas: Canvas) -> Vec<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for node in nodes {
        let text = node.upgrade_status_text.as_str();
        match counts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => counts.push((text, 1)),
        }
    }
    let counts: Vec<String> = counts.iter().map(|(text, count)| format!("{count} {text}")).collect();
    canvas.wrap("  ", &format!("and {} more: {}", nodes.len(), counts.join(", ")))
}

/// Names in the order that people count: `lon-2` before `lon-10`.
pub(crate) fn natural(name: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[text..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| text + end);
        parts.push((rest[text..digits].parse().unwrap_or(0), rest[..text].to_string()));
        rest = &rest[digits..];
    }
    // The text before a number counts before the number.
    parts.into_iter().flat_map(|(number, text)| [(0, text), (number, String::new())]).collect()
}

/// A node on one line if all columns fit, else in a shorter form, with a second line if that is still too long.
fn row(node: &Node, target: Option<&str>, layout: &Layout, canvas: Canvas) -> Vec<String> {
    let state = node_state(node, target);
    let paint = |text: &str| canvas.paint.tone(state.tone(), text.trim_end());
    let front = format!("{} {}", state.mark(), layout.front(node));
    let waits = waits(node);
    let whole = match &waits {
        Some(waits) => format!("{front}{}  {waits}", layout.status(node)),
        None => format!("{front}{}", node.upgrade_status_text),
    };
    if canvas.fits(&whole) {
        return vec![paint(&whole)];
    }
    let mut lines = vec![canvas.cut(&paint(&format!("{front}{}", node.upgrade_status_text)))];
    let indent = " ".repeat(measure_text_width(&front) + 2);
    lines.extend(canvas.wrap(&indent, &waits.unwrap_or_default()).iter().map(|line| paint(line)));
    lines
}

/// What a node waits for, and whether it reports.
fn waits(node: &Node) -> Option<String> {
    let silent = node.contact == "silent" && node.upgrade_status != Some(Status::Rebooting);
    if node.contact == "never" && node.waits_text.is_none() {
        return Some("never heard; carry its enrolment file to its machine".into());
    }
    match (&node.waits_text, silent) {
        (Some(waits), true) => Some(format!("{waits}, not heard at the moment")),
        (Some(waits), false) => Some(waits.clone()),
        (None, true) => Some("not heard at the moment".into()),
        (None, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_natural_order() {
        let mut names = ["lon-10", "lon-2", "b", "lon-1a", "lon-1", "lon"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["b", "lon", "lon-1", "lon-1a", "lon-2", "lon-10"]);
    }
}
