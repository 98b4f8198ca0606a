//! Where every node is: the answer to `upgrade status`, and what `upgrade watch` draws.

use console::measure_text_width;
use fleet::time::Span;

use super::Canvas;
use crate::api::{EndedRun, Node, Run, Tally, UpgradeStatus, release};
use crate::terminal::Tone;
use crate::when::When;

/// Widest name that is shown whole beside other columns.
const NAME_COLUMNS: usize = 24;

/// Widest status that widens its column: all but one of the eight. That one pushes its row's rest
/// to the right.
const STATUS_COLUMNS: usize = 34;

/// Lines for the nodes that are left out.
const REST_LINES: usize = 2;

/// How a node stands, for the mark in front of it and its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Somebody must look at it.
    Trouble,
    /// Under way.
    UnderWay,
    /// Not yet.
    Waiting,
    /// Runs what the run brings.
    Upgraded,
    /// In no run.
    AtRest,
}

impl Standing {
    fn mark(self) -> char {
        match self {
            Self::Trouble => '!',
            Self::UnderWay => '>',
            Self::Waiting => '.',
            Self::Upgraded => '+',
            Self::AtRest => ' ',
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Trouble => Tone::Bad,
            Self::UnderWay => Tone::Busy,
            Self::Waiting => Tone::Quiet,
            Self::Upgraded => Tone::Good,
            Self::AtRest => Tone::Plain,
        }
    }
}

/// What a node runs, `-` when that is not known.
pub(crate) fn runs(node: &Node) -> String {
    node.version.as_deref().map_or("-".into(), |version| release(version, node.build))
}

/// How a node stands in a run to `target`.
pub(crate) fn standing(node: &Node, target: Option<&str>) -> Standing {
    let waits = node.waits.as_ref();
    let failed = waits.is_some_and(|waits| waits.stuck || waits.waits_for == "failed");
    match node.upgrade_status.as_str() {
        _ if failed => Standing::Trouble,
        "UNREACHABLE" => Standing::Trouble,
        "PENDING" | "TIMEOUT" => Standing::Waiting,
        "IDLE" if target.is_some_and(|target| runs(node) == target) => Standing::Upgraded,
        "IDLE" => Standing::AtRest,
        _ => Standing::UnderWay,
    }
}

/// How many nodes run `target`.
pub(crate) fn upgraded(nodes: &[Node], target: &str) -> usize {
    nodes.iter().filter(|node| runs(node) == target).count()
}

/// Everything there is to say, without a limit on the lines.
pub(crate) fn status(view: &UpgradeStatus, canvas: Canvas) -> Vec<String> {
    let mut lines = head(view, canvas);
    lines.push(String::new());
    lines.extend(nodes(view, canvas, usize::MAX));
    lines.extend(calls(view, canvas));
    lines
}

/// The same on at most `rows` lines: nodes that are of least interest are left out and counted.
pub(crate) fn screen(view: &UpgradeStatus, canvas: Canvas, rows: usize) -> Vec<String> {
    let mut lines = head(view, canvas);
    lines.push(String::new());
    let left = rows.saturating_sub(lines.len());
    lines.extend(nodes(view, canvas, left));
    lines
}

/// The run, or what was before, and the Management Node.
pub(crate) fn head(view: &UpgradeStatus, canvas: Canvas) -> Vec<String> {
    let manager = &view.manager;
    let manager = format!(
        "Management Node {}: {}, {}",
        manager.name,
        release(&manager.version, Some(manager.build)),
        manager.upgrade_status_text
    );
    let mut lines = match &view.run {
        Some(run) => run_lines(run, view, canvas),
        None => rest_lines(view, canvas),
    };
    lines.push(canvas.cut(&manager));
    lines
}

fn run_lines(run: &Run, view: &UpgradeStatus, canvas: Canvas) -> Vec<String> {
    let done = upgraded(&view.nodes, &run.target);
    let title = format!("Upgrade run {}: {} -> {}", run.id, run.source, run.target);
    let title = canvas.paint.tone(Tone::Strong, &title);
    let mut lines = vec![canvas.cut(&format!("{title}  {}", bar(done, view.nodes.len())))];
    let mut parts = vec![
        format!("upgraded {done} of {}", view.nodes.len()),
        format!("places taken {} of {}", run.places_taken, run.places),
        format!("elapsed {}", view.now.since(run.started_at)),
    ];
    parts.push(match run.limit > view.now {
        true => format!("limit in {}", run.limit.since(view.now)),
        false => "limit reached".into(),
    });
    lines.extend(canvas.flow(&parts));
    let moments = [format!("started {}", run.started_at), format!("ends {} at the latest", run.limit)];
    lines.extend(canvas.flow(&moments));
    if run.lock == "lifted" {
        let lifted =
            "The Management Node was rebooted since: another upgrade may be started, which ends this one.";
        lines.extend(canvas.wrap("", lifted));
    }
    lines
}

