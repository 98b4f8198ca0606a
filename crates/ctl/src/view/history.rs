//! Past runs.

use super::{Canvas, table::table, upgrade::ended};
use crate::api::{EndedRun, Package};
use crate::text::{bytes, short};
use crate::when::When;

/// The runs in a table.
pub(crate) fn runs(runs: &[EndedRun], canvas: Canvas) -> Vec<String> {
    if runs.is_empty() {
        return vec!["No upgrade has been run yet.".into()];
    }
    let row = |run: &EndedRun| {
        let took = run.ended_at.map_or("-".into(), |at| at.since(run.started_at).to_string());
        let change = format!("{} -> {}", run.source, run.target);
        vec![run.id.to_string(), change, run.started_at.to_string(), took, run.ending().to_string()]
    };
    table(canvas, &["RUN", "UPGRADE", "STARTED", "TOOK", "OUTCOME"], runs.iter().map(row).collect())
}

/// One run, step by step.
pub(crate) fn run(run: &EndedRun, now: When, canvas: Canvas) -> Vec<String> {
    let mut lines = ended(run, now, canvas);
    lines.push(format!("started {}", run.started_at.ago(now)));
    lines.push(String::new());
    for fact in &run.facts {
        let mut wrapped = canvas.wrap(&" ".repeat(22), &fact.text);
        wrapped[0].replace_range(..20, &fact.at.to_string());
        lines.extend(wrapped);
    }
    lines
}

/// The packages that the Management Node holds.
pub(crate) fn packages(packages: &[Package], now: When, canvas: Canvas) -> Vec<String> {
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
        ]
    };
    table(canvas, &["VERSION", "PACKAGE", "RELEASED", "SIZE", "UPLOADED"], packages.iter().map(row).collect())
}
