//! What came of the cases: a line while they are played, and at the end a list or a matrix.

use comfy_table::{Table, presets};
use demo::faults::{Case, Fault, Phase, Told, Verdict};

/// A case that was played, or that means nothing.
pub(crate) struct Played {
    pub(crate) case: Case,
    pub(crate) seconds: u64,
    pub(crate) result: Result<Verdict, &'static str>,
}

/// A case in one line.
pub(crate) fn line(played: &Played) -> String {
    cells(played).join(" | ")
}

fn cells(Played { case, seconds, result }: &Played) -> Vec<String> {
    let mut cells = vec![case.phase.to_string(), case.fault.to_string()];
    match result {
        Err(why) => cells.extend(["means nothing here".into(), String::new(), String::new(), (*why).into()]),
        Ok(Verdict::Broken(why)) => {
            cells.extend(["BROKEN".into(), seconds.to_string(), String::new(), why.clone()]);
        }
        Ok(Verdict::Held(Told { alive, ended, said, outcome, repeat })) => {
            let end = match repeat {
                None => outcome.clone(),
                Some(repeat) => format!("{outcome}, then {repeat}"),
            };
            cells.extend([end, seconds.to_string(), format!("{alive} / {ended}"), said.clone()]);
        }
    }
    cells
}

/// Every case with what was said in it.
pub(crate) fn list(played: &[Played]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["phase", "fault", "the run", "seconds", "calls / ended by the fault", "what was said"]);
    table.add_rows(played.iter().map(cells));
    table.to_string()
}

/// What came of each fault in each phase.
pub(crate) fn matrix(played: &[Played]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(std::iter::once("phase".to_owned()).chain(Fault::ALL.map(|fault| fault.to_string())));
    for phase in Phase::ALL {
        let cell = |fault| {
            let found = played.iter().find(|played| played.case == Case { phase, fault });
            found.map_or_else(String::new, in_short)
        };
        table.add_row(std::iter::once(phase.to_string()).chain(Fault::ALL.map(cell)));
    }
    table.to_string()
}

/// Whether the run went on to its end or a repeat was needed, and how many of the calls the fault ended.
fn in_short(played: &Played) -> String {
    match &played.result {
        Err(_) => "–".into(),
        Ok(Verdict::Broken(_)) => "BROKEN".into(),
        Ok(Verdict::Held(Told { alive, ended, repeat, .. })) => {
            let end = if repeat.is_none() { "goes on" } else { "repeat" };
            if *ended == 0 { end.into() } else { format!("{end} ({ended} of {alive})") }
        }
    }
}

/// How many cases there were, and what became of their calls.
pub(crate) fn sums(played: &[Played]) -> String {
    let count = |is: fn(&Played) -> bool| played.iter().filter(|played| is(played)).count();
    format!(
        "{} played, {} held, {} broken, {} mean nothing; of {} calls {} were ended by the fault itself",
        count(|played| played.result.is_ok()),
        count(|played| matches!(played.result, Ok(Verdict::Held(_)))),
        count(|played| matches!(played.result, Ok(Verdict::Broken(_)))),
        count(|played| played.result.is_err()),
        told(played).map(|told| told.alive).sum::<usize>(),
        told(played).map(|told| told.ended).sum::<usize>(),
    )
}

fn told(played: &[Played]) -> impl Iterator<Item = &Told> {
    played.iter().filter_map(|played| match &played.result {
        Ok(Verdict::Held(told)) => Some(told),
        Ok(Verdict::Broken(_)) | Err(_) => None,
    })
}