fn rest_lines(view: &UpgradeStatus, canvas: Canvas) -> Vec<String> {
    let mut lines = vec![canvas.paint.tone(Tone::Strong, "No upgrade is under way.")];
    if let Some(run) = &view.last_run {
        lines.extend(ended(run, view.now, canvas));
    }
    lines
}

/// How a run ended.
pub(crate) fn ended(run: &EndedRun, now: When, canvas: Canvas) -> Vec<String> {
    let tone = if run.outcome.as_deref() == Some("complete") { Tone::Good } else { Tone::Bad };
    let ending = canvas.paint.tone(tone, run.ending());
    let mut parts = vec![format!("Run {}: {} -> {}: {ending}", run.id, run.source, run.target)];
    if let Some(at) = run.ended_at {
        parts.push(format!("ended {}", at.ago(now)));
        parts.push(format!("took {}", at.since(run.started_at)));
    }
    canvas.flow(&parts)
}

/// `[=====>    ]`: how much of all.
fn bar(done: usize, all: usize) -> String {
    const CELLS: usize = 20;
    let full = (done * CELLS).checked_div(all).unwrap_or(0).min(CELLS);
    let head = if full < CELLS { ">" } else { "" };
    format!("[{}{head}{}]", "=".repeat(full), " ".repeat(CELLS - full - head.len()))
}

/// How the rows are laid out: in columns where there is room, with the words one after another where
/// there is not.
struct Layout {
    name: usize,
    runs: usize,
    /// The status' column; none when it is as wide as its words.
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

