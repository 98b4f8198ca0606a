//! The check before an upgrade: what it would do, with all blockers and warnings in the words of the Management Node.

use answers::{Check, Finding};

use super::Canvas;
use crate::api::release;
use crate::terminal::Tone;
use crate::text::{bytes, short};

/// Lines of release notes that are shown beside a check.
const NOTES_LINES: usize = 6;

/// What the upgrade does: from, to, and what is new.
pub(crate) fn purpose(check: &Check, canvas: Canvas) -> Vec<String> {
    let package = &check.package;
    let current = check.current.as_ref();
    let current = current.map_or_else(|| "not known".into(), |it| release(&it.version, Some(it.build)));
    let mut facts = vec![short(&package.manifest).to_string()];
    facts.extend(package.released.as_ref().map(|day| format!("released {day}")));
    facts.extend(package.size.map(bytes));
    let mut lines = vec![
        format!("Existing version: {current}"),
        format!("Upgrade version:  {}", package.release()),
        canvas.cut(&format!("Package:          {}", facts.join(", "))),
    ];
    let notes: Vec<&str> = package.notes.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    if !notes.is_empty() {
        lines.push("What is new:".into());
        lines.extend(notes.iter().take(NOTES_LINES).map(|line| canvas.cut(&format!("  {line}"))));
    }
    if notes.len() > NOTES_LINES {
        lines.push(format!("  … and {} more lines", notes.len() - NOTES_LINES));
    }
    lines
}

/// All blockers and warnings, and one line with the result.
pub(crate) fn verdict(check: &Check, canvas: Canvas) -> Vec<String> {
    let mut lines = items("blocked:", Tone::Bad, &check.blockers, canvas);
    lines.extend(warnings(&check.warnings, canvas));
    let closing = match (check.blockers.len(), check.warnings.len()) {
        (0, 0) => canvas.paint.tone(Tone::Good, "Nothing blocks the upgrade."),
        (0, 1) => "Nothing blocks the upgrade; read the warning.".into(),
        (0, _) => "Nothing blocks the upgrade; read the warnings.".into(),
        (1, _) => canvas.paint.tone(Tone::Bad, "The upgrade cannot start: there is 1 blocker."),
        (count, _) => {
            canvas.paint.tone(Tone::Bad, &format!("The upgrade cannot start: there are {count} blockers."))
        }
    };
    lines.push(closing);
    lines
}

/// All warnings.
pub(crate) fn warnings(all: &[Finding], canvas: Canvas) -> Vec<String> {
    items("warning:", Tone::Busy, all, canvas)
}

/// Blockers or warnings, each with a word before its wrapped text.
fn items(word: &str, tone: Tone, items: &[Finding], canvas: Canvas) -> Vec<String> {
    let indent = " ".repeat(word.len() + 1);
    let lines = items.iter().flat_map(|item| {
        let mut lines = canvas.wrap(&indent, &item.text);
        lines[0].replace_range(..word.len(), &canvas.paint.tone(tone, word));
        lines.extend(place(item).map(|place| canvas.cut(&format!("{indent}{place}"))));
        lines
    });
    lines.collect()
}

/// Where it is put right, and the rule that it holds.
fn place(Finding { rule, uri, .. }: &Finding) -> Option<String> {
    let uri = uri.as_ref()?;
    Some(rule.as_ref().map_or_else(|| uri.clone(), |rule| format!("{uri} ({rule})")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::terminal::{Paint, Width};

    /// Blockers of a rule each, as an answer has them, and warnings of a release that names neither rule nor place.
    fn check(blockers: &[&str], warnings: &[&str]) -> Check {
        let remarks = |texts: &[&str]| texts.iter().map(|text| json!({"text": text})).collect::<Vec<_>>();
        let uri = "/api/admin/configuration/v1/worker_vm/2/";
        let placed = |text: &&str| json!({"text": text, "rule": "R17", "uri": uri});
        serde_json::from_value(json!({
            "package": {"manifest": "0123456789abcdef".repeat(4), "version": "34.1", "build": 34100,
                "released": "2026-11-20", "size": 64_282_624, "notes": "New in 34.1\n\n- one\n- two\n"},
            "current": {"version": "34", "build": 34000},
            "blockers": blockers.iter().map(placed).collect::<Vec<_>>(), "warnings": remarks(warnings),
        }))
        .unwrap()
    }

    const CANVAS: Canvas = Canvas { width: Width::Columns(80), paint: Paint::Plain };

    #[test]
    fn purpose_of_the_upgrade_is_shown() {
        let expected = "\
Existing version: 34 (34000)
Upgrade version:  34.1 (34100)
Package:          0123456789ab, released 2026-11-20, 61.3 MiB
What is new:
  New in 34.1
  - one
  - two";
        assert_eq!(purpose(&check(&[], &[]), CANVAS).join("\n"), expected);
    }

    #[test]
    fn all_blockers_and_warnings_are_shown() {
        let blockers = [
            "lon-2 cannot be contacted; power it on, check its network, or remove it from the platform",
            "lon-3 runs 33, but this platform is upgraded from 34; upgrade or redeploy that node first",
        ];
        let expected = "\
blocked: lon-2 cannot be contacted; power it on, check its network, or remove it
         from the platform
         /api/admin/configuration/v1/worker_vm/2/ (R17)
blocked: lon-3 runs 33, but this platform is upgraded from 34; upgrade or
         redeploy that node first
         /api/admin/configuration/v1/worker_vm/2/ (R17)
warning: be warned
The upgrade cannot start: there are 2 blockers.";
        assert_eq!(verdict(&check(&blockers, &["be warned"]), CANVAS).join("\n"), expected);
        assert_eq!(verdict(&check(&[], &[]), CANVAS), ["Nothing blocks the upgrade."]);
    }
}
