//! Runs one case of the fault matrix: leads a run into the phase, injects the fault, waits for its effect, undoes it,
//! and requires that the run or a repeat upgrades every node.
//!
//! Relies on `testbed`, `reach`, `inject` and `oracle` for the steps.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{Fault, Target};
use super::oracle::{self, Logs};
use super::phase::Phase;
use super::reach::{Pause, calls};
use super::testbed::{
    FIRST, LAST, SILENT, TARGET, TIMEOUT, Testbed, WAITING, node_numbers, node_status, status_text,
};
use crate::disk::Disks;
use crate::error::Error;
use crate::releases::Releases;

/// How often the status is read.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// The shortest time that calls go on under a fault: longer than the silence after which a caller counts a call as
/// lost.
const FAULT_DURATION: Duration = Duration::from_secs(6);
/// How long a run may take to end or to report why it waits: a silent node is noticed after 15 s, and a slow link
/// transfers a package in half a minute.
const REACTION_LIMIT: Duration = Duration::from_secs(120);

/// A phase and a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// When the fault is injected.
    pub phase: Phase,
    /// The fault.
    pub fault: Fault,
}

impl Case {
    /// All cases, by phase.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |phase| Fault::ALL.into_iter().map(move |fault| Self { phase, fault });
        Phase::ALL.into_iter().flat_map(of)
    }

    /// Whether the gate runs it: the covering cases contain every phase and every fault at least once, and the two
    /// faults that end the most calls.
    pub fn covers(self) -> bool {
        const COVERING: [(Phase, Fault); 10] = [
            (Phase::ManagerStages, Fault::DiskFull),
            (Phase::ManagerRestarts, Fault::ManagerKilled),
            (Phase::NodeStages, Fault::DamagedTransfer),
            (Phase::NodeStages, Fault::DiskFull),
            (Phase::Prepares, Fault::NodeCutOff),
            (Phase::Waits, Fault::ManagerCutOff),
            (Phase::Installs, Fault::NodeHung),
            (Phase::Reboots, Fault::NodeKilled),
            (Phase::Returns, Fault::SlowLink),
            (Phase::Ends, Fault::WriteError),
        ];
        COVERING.contains(&(self.phase, self.fault))
    }
}

/// The report of a case in which every invariant held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseReport {
    /// The number of calls that were alive when the fault was injected.
    pub alive: usize,
    /// The number of calls that the fault itself ended.
    pub ended: usize,
    /// What the status or a log reported under the fault.
    pub said: String,
    /// How the run ended.
    pub outcome: String,
    /// How a repeat ended, if one was needed.
    pub repeat: Option<String>,
}

/// The result of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Every invariant held.
    Held(CaseReport),
    /// An invariant was violated, or the case failed; with the reason.
    Broken(String),
}

/// Runs a case in `folder`. The process must be in namespaces of its own.
pub fn run(case: Case, releases: Releases, folder: &Path) -> Verdict {
    match run_steps(case, releases, folder) {
        Ok(report) => Verdict::Held(report),
        Err(error) => Verdict::Broken(error.to_string()),
    }
}

fn run_steps(case: Case, releases: Releases, folder: &Path) -> Result<CaseReport, Error> {
    let Case { phase, fault } = case;
    let disks = if fault == Fault::WriteError { Disks::FaultFs } else { Disks::Small };
    let mut testbed = Testbed::set_up(releases, folder, disks, &calls(phase))?;
    let pause = testbed.reach(phase)?;
    let logs = Logs { manager: testbed.manager_log(), node: testbed.node_log(TARGET) };
    let mut report = CaseReport { alive: testbed.alive(), ..CaseReport::default() };
    let undo = testbed.inject(fault, phase)?;
    if !is_part_of_the_fault(pause, case) {
        testbed.release(pause)?;
    }
    // Paths are reported relative to the folder of all machines, which differs between cases.
    report.said = testbed.wait_for_reaction(case, &logs)?.replace(&format!("{}/", folder.display()), "");
    testbed.undo(undo)?;
    testbed.power_all_on()?;
    let status = testbed.follow_to_the_end()?;
    report.outcome = outcome(&status);
    if !testbed.is_done(&status) {
        report.repeat = Some(testbed.repeat()?);
    }
    testbed.assert_upgraded()?;
    report.ended = oracle::calls(&testbed.close(), fault).map_err(Error::Broken)?;
    Ok(report)
}

/// Whether the pause is the fault's own effect, a suspended program or an impaired link, and therefore stays.
fn is_part_of_the_fault(pause: Pause, Case { phase, fault }: Case) -> bool {
    let impairs_link = match fault {
        Fault::NodeCutOff => true,
        Fault::SlowLink => fault.target(phase) == Target::Node,
        Fault::NodeKilled
        | Fault::NodeHung
        | Fault::ManagerKilled
        | Fault::ManagerCutOff
        | Fault::DiskFull
        | Fault::WriteError
        | Fault::DamagedTransfer => false,
    };
    match pause {
        Pause::Nothing | Pause::ManagerStopped => false,
        Pause::NodeStopped => fault == Fault::NodeHung,
        Pause::NodeInboundBlocked | Pause::NodeLinkSlow => impairs_link,
    }
}

