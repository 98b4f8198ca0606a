//! Decides whether the demo succeeded: no call lost, every node upgraded, never more nodes out of service than
//! allowed.
//!
//! Reads the final status, the history of the run and the callers' log. Runs no command.

use std::process::ExitCode;

use callers::call_log::{CallLog, Drain, DrainReport, NodeName};
use callers::time::Millis;
use demo::Built;
use serde_json::Value;

use crate::history::History;
use crate::table::{self, Row};

/// The number of nodes that may be out of service at the same time (R2).
const PLACES: usize = 10;
/// The number of calls that must have lived through the whole drain of their node.
const LIVED_THROUGH: usize = 10;
/// How long before the recorded end of a drain its last call may have ended: the node receives the BYE and
/// reports to the manager, which then records the end.
const SLACK: Millis = Millis(1_500);

/// The result of the demo.
#[derive(Debug)]
pub(crate) struct Verdict {
    text: String,
    faults: Vec<String>,
}

impl Verdict {
    /// Checks the final status, the history of the run, and the log of the callers.
    pub(crate) fn new(calls: usize, status: &Value, history: &History, log: &CallLog) -> Self {
        let nodes = status["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let rows: Vec<Row> = nodes.iter().map(|node| row(node, history, log)).collect();
        let mut faults: Vec<String> = log.failures().iter().map(ToString::to_string).collect();
        let behind = rows.iter().filter(|row| row.version != Built::NEXT.version);
        faults.extend(
            behind.map(|row| format!("{} runs {}, not {}", row.name, row.version, Built::NEXT.version)),
        );
        if status["last_run"]["outcome"] != "complete" {
            faults.push(format!("the run did not complete: {}", status["last_run"]["outcome_text"]));
        }
        let lived_through: usize = rows.iter().map(|row| row.drain.lived_through).sum();
        if lived_through < LIVED_THROUGH.min(rows.len()) {
            faults.push(format!("only {lived_through} calls lived through the whole drain of their node"));
        }
        let out = history.most_at_once();
        if out > PLACES {
            faults.push(format!("{out} nodes were out of service at one time, {PLACES} are allowed (R2)"));
        }
        let fewest = log.fewest_alive.unwrap_or_default();
        if fewest < calls {
            faults.push(format!("only {fewest} calls were alive at one time, {calls} were requested"));
        }
        let summary = table::summary(log, lived_through, fewest, out);
        Self { text: format!("\n{}\n\n{summary}", table::draw(&rows)), faults }
    }

    /// The table, the totals and the faults.
    pub(crate) fn text(&self) -> String {
        let faults: String = self.faults.iter().map(|fault| format!("\nFAULT: {fault}")).collect();
        let end = if self.is_good() { "\nEvery node is on the new release. No call was lost." } else { "" };
        format!("{}{faults}{end}", self.text)
    }

    /// Whether there is no fault.
    pub(crate) fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// A node's name in the callers' log.
fn name(node: &Value) -> NodeName {
    NodeName(node["name"].as_str().unwrap_or_default().to_owned())
}

fn row(node: &Value, history: &History, log: &CallLog) -> Row {
    let name = name(node);
    let phases = history.of(&name.0);
    let drain = match (phases.draining, phases.cleared) {
        (Some(from), Some(to)) => log.drain(&Drain { node: name.clone(), from, to, slack: SLACK }),
        (None, _) | (_, None) => DrainReport::default(),
    };
    let totals = log.by_node().remove(&name).unwrap_or_default();
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
