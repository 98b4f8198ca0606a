//! The changes between two answers, a line each, as `upgrade watch` prints them into a pipe. Pure; asking is done in
//! `commands::watch`.

use answers::{Node, UpgradeStatus};

use crate::api::release;
use crate::view::node_state::{runs, upgraded};

/// The changes since the answer before; everything when there was none.
pub(crate) fn changes(before: Option<&UpgradeStatus>, now: &UpgradeStatus) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(run_change(before, now));
    lines.extend(manager_change(before, now));
    for node in &now.nodes {
        let known = before.and_then(|view| view.nodes.iter().find(|known| known.name == node.name));
        lines.extend(node_change(known, node));
    }
    for node in before.iter().flat_map(|view| &view.nodes) {
        if !now.nodes.iter().any(|known| known.name == node.name) {
            lines.push(format!("{}: removed from the platform", node.name));
        }
    }
    lines.iter().map(|line| format!("{} {line}", now.now)).collect()
}

fn run_change(before: Option<&UpgradeStatus>, now: &UpgradeStatus) -> Option<String> {
    let known = before.and_then(|view| view.run.as_ref());
    let run = now.run.as_ref()?;
    let done = |view: &UpgradeStatus| upgraded(&view.nodes, &run.target);
    let same = known.is_some_and(|known| {
        known.id == run.id && known.lock == run.lock && known.paused.is_some() == run.paused.is_some()
    });
    let progress = format!("upgraded {} of {}", done(now), now.nodes.len());
    if same && before.is_some_and(|view| done(view) == done(now)) {
        return None;
    }
    if same {
        return Some(format!("run {}: {progress}, elapsed {}", run.id, now.now.since(run.started_at)));
    }
    Some(format!(
        "run {}: {} -> {}, {progress}, elapsed {}, limit in {}{}{}",
        run.id,
        run.source,
        run.target,
        now.now.since(run.started_at),
        run.limit.since(now.now),
        if run.paused.is_some() { ", paused" } else { "" },
        if run.lock == "lifted" { ", another may be started" } else { "" }
    ))
}

fn manager_change(before: Option<&UpgradeStatus>, now: &UpgradeStatus) -> Option<String> {
    let line_of = |view: &UpgradeStatus| {
        let manager = &view.manager;
        format!(
            "Management Node {}: {}, {}",
            manager.name,
            release(&manager.version, Some(manager.build)),
            manager.upgrade_status_text
        )
    };
    let line = line_of(now);
    (before.map(line_of).as_ref() != Some(&line)).then_some(line)
}

fn node_change(before: Option<&Node>, now: &Node) -> Option<String> {
    // What a node waits for changes with every second that passes; only its kind is a change.
    let kind = |node: &Node| node.waits.as_ref().map(|waits| (waits.waits_for.clone(), waits.is_stuck()));
    let of =
        |node: &Node| (node.upgrade_status_text.clone(), runs(node), kind(node), node.contact == "silent");
    if before.is_some_and(|before| of(before) == of(now)) {
        return None;
    }
    let mut line = format!("{}: {}, runs {}", now.name, now.upgrade_status_text, runs(now));
    if let Some(waits) = &now.waits_text {
        line.push_str(&format!(", {waits}"));
    }
    if now.contact == "silent" {
        line.push_str(", not heard at the moment");
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    #[test]
    fn first_answer_prints_everything() {
        let expected = "\
2026-11-23 18:05:52Z run 2: 34 (34000) -> 34.1 (34100), upgraded 1 of 5, elapsed 12 min, limit in 23 h 48 min
2026-11-23 18:05:52Z Management Node mgr: 34.1 (34100), No upgrade in progress
2026-11-23 18:05:52Z lon-10: Upgrade pending, runs 34 (34000), in the queue, 3 of 10 places are taken
2026-11-23 18:05:52Z lon-1: No upgrade in progress, runs 34.1 (34100)
2026-11-23 18:05:52Z lon-2: Waiting for calls to clear, runs 34 (34000), waiting for 3 calls, oldest 41 min, drain limit in 19 min
2026-11-23 18:05:52Z lon-3: Rebooting, runs 34 (34000), away for 12 s
2026-11-23 18:05:52Z osl-1: Could not communicate with conferencing node, runs 34 (34000), silent for 3 min";
        assert_eq!(changes(None, &samples::under_way()).join("\n"), expected);
    }

    #[test]
    fn passing_time_is_no_change() {
        let before = samples::under_way();
        let mut now = before.clone();
        now.now = answers::UtcTime(now.now.0 + jiff::SignedDuration::from_secs(60));
        now.nodes[2].waits_text = Some("waiting for 2 calls, oldest 42 min, drain limit in 18 min".into());
        assert_eq!(changes(Some(&before), &now), Vec::<String>::new());
    }

    #[test]
    fn change_is_a_line() {
        let before = samples::under_way();
        let mut now = before.clone();
        now.nodes[3] = samples::under_way().nodes.remove(1);
        now.nodes[3].name = "lon-3".into();
        now.nodes.remove(4);
        let expected = "\
2026-11-23 18:05:52Z run 2: upgraded 2 of 4, elapsed 12 min
2026-11-23 18:05:52Z lon-3: No upgrade in progress, runs 34.1 (34100)
2026-11-23 18:05:52Z osl-1: removed from the platform";
        assert_eq!(changes(Some(&before), &now).join("\n"), expected);
    }
}