    /// Name and release. Without room, the build is left out.
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
fn nodes(view: &UpgradeStatus, canvas: Canvas, rows: usize) -> Vec<String> {
    let target = view.run.as_ref().map(|run| run.target.as_str());
    let target = target.or(view.last_run.as_ref().map(|run| run.target.as_str()));
    let mut all: Vec<&Node> = view.nodes.iter().collect();
    if all.is_empty() {
        return vec!["There are no Conferencing Nodes.".into()];
    }
    all.sort_by_key(|node| standing(node, target));
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

/// How many of the drawn nodes fit, with lines to spare for those that do not.
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

/// A node on one line when all columns fit, else without what can be spared, and on a second line
/// where even that is too long.
fn row(node: &Node, target: Option<&str>, layout: &Layout, canvas: Canvas) -> Vec<String> {
    let standing = standing(node, target);
    let paint = |text: &str| canvas.paint.tone(standing.tone(), text.trim_end());
    let front = format!("{} {}", standing.mark(), layout.front(node));
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

/// What a node waits for, and whether it is heard.
fn waits(node: &Node) -> Option<String> {
    let silent = node.contact == "silent" && node.upgrade_status != "REBOOTING";
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

/// The platform's calls, where they are known.
fn calls(view: &UpgradeStatus, canvas: Canvas) -> Vec<String> {
    let known: Vec<u64> = view.nodes.iter().filter_map(|node| node.calls).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let mut now = format!("Calls: {} now", known.iter().sum::<u64>());
    if known.len() < view.nodes.len() {
        now.push_str(&format!(" on {} of {} nodes", known.len(), view.nodes.len()));
    }
    let mut parts = vec![now];
    let tallies: Vec<Tally> = view.nodes.iter().filter_map(|node| node.tally).collect();
    if !tallies.is_empty() {
        let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
        parts.push(format!("carried {}", sum(|tally| tally.carried)));
        parts.push(format!("refused in maintenance mode {}", sum(|tally| tally.refused_maintenance)));
        parts.push(format!("refused otherwise {}", sum(|tally| tally.refused_other)));
        parts.push(format!("vanished {}", sum(|tally| tally.vanished)));
    }
    [String::new()].into_iter().chain(canvas.flow(&parts)).collect()
}

/// What the silence of the Management Node means.
pub(crate) fn absence(view: &UpgradeStatus) -> &'static str {
    match view.run.as_ref().is_some_and(|run| run.manager_step != "confirmed") {
        true => "the Management Node is restarting into its new release",
        false => "the Management Node does not answer; the nodes go on by themselves",
    }
}

/// What stands above the last known picture while the Management Node does not answer.
pub(crate) fn absence_lines(view: &UpgradeStatus, silent: Span, canvas: Canvas) -> Vec<String> {
    let line = format!("For {silent} now {}. What follows was so at {}.", absence(view), view.now.clock());
    canvas.wrap("", &line).iter().map(|line| canvas.paint.tone(Tone::Bad, line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::{Paint, Width};
    use crate::view::samples;

    fn canvas(columns: usize) -> Canvas {
        Canvas { width: Width::Columns(columns), paint: Paint::Plain }
    }

    fn check(lines: &[String], columns: usize, expected: &str) {
        let text = lines.join("\n");
        assert_eq!(text, expected.trim_matches('\n'), "\n{text}\n");
        assert!(
            lines.iter().all(|line| measure_text_width(line) <= columns),
            "wider than {columns}:\n{text}"
        );
    }

    #[test]
    fn a_run_is_told_on_eighty_columns() {
        let expected = "\
Upgrade run 2: 34 (34000) -> 34.1 (34100)  [====>               ]
upgraded 1 of 5, places taken 3 of 10, elapsed 12 min, limit in 23 h 48 min
started 2026-11-23 17:53:52Z, ends 2026-11-24 17:53:52Z at the latest
Management Node mgr: 34.1 (34100), No upgrade in progress

  NODE    RUNS  STATUS
+ lon-1   34.1  No upgrade in progress
> lon-2   34    Waiting for calls to clear
                  waiting for 3 calls, oldest 41 min, drain limit in 19 min
> lon-3   34    Rebooting  away for 12 s
. lon-10  34    Upgrade pending  in the queue, 3 of 10 places are taken
! osl-1   34    Could not communicate with conferencing node  silent for 3 min";
        check(&screen(&samples::under_way(), canvas(80), 40), 80, expected);
    }

    #[test]
    fn a_run_is_told_on_a_hundred_and_twenty_columns() {
        let expected = "\
Upgrade run 2: 34 (34000) -> 34.1 (34100)  [====>               ]
upgraded 1 of 5, places taken 3 of 10, elapsed 12 min, limit in 23 h 48 min
started 2026-11-23 17:53:52Z, ends 2026-11-24 17:53:52Z at the latest
Management Node mgr: 34.1 (34100), No upgrade in progress

  NODE    RUNS          STATUS                      WAITS
+ lon-1   34.1 (34100)  No upgrade in progress
> lon-2   34 (34000)    Waiting for calls to clear  waiting for 3 calls, oldest 41 min, drain limit in 19 min
> lon-3   34 (34000)    Rebooting                   away for 12 s
. lon-10  34 (34000)    Upgrade pending             in the queue, 3 of 10 places are taken
! osl-1   34 (34000)    Could not communicate with conferencing node  silent for 3 min";
        check(&screen(&samples::under_way(), canvas(120), 40), 120, expected);
    }

    #[test]
    fn when_the_screen_is_short_the_nodes_of_least_interest_are_counted() {
        let expected = "\
Upgrade run 2: 34 (34000) -> 34.1 (34100)  [====>               ]
upgraded 1 of 5, places taken 3 of 10, elapsed 12 min, limit in 23 h 48 min
started 2026-11-23 17:53:52Z, ends 2026-11-24 17:53:52Z at the latest
Management Node mgr: 34.1 (34100), No upgrade in progress

  NODE    RUNS  STATUS
> lon-2   34    Waiting for calls to clear
                  waiting for 3 calls, oldest 41 min, drain limit in 19 min
! osl-1   34    Could not communicate with conferencing node  silent for 3 min
  and 3 more: 1 Rebooting, 1 Upgrade pending, 1 No upgrade in progress";
        check(&screen(&samples::under_way(), canvas(80), 11), 80, expected);
    }

    #[test]
    fn without_a_run_the_last_one_is_told_and_the_calls() {
        let expected = "\
No upgrade is under way.
Run 2: 34 (34000) -> 34.1 (34100): complete,
ended 2026-11-23 18:35:52Z (30 min ago), took 42 min
Management Node mgr: 34.1 (34100), No upgrade in progress

  NODE   RUNS          STATUS                  WAITS
+ lon-1  34.1 (34100)  No upgrade in progress

Calls: 3 now, carried 10, refused in maintenance mode 2, refused otherwise 0,
vanished 0";
        check(&status(&samples::ended("complete"), canvas(80)), 80, expected);
    }

    #[test]
    fn while_the_management_node_restarts_it_says_so() {
        let mut view = samples::under_way();
        view.run.as_mut().unwrap().manager_step = "installing".into();
        let expected = "\
For 12 s now the Management Node is restarting into its new release. What
follows was so at 18:05:52Z.";
        check(&absence_lines(&view, Span::seconds(12), canvas(80)), 80, expected);
    }

    #[test]
    fn a_node_that_needs_a_look_says_so_whatever_its_status() {
        let mut node = samples::under_way().nodes.remove(3);
        assert_eq!(standing(&node, None), Standing::UnderWay);
        node.waits.as_mut().unwrap().stuck = true;
        assert_eq!(standing(&node, None), Standing::Trouble);
    }

    #[test]
    fn colours_add_no_width_and_no_words() {
        let colours = Canvas { paint: Paint::Coloured, ..canvas(80) };
        let drawn = screen(&samples::under_way(), colours, 40);
        let plain = screen(&samples::under_way(), canvas(80), 40);
        let bare: Vec<String> =
            drawn.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect();
        assert_eq!(bare, plain);
        assert_ne!(drawn, plain);
    }

    #[test]
    fn names_are_ordered_as_people_count() {
        let mut names = ["lon-10", "lon-2", "b", "lon-1a", "lon-1", "lon"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["b", "lon", "lon-1", "lon-1a", "lon-2", "lon-10"]);
    }
}
