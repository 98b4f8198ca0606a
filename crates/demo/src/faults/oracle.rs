//! The oracle of a case: whether the run reported the reason why it waits, and whether a call failed that the fault
//! itself did not end.
//!
//! Reads the status, the logs of the machines and the log of the calls. Changes nothing.

use callers::CallLog;
use callers::call_log::Failure;
use serde_json::Value;

use super::fault::{Fault, Target};
use super::log_tail::LogTail;
use super::phase::Phase;
use super::testbed::{SILENT, TARGET, Testbed, node_numbers, node_status, status_text, waiting_reason};

/// Texts that a program logs when writes to its disk fail.
const DISK_TEXTS: [&str; 4] = ["No space left", "free space", "disk is full", "check the disk"];
/// Texts that report a damaged package.
const PACKAGE_TEXTS: [&str; 3] = ["piece", "changed", "refused"];

impl Testbed {
    /// The reason why the run waits, as the status or the log of the target reports it; `None` if neither does.
    pub(crate) fn reason(
        &self,
        fault: Fault,
        phase: Phase,
        status: Option<&Value>,
        logs: &Logs,
    ) -> Option<String> {
        match fault {
            Fault::NodeKilled | Fault::NodeHung | Fault::NodeCutOff => {
                let status = status.filter(|status| status_text(status, TARGET) == SILENT)?;
                Some(format!("node2: {SILENT}: {}", waiting_reason(status, TARGET)))
            }
            Fault::ManagerKilled => status.is_none().then(|| "the manager does not answer".to_owned()),
            Fault::ManagerCutOff => {
                let lost = |status: &&Value| {
                    node_numbers().all(|node| node_status(status, node)["contact"] == "lost")
                };
                let status = status.filter(lost)?;
                Some(format!("contact with every node is lost; node2: {}", status_text(status, TARGET)))
            }
            Fault::DiskFull | Fault::WriteError => match fault.target(phase) {
                Target::Node => not_upgraded(status?)
                    .or_else(|| logs.node.last_with(&DISK_TEXTS).map(|line| message("node2", &line))),
                Target::Manager => {
                    logs.manager.last_with(&DISK_TEXTS).map(|line| message("the manager", &line))
                }
            },
            Fault::DamagedTransfer => {
                not_upgraded(status?).filter(|why| PACKAGE_TEXTS.iter().any(|it| why.contains(it)))
            }
            Fault::SlowLink => None,
        }
    }
}

/// The logs since the fault was injected.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    pub(crate) manager: LogTail,
    pub(crate) node: LogTail,
}

/// The message of a line of a log, without time and module.
fn message(machine: &str, line: &str) -> String {
    let level = ["ERROR ", "WARN ", "INFO "].into_iter().find_map(|level| line.split_once(level));
    let message = level.and_then(|(_, rest)| rest.split_once(": ")).map_or(line, |(_, message)| message);
    format!("the log of {machine}: {message}")
}

/// Why the target was not upgraded, as the status reports it.
fn not_upgraded(status: &Value) -> Option<String> {
    let reason = waiting_reason(status, TARGET);
    reason.starts_with("not upgraded").then(|| format!("node2: {reason}"))
}

/// The number of calls that the fault itself ended, or all other failures of calls.
pub(crate) fn calls(log: &CallLog, fault: Fault) -> Result<usize, String> {
    let target = format!("node{TARGET}");
    let expected = |failure: &&Failure| {
        let node = match failure {
            Failure::Lost { node, .. } | Failure::OwnTone { node, .. } | Failure::Stranger { node, .. } => {
                node
            }
            Failure::ToneMissing(missing) => &missing.node,
        };
        fault.ends_calls() && node.0 == target
    };
    let failures = log.failures();
    let unexpected: Vec<String> =
        failures.iter().filter(|failure| !expected(failure)).map(ToString::to_string).collect();
    if !unexpected.is_empty() {
        return Err(unexpected.join("; "));
    }
    Ok(failures.iter().filter(|failure| matches!(failure, Failure::Lost { .. })).count())
}
