//! Whether the demo has shown what it is to show.

use std::process::ExitCode;

use callers::call_log::{CallLog, Drain, DrainReport};
use callers::time::Millis;
use demo::Built;
use serde_json::Value;

use crate::history::History;
use crate::story::name;
use crate::table::{self, Row};

/// How many nodes may be out of service at one time (R2).
const PLACES: usize = 10;
/// How many calls must have lived through the whole drain of their node.
const LIVED_THROUGH: usize = 10;
/// How long before the drain's end its last calls may have ended: the node learns of a BYE, tells the
/// manager, and the manager writes it down.
const SLACK: Millis = Millis(1_500);

/// What came of the demo.
#[derive(Debug)]
pub(crate) struct Verdict {
    text: String,
    faults: Vec<String>,
}

impl Verdict {
    /// Judges the status at the end of the run, its history, and what the callers have written down.
    pub(crate) fn new(calls: usize, status: &Value, history: &History, ledger: &CallLog) -> Self {
        let nodes = status["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let rows: Vec<Row> = nodes.iter().map(|node| row(node, history, ledger)).collect();
        let mut faults: Vec<String> = ledger.failures().iter().map(ToString::to_string).collect();
        let behind = rows.iter().filter(|row| row.version != Built::NEXT.version);
        faults.extend(
            behind.map(|row| format!("{} runs {}, not {}", row.name, row.version, Built::NEXT.version)),
        );
        if status["last_run"]["outcome"] != "complete" {
            faults.push(format!("the run ended otherwise: {}", status["last_run"]["outcome_text"]));
        }
        let lived_through: usize = rows.iter().map(|row| row.drain.lived_through).sum();
        if lived_through < LIVED_THROUGH.min(rows.len()) {
            faults.push(format!("only {lived_through} calls lived through the whole drain of their node"));
        }
        let out = history.most_at_once();
        if out > PLACES {
            faults.push(format!("{out} nodes were out of service at one time, {PLACES} are allowed (R2)"));
        }
        let fewest = ledger.fewest_alive.unwrap_or_default();
        if fewest < calls {
            faults.push(format!("only {fewest} calls were alive at one time, {calls} were to be"));
        }
        let summary = table::summary(ledger, lived_through, fewest, out);
        Self { text: format!("\n{}\n\n{summary}", table::draw(&rows)), faults }
    }

    /// The table, the sums and the faults.
    pub(crate) fn text(&self) -> String {
        let faults: String = self.faults.iter().map(|fault| format!("\nFAULT: {fault}")).collect();
        let end = if self.is_good() { "\nEvery node is on the new release. No call was lost." } else { "" };
        format!("{}{faults}{end}", self.text)
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn row(node: &Value, history: &History, ledger: &CallLog) -> Row {
    let name = name(node);
    let phases = history.of(&name.0);
    let drain = match (phases.draining, phases.cleared) {
        (Some(from), Some(to)) => ledger.drain(&Drain { node: name.clone(), from, to, slack: SLACK }),
        (None, _) | (_, None) => DrainReport::default(),
    };
    let totals = ledger.by_node().remove(&name).unwrap_or_default();
    Row {
        name: name.0,
        version: node["version"].as_str().unwrap_or("-").to_owned(),
        drained: phases.draining.zip(phases.cleared).map(|(from, to)| to.since(from)),
        away: phases.cleared.zip(phases.upgraded).map(|(from, to)| to.since(from)),
        timeouts: phases.timeouts,
        drain,
        totals,
    }
}
