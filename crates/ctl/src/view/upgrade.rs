//! The output of `upgrade status` and `upgrade watch`: the run, the Management Node and the calls. The Conferencing
//! Nodes are in `rows`.

use answers::{PastRun, Paused, Run, Tally, UpgradeStatus, UtcTime};
use fleet::time::Span;

use super::Canvas;
use super::check::warnings;
use super::node_state::upgraded;
use super::rows::nodes;
use crate::api::release;
use crate::terminal::Tone;
use crate::text::sanitized;

/// The whole status, without a limit on the lines.
pub(crate) fn status(view: &UpgradeStatus, canvas: Canvas) -> Vec<String> {
    let mut lines = head(view, canvas);
    lines.push(String::new());
    lines.extend(nodes(view, canvas, usize::MAX));
    let manager = (view.manager.name.as_str(), view.manager.start_fault.as_deref());
    let machines = view.nodes.iter().map(|node| (node.name.as_str(), node.start_fault.as_deref()));
    lines.extend(canvas.start_faults(std::iter::once(manager).chain(machines)));
    lines.extend(warnings(&view.warnings, canvas));
    lines.extend(calls(view, canvas));
    lines
}

/// The same on at most `rows` lines: the least interesting nodes are left out and counted.
pub(crate) fn screen(view: &UpgradeStatus, canvas: Canvas, rows: usize) -> Vec<String> {
    let mut lines = head(view, canvas);
    lines.push(String::new());
    let left = rows.saturating_sub(lines.len());
    lines.extend(nodes(view, canvas, left));
    lines
}

/// The run, or the last one, and the Management Node.
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
    if let Some(Paused { since, by, why }) = &run.paused {
        let why = if why.is_empty() { String::new() } else { format!(": {}", sanitized(why)) };
        let paused = format!(
            "Paused by {} {}{why}. No further node is taken; go on with: pitlane upgrade resume",
            sanitized(by),
            since.ago(view.now)
        );
        lines.extend(canvas.wrap("", &paused));
    }
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
pub(crate) fn ended(run: &PastRun, now: UtcTime, canvas: Canvas) -> Vec<String> {
    let tone = if run.outcome.as_deref() == Some("complete") { Tone::Good } else { Tone::Bad };
    let ending = canvas.paint.tone(tone, run.ending());
    let mut parts = vec![format!("Run {}: {} -> {}: {ending}", run.id, run.source, run.target)];
    if let Some(at) = run.ended_at {
        parts.push(format!("ended {}", at.ago(now)));
        parts.push(format!("took {}", at.since(run.started_at)));
    }
    canvas.flow(&parts)
}

/// A progress bar: `[=====>    ]`.
fn bar(done: usize, all: usize) -> String {
    const CELLS: usize = 20;
    let full = (done * CELLS).checked_div(all).unwrap_or(0).min(CELLS);
    let head = if full < CELLS { ">" } else { "" };
    format!("[{}{head}{}]", "=".repeat(full), " ".repeat(CELLS - full - head.len()))
}

/// The platform's calls, where they are known.
fn calls(view: &UpgradeStatus, canvas: Canvas) -> Vec<String> {
    let known: Vec<u32> = view.nodes.iter().filter_map(|node| node.calls).collect();
    if known.is_empty() {
        return Vec::new();
    }
    let mut now = format!("Calls: {} now", known.iter().sum::<u32>());
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

/// Why the Management Node does not answer, from the last known status.
pub(crate) fn absence(view: &UpgradeStatus) -> &'static str {
    match view.run.as_ref().is_some_and(|run| run.manager_step != "confirmed") {
        true => "the Management Node is restarting into its new release",
        false => "the Management Node does not answer; the nodes go on by themselves",
    }
}

/// The lines above the last known status while the Management Node does not answer.
pub(crate) fn absence_lines(view: &UpgradeStatus, silent: Span, canvas: Canvas) -> Vec<String> {
    let line =
        format!("No answer for {silent}: {}. The status below is of {}.", absence(view), view.now.clock());
    canvas.wrap("", &line).iter().map(|line| canvas.paint.tone(Tone::Bad, line)).collect()
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

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
    fn run_is_shown_on_eighty_columns() {
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
    fn paused_run_says_who_paused_it_why_and_how_it_goes_on() {
        let mut status = samples::under_way();
        let since = status.now;
        let paused = Paused { since, by: "ann".into(), why: "the board meets".into() };
        status.run.as_mut().unwrap().paused = Some(paused);
        let shown = screen(&status, canvas(80), 40).join("\n");
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected = "Paused by ann 2026-11-23 18:05:52Z (0 s ago): the board meets. No further node is taken; go on with: \
                        pitlane upgrade resume";
        assert!(shown.contains(expected), "{shown}");
    }

    #[test]
    fn run_is_shown_on_a_hundred_and_twenty_columns() {
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
    fn last_run_and_calls_are_shown_when_no_run_is_under_way() {
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
    fn warning_of_a_companion_system_is_shown_with_its_rule_and_place_r28() {
        let mut view = samples::ended("complete");
        let uri = "/api/admin/configuration/v1/companion_system/1/";
        let warning = serde_json::json!({"text": "teams runs 34", "rule": "R28", "uri": uri});
        view.warnings = vec![serde_json::from_value(warning).unwrap()];
        let lines = status(&view, canvas(80));
        let at = lines.iter().position(|line| line == "warning: teams runs 34").expect("no warning");
        assert_eq!(lines[at + 1].trim(), format!("{uri} (R28)"));
    }

    #[test]
    fn outcome_that_is_longer_than_a_line_is_wrapped() {
        let mut view = samples::ended("manager_failed");
        let run = view.last_run.as_mut().unwrap();
        run.outcome_text = Some(
            "the Management Node went back to its old release and no node was touched: crashed at start, exit \
             status 1, in the last of 3 tries"
                .into(),
        );
        let expected = "\
Run 2: 34 (34000) -> 34.1 (34100): the Management Node went back to its old
release and no node was touched: crashed at start, exit status 1, in the last of
3 tries,
ended 2026-11-23 18:35:52Z (30 min ago), took 42 min";
        check(&ended(view.last_run.as_ref().unwrap(), view.now, canvas(80)), 80, expected);
    }

    #[test]
    fn restart_of_the_management_node_is_shown() {
        let mut view = samples::under_way();
        view.run.as_mut().unwrap().manager_step = "installing".into();
        let expected = "\
No answer for 12 s: the Management Node is restarting into its new release. The
status below is of 18:05:52Z.";
        check(&absence_lines(&view, Span::seconds(12), canvas(80)), 80, expected);
    }

    #[test]
    fn colours_change_neither_width_nor_words() {
        let colours = Canvas { paint: Paint::Coloured, ..canvas(80) };
        let drawn = screen(&samples::under_way(), colours, 40);
        let plain = screen(&samples::under_way(), canvas(80), 40);
        let bare: Vec<String> =
            drawn.iter().map(|line| console::strip_ansi_codes(line).into_owned()).collect();
        assert_eq!(bare, plain);
        assert_ne!(drawn, plain);
    }
}
