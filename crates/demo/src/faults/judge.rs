//! What a case has come to: whether the run said what it must, and whether a call was lost that the fault
//! itself did not end.

use callers::CallLog;
use callers::call_log::Failure;
use serde_json::Value;

use super::fault::{Fault, Victim};
use super::phase::Phase;
use super::scene::{SILENT, STRUCK, Scene, all, of, waits, words};
use super::trail::Trail;

/// What a disk that refuses makes a program say.
const OF_THE_DISK: [&str; 4] = ["No space left", "free space", "disk is full", "check the disk"];
/// What a damaged package makes the manager say.
const OF_THE_PACKAGE: [&str; 3] = ["piece", "changed", "refused"];

impl Scene {
    /// Why the run does not go on, as somebody can read it now: in the status, or in the log of the machine
    /// that was struck. `None` as long as nothing is said.
    pub(crate) fn reason(
        &self,
        fault: Fault,
        phase: Phase,
        status: Option<&Value>,
        logs: &Logs,
    ) -> Option<String> {
        match fault {
            Fault::NodeKilled | Fault::NodeHung | Fault::NodeCutOff => {
                let status = status.filter(|status| words(status, STRUCK) == SILENT)?;
                Some(format!("node2: {SILENT}: {}", waits(status, STRUCK)))
            }
            Fault::ManagerKilled => status.is_none().then(|| "the manager does not answer".to_owned()),
            Fault::ManagerCutOff => {
                let lost = |status: &&Value| all().all(|node| of(status, node)["contact"] == "lost");
                let status = status.filter(lost)?;
                Some(format!("contact with every node is lost; node2: {}", words(status, STRUCK)))
            }
            Fault::DiskFull | Fault::WriteError => match fault.victim(phase) {
                Victim::Node => of_the_node(status?)
                    .or_else(|| logs.node.last_with(&OF_THE_DISK).map(|line| spoken("node2", &line))),
                Victim::Manager => {
                    logs.manager.last_with(&OF_THE_DISK).map(|line| spoken("the manager", &line))
                }
            },
            Fault::DamagedTransfer => {
                of_the_node(status?).filter(|why| OF_THE_PACKAGE.iter().any(|it| why.contains(it)))
            }
            Fault::SlowLink => None,
        }
    }
}

/// The logs since the fault was made.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    pub(crate) manager: Trail,
    pub(crate) node: Trail,
}

/// What a line of a log says, without its time and its place in the program.
fn spoken(who: &str, line: &str) -> String {
    let level = ["ERROR ", "WARN ", "INFO "].into_iter().find_map(|level| line.split_once(level));
    let said = level.and_then(|(_, rest)| rest.split_once(": ")).map_or(line, |(_, said)| said);
    format!("the log of {who}: {said}")
}

/// Why the struck node was not upgraded, as the status says.
fn of_the_node(status: &Value) -> Option<String> {
    let why = waits(status, STRUCK);
    why.starts_with("not upgraded").then(|| format!("node2: {why}"))
}

/// How many calls the fault itself ended, or what else went wrong with calls.
pub(crate) fn calls(ledger: &CallLog, fault: Fault) -> Result<usize, String> {
    let struck = format!("node{STRUCK}");
    let excused = |failure: &&Failure| {
        let node = match failure {
            Failure::Lost { node, .. } | Failure::OwnTone { node, .. } | Failure::Stranger { node, .. } => {
                node
            }
            Failure::ToneMissing(missing) => &missing.node,
        };
        fault.ends_calls() && node.0 == struck
    };
    let failures = ledger.failures();
    let inexcusable: Vec<String> =
        failures.iter().filter(|failure| !excused(failure)).map(ToString::to_string).collect();
    if !inexcusable.is_empty() {
        return Err(inexcusable.join("; "));
    }
    Ok(failures.iter().filter(|failure| matches!(failure, Failure::Lost { .. })).count())
}