impl Testbed {
    /// Waits until the run has ended or has reported why it waits, and keeps calls going.
    fn wait_for_reaction(&mut self, case: Case, logs: &Logs) -> Result<String, Error> {
        let Case { phase, fault } = case;
        let begun = Instant::now();
        let mut said = None;
        loop {
            let status = self.platform.status().ok();
            said = self.reason(fault, phase, status.as_ref(), logs).or(said);
            let long_enough = begun.elapsed() > FAULT_DURATION;
            if long_enough && status.as_ref().is_some_and(has_ended) {
                return Ok(said
                    .or_else(|| reason_of_end(status.as_ref()?))
                    .unwrap_or_else(|| "the run went on".to_owned()));
            }
            if let Some(said) = said.as_ref().filter(|_| long_enough && !fault.outlasts_the_run(phase)) {
                self.check_other_nodes(case, status.as_ref())?;
                return Ok(said.clone());
            }
            if begun.elapsed() > REACTION_LIMIT {
                return Err(Error::Timeout {
                    what: "the run ends or reports why it waits".into(),
                    seconds: REACTION_LIMIT.as_secs(),
                    logs: self.platform.logs(),
                    last: status.unwrap_or_default().to_string(),
                });
            }
            self.restart_ended()?;
            if let Some(status) = status.filter(|_| long_enough) {
                self.adjust_calls(&status)?;
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Checks that the nodes that are no target report, and that those in service accept calls.
    fn check_other_nodes(&mut self, case: Case, status: Option<&Value>) -> Result<(), Error> {
        if case.phase == Phase::Ends {
            return Ok(());
        }
        if let Some(status) = status.filter(|_| case.fault.target(case.phase) == Target::Node) {
            let silent = [FIRST, LAST].into_iter().find(|node| status_text(status, *node) == SILENT);
            if let Some(node) = silent {
                return Err(Error::Broken(format!(
                    "node{node} is not the target of the fault and does not report"
                )));
            }
        }
        // A node in the queue accepts calls whatever happens to the others.
        let is_in_queue = match (case.phase, status) {
            // During the transfer of the package it is undecided which node is taken first.
            (Phase::NodeStages, None) => false,
            (Phase::NodeStages, Some(status)) => {
                status_text(status, LAST) == "Upgrade pending"
                    && case.fault.target(case.phase) == Target::Node
            }
            (
                Phase::ManagerStages
                | Phase::ManagerRestarts
                | Phase::Prepares
                | Phase::Waits
                | Phase::Installs
                | Phase::Reboots
                | Phase::Returns
                | Phase::Ends,
                _,
            ) => true,
        };
        if is_in_queue { self.call(LAST) } else { Ok(()) }
    }

    /// Hangs up the calls on nodes that drain, and places calls on nodes that are upgraded.
    fn adjust_calls(&mut self, status: &Value) -> Result<(), Error> {
        for number in node_numbers() {
            if status_text(status, number) == WAITING {
                self.hang_up(number);
            } else if self.is_upgraded(status, number)
                && node_status(status, number)["maintenance_mode"] == false
                && node_status(status, number)["contact"] == "heard"
                && status_text(status, number) == "No upgrade in progress"
                && node_status(status, number)["waits"].is_null()
                && !self.has_calls(number)
            {
                self.call(number)?;
            }
        }
        Ok(())
    }

    /// Follows the run until it ends.
    fn follow_to_the_end(&mut self) -> Result<Value, Error> {
        let until = Instant::now() + TIMEOUT * 2;
        loop {
            self.restart_ended()?;
            let status = self.platform.status();
            if let Ok(status) = &status {
                if has_ended(status) {
                    return Ok(status.clone());
                }
                self.adjust_calls(status)?;
            }
            if Instant::now() > until {
                return Err(Error::Timeout {
                    what: "the run ends after the fault was undone".into(),
                    seconds: TIMEOUT.as_secs() * 2,
                    logs: self.platform.logs(),
                    last: status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                });
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Starts a run with the same package again, and follows it until it ends.
    fn repeat(&mut self) -> Result<String, Error> {
        self.restart_ended()?;
        self.wait_for("all nodes report again", |status| {
            node_numbers().all(|node| node_status(status, node)["contact"] == "heard")
        })?;
        self.start()?;
        let status = self.follow_to_the_end()?;
        if self.is_done(&status) {
            return Ok(outcome(&status));
        }
        Err(Error::Broken(format!("a repeat did not finish: {status}")))
    }

    fn is_done(&self, status: &Value) -> bool {
        outcome(status) == "complete" && node_numbers().all(|node| self.is_upgraded(status, node))
    }

    /// Checks that every node runs the release and accepts a call.
    fn assert_upgraded(&mut self) -> Result<(), Error> {
        self.wait_for("every node is upgraded and in service", |status| {
            node_numbers().all(|node| {
                self.is_upgraded(status, node) && node_status(status, node)["maintenance_mode"] == false
            })
        })?;
        node_numbers().try_for_each(|node| self.call(node))
    }
}

fn has_ended(status: &Value) -> bool {
    status["run"].is_null() && !status["last_run"].is_null()
}

/// Why a run is not complete, as its end reports it.
fn reason_of_end(status: &Value) -> Option<String> {
    let text = status["last_run"]["outcome_text"].as_str()?;
    (outcome(status) != "complete").then(|| text.to_owned())
}

fn outcome(status: &Value) -> String {
    status["last_run"]["outcome"].as_str().unwrap_or_default().to_owned()
}
