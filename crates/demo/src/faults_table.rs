//! Prints the results of the fault matrix: a line for each case as it ends, then a list or a matrix.
//!
//! Formats only.

use comfy_table::{Table, presets};
use demo::faults::{Case, CaseReport, Fault, Phase, Verdict};

/// The result of a case, or why it is not applicable.
pub(crate) struct CaseResult {
    pub(crate) case: Case,
    pub(crate) seconds: u64,
    pub(crate) result: Result<Verdict, &'static str>,
}

/// A case in one line.
pub(crate) fn line(result: &CaseResult) -> String {
    cells(result).join(" | ")
}

fn cells(CaseResult { case, seconds, result }: &CaseResult) -> Vec<String> {
    let mut cells = vec![case.phase.to_string(), case.fault.to_string()];
    match result {
        Err(why) => cells.extend(["not applicable".into(), String::new(), String::new(), (*why).into()]),
        Ok(Verdict::Broken(why)) => {
            cells.extend(["BROKEN".into(), seconds.to_string(), String::new(), why.clone()]);
        }
        Ok(Verdict::Held(CaseReport { alive, ended, said, outcome, repeat })) => {
            let end = match repeat {
                None => outcome.clone(),
                Some(repeat) => format!("{outcome}, then {repeat}"),
            };
            cells.extend([end, seconds.to_string(), format!("{alive} / {ended}"), said.clone()]);
        }
    }
    cells
}

/// Every case with what was reported in it.
pub(crate) fn list(results: &[CaseResult]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["phase", "fault", "the run", "seconds", "calls / ended by the fault", "reported"]);
    table.add_rows(results.iter().map(cells));
    table.to_string()
}

/// The result of each fault in each phase.
pub(crate) fn matrix(results: &[CaseResult]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(std::iter::once("phase".to_owned()).chain(Fault::ALL.map(|fault| fault.to_string())));
    for phase in Phase::ALL {
        let cell = |fault| {
            let found = results.iter().find(|result| result.case == Case { phase, fault });
            found.map_or_else(String::new, summary)
        };
        table.add_row(std::iter::once(phase.to_string()).chain(Fault::ALL.map(cell)));
    }
    table.to_string()
}

/// Whether the run went on to its end or a repeat was needed, and the number of calls that the fault ended.
fn summary(result: &CaseResult) -> String {
    match &result.result {
        Err(_) => "–".into(),
        Ok(Verdict::Broken(_)) => "BROKEN".into(),
        Ok(Verdict::Held(CaseReport { alive, ended, repeat, .. })) => {
            let end = if repeat.is_none() { "goes on" } else { "repeat" };
            if *ended == 0 { end.into() } else { format!("{end} ({ended} of {alive})") }
        }
    }
}

/// The number of cases with each result, and of the calls in them.
pub(crate) fn totals(results: &[CaseResult]) -> String {
    let count = |is: fn(&CaseResult) -> bool| results.iter().filter(|result| is(result)).count();
    format!(
        "{} run, {} held, {} broken, {} not applicable; of {} calls {} were ended by the fault itself",
        count(|case| case.result.is_ok()),
        count(|case| matches!(case.result, Ok(Verdict::Held(_)))),
        count(|case| matches!(case.result, Ok(Verdict::Broken(_)))),
        count(|case| case.result.is_err()),
        reports(results).map(|report| report.alive).sum::<usize>(),
        reports(results).map(|report| report.ended).sum::<usize>(),
    )
}

fn reports(results: &[CaseResult]) -> impl Iterator<Item = &CaseReport> {
    results.iter().filter_map(|result| match &result.result {
        Ok(Verdict::Held(report)) => Some(report),
        Ok(Verdict::Broken(_)) | Err(_) => None,
    })
}
