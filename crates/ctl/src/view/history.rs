//! Past runs with their histories, packages and uploads, as tables or step by step.

use answers::{Package, PastRun, UtcTime};

use super::{Canvas, table::table, upgrade::ended};
use crate::api::Upload;
use crate::terminal::Width;
use crate::text::{bytes, short};

/// The runs in a table.
pub(crate) fn runs(runs: &[PastRun], canvas: Canvas) -> Vec<String> {
    if runs.is_empty() {
        return vec!["No upgrade has been run yet.".into()];
    }
    let brief = canvas.width.columns().is_some();
    let row = |run: &PastRun| {
        let ending = run.ending();
        // `pitlane upgrade history RUN` shows what to do next.
        let ending = if brief { ending.split(';').next().unwrap_or_default() } else { ending };
        let took = run.ended_at.map_or("-".into(), |at| at.since(run.started_at).to_string());
        let change = format!("{} -> {}", run.source, run.target);
        vec![run.id.to_string(), change, run.started_at.to_string(), took, ending.to_string()]
    };
    let rows = runs.iter().map(row).collect();
    let headings = ["RUN", "UPGRADE", "STARTED", "TOOK", "OUTCOME"];
    let unbroken = Canvas { width: Width::Endless, ..canvas };
    let whole = table(unbroken, &headings, rows);
    let mut lines: Vec<String> = whole.iter().map(|line| canvas.cut(line)).collect();
    lines.extend(evicted(runs).into_iter().flat_map(|sentence| canvas.wrap("", &sentence)));
    lines
}

/// Messages about what is no longer kept: old runs, and steps of runs that are listed.
fn evicted(runs: &[PastRun]) -> Vec<String> {
    let first = runs.iter().map(|run| run.id).min().unwrap_or(1);
    let cut: Vec<String> =
        runs.iter().filter(|run| run.evicted() > 0).map(|run| run.id.to_string()).collect();
    let older = (first > 1).then(|| format!("Runs before {first} are not kept any more."));
    let steps = match cut.as_slice() {
        [] => None,
        [one] => Some(format!("Of run {one}, the oldest or all steps are not kept any more.")),
        [newest, .., oldest] => Some(format!(
            "Of {} runs from {oldest} to {newest}, the oldest or all steps are not kept any more.",
            cut.len()
        )),
    };
    older.into_iter().chain(steps).collect()
}

/// One run, step by step.
pub(crate) fn run(run: &PastRun, now: UtcTime, canvas: Canvas) -> Vec<String> {
    let mut lines = ended(run, now, canvas);
    lines.push(format!("started {}", run.started_at.ago(now)));
    lines.push(String::new());
    if run.evicted() > 0 {
        let gone = format!(
            "{} or more earlier entries of this run are not kept any more: the Management Node removes the oldest to \
             make room for newer runs.",
            run.evicted()
        );
        lines.extend(canvas.wrap("", &gone));
    }
    for fact in run.facts.iter().flatten() {
        let mut wrapped = canvas.wrap(&" ".repeat(22), &fact.text);
        wrapped[0].replace_range(..20, &fact.at.to_string());
        lines.extend(wrapped);
    }
    lines
}

/// The packages that the Management Node holds.
pub(crate) fn packages(packages: &[Package], now: UtcTime, canvas: Canvas) -> Vec<String> {
    if packages.is_empty() {
        return vec![
            "The Management Node holds no package; upload one with pitlane upgrade upload FILE.".into(),
        ];
    }
    let row = |package: &Package| {
        vec![
            package.release(),
            short(&package.manifest).to_string(),
            package.released.clone().unwrap_or_else(|| "-".into()),
            package.size.map_or("-".into(), bytes),
            package.uploaded_at.map_or("-".into(), |at| at.ago(now)),
            package.needed_for.clone().unwrap_or_else(|| "-".into()),
        ]
    };
    let headings = ["VERSION", "PACKAGE", "RELEASED", "SIZE", "UPLOADED", "NEEDED BECAUSE"];
    table(canvas, &headings, packages.iter().map(row).collect())
}

/// Uploads that are under way or have ended.
pub(crate) fn uploads(uploads: &[Upload], now: UtcTime, canvas: Canvas) -> Vec<String> {
    if uploads.is_empty() {
        return vec!["No package is being uploaded.".into()];
    }
    let row = |upload: &Upload| {
        let percent = upload.offset.saturating_mul(100).checked_div(upload.total_size).unwrap_or(0);
        vec![
            upload.uuid.clone(),
            if upload.idle { "interrupted".into() } else { upload.state.clone() },
            format!("{percent} % of {}", bytes(upload.total_size)),
            upload.owner.clone().unwrap_or_else(|| "-".into()),
            upload.last_activity.map_or("-".into(), |at| at.ago(now)),
            upload.error.clone().unwrap_or_default(),
        ]
    };
    let headings = ["UPLOAD", "STATE", "ARRIVED", "OWNER", "LAST BYTE", "REFUSED BECAUSE"];
    let columns = if uploads.iter().any(|upload| upload.error.is_some()) { 6 } else { 5 };
    let rows = uploads.iter().map(|upload| row(upload).into_iter().take(columns).collect()).collect();
    let mut lines = table(canvas, &headings[..columns], rows);
    if uploads.iter().any(|upload| upload.state == "uploading") {
        let advice = "Resume one by uploading the same file again, or remove it: pitlane upgrade uploads remove UPLOAD";
        lines.push(String::new());
        lines.extend(canvas.wrap("", advice));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::terminal::Paint;

    #[test]
    fn run_has_one_line_on_a_terminal_and_its_whole_outcome_elsewhere() {
        let outcome = "stopped at the overall limit; every node keeps the release it has";
        let object = json!({"id": 7, "source": "34.1 (34100)", "target": "34.2 (34200)",
            "started_at": "2026-11-23T18:00:00.000000", "ended_at": "2026-11-24T18:00:00.000000",
            "outcome": "limit_reached", "outcome_text": outcome});
        let run: PastRun = serde_json::from_value(object).unwrap();
        let listed = |width| runs(std::slice::from_ref(&run), Canvas { width, paint: Paint::Plain });
        let lines = listed(Width::Columns(100));
        assert!(lines[1].ends_with("stopped at the overall limit"), "{lines:#?}");
        let narrow = listed(Width::Columns(80));
        assert!(narrow[1].ends_with('…') && console::measure_text_width(&narrow[1]) <= 80, "{narrow:#?}");
        assert!(listed(Width::Endless)[1].ends_with(outcome));
    }
}
