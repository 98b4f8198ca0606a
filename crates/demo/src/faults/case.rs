//! One case: a phase, a fault, and what came of it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::{Fault, Victim};
use super::judge::{self, Logs};
use super::phase::Phase;
use super::reach::{Held, calls};
use super::scene::{FIRST, LAST, PATIENCE, SILENT, STRUCK, Scene, WAITING, all, of, words};
use crate::disk::Disks;
use crate::error::Error;
use crate::releases::Releases;

/// How often a status is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long calls go on under a fault at the least: longer than a caller waits for sound.
const UNDER_THE_FAULT: Duration = Duration::from_secs(6);
/// How long a run may take to end or to say why it does not go on: a silence is noticed after a quarter
/// of a minute, and a slow line carries a package in half a minute.
const SETTLES_WITHIN: Duration = Duration::from_secs(120);

/// A phase and a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// When.
    pub phase: Phase,
    /// What.
    pub fault: Fault,
}

impl Case {
    /// The whole product, by phase.
    pub fn all() -> impl Iterator<Item = Self> {
        let of = |phase| Fault::ALL.into_iter().map(move |fault| Self { phase, fault });
        Phase::ALL.into_iter().flat_map(of)
    }

    /// Whether it is of the part that is played for every change: every phase once and every fault once,
    /// and the two that end the most beside.
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

/// What a case has told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Calls alive when the fault was made.
    pub alive: usize,
    /// Calls that the fault itself ended.
    pub ended: usize,
    /// What the run said under the fault.
    pub said: String,
    /// How the run ended.
    pub outcome: String,
    /// How a repeat ended, if one was needed.
    pub repeat: Option<String>,
}

/// What a case has come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// As it must be.
    Held(Told),
    /// Not.
    Broken(String),
}

/// Plays a case in `folder`. The caller is in namespaces of its own.
pub fn run(case: Case, releases: Releases, folder: &Path) -> Verdict {
    match play(case, releases, folder) {
        Ok(told) => Verdict::Held(told),
        Err(error) => Verdict::Broken(error.to_string()),
    }
}

fn play(case: Case, releases: Releases, folder: &Path) -> Result<Told, Error> {
    let Case { phase, fault } = case;
    let disks = if fault == Fault::WriteError { Disks::FaultFs } else { Disks::Small };
    let mut scene = Scene::set(releases, folder, disks, &calls(phase))?;
    let held = scene.reach(phase)?;
    let logs = Logs { manager: scene.manager_log(), node: scene.node_log(STRUCK) };
    let mut told = Told { alive: scene.alive(), ..Told::default() };
    let mend = scene.strike(fault, phase)?;
    if !stays(held, case) {
        scene.let_go(held)?;
    }
    // The folder stands for the root of all machines.
    told.said = scene.settle(case, &logs)?.replace(&format!("{}/", folder.display()), "");
    scene.mend(mend)?;
    scene.power_all_on()?;
    let status = scene.lead_to_the_end()?;
    told.outcome = outcome(&status);
    if !scene.is_done(&status) {
        told.repeat = Some(scene.repeat()?);
    }
    scene.prove()?;
    told.ended = judge::calls(&scene.close(), fault).map_err(Error::Broken)?;
    Ok(told)
}

/// Whether what held the phase is what the fault wants: a program that stands still, a line that is bad.
fn stays(held: Held, Case { phase, fault }: Case) -> bool {
    let of_the_line = match fault {
        Fault::NodeCutOff => true,
        Fault::SlowLink => fault.victim(phase) == Victim::Node,
        Fault::NodeKilled
        | Fault::NodeHung
        | Fault::ManagerKilled
        | Fault::ManagerCutOff
        | Fault::DiskFull
        | Fault::WriteError
        | Fault::DamagedTransfer => false,
    };
    match held {
        Held::Lasts | Held::ManagerStill => false,
        Held::NodeStill => fault == Fault::NodeHung,
        Held::NodeDeaf | Held::NodeSlow => of_the_line,
    }
}

impl Scene {
    /// Waits until the run has ended or says why it does not go on, with people talking all the while.
    fn settle(&mut self, case: Case, logs: &Logs) -> Result<String, Error> {
        let Case { phase, fault } = case;
        let begun = Instant::now();
        let mut said = None;
        loop {
            let status = self.platform.status().ok();
            said = self.reason(fault, phase, status.as_ref(), logs).or(said);
            let long_enough = begun.elapsed() > UNDER_THE_FAULT;
            if long_enough && status.as_ref().is_some_and(has_ended) {
                return Ok(said
                    .or_else(|| why(status.as_ref()?))
                    .unwrap_or_else(|| "the run went on".to_owned()));
            }
            if let Some(said) = said.as_ref().filter(|_| long_enough && !fault.outlasts_the_run(phase)) {
                self.others_are_untouched(case, status.as_ref())?;
                return Ok(said.clone());
            }
            if begun.elapsed() > SETTLES_WITHIN {
                return Err(Error::Late {
                    what: "the end of the run or a reason why it waits".into(),
                    seconds: SETTLES_WITHIN.as_secs(),
                    logs: self.platform.logs(),
                    last: status.unwrap_or_default().to_string(),
                });
            }
            self.keep_up()?;
            if let Some(status) = status.filter(|_| long_enough) {
                self.talk_as_asked(&status)?;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// The nodes that were not struck are in touch, and those in service take calls.
    fn others_are_untouched(&mut self, case: Case, status: Option<&Value>) -> Result<(), Error> {
        if case.phase == Phase::Ends {
            return Ok(());
        }
        if let Some(status) = status.filter(|_| case.fault.victim(case.phase) == Victim::Node) {
            let silent = [FIRST, LAST].into_iter().find(|node| words(status, *node) == SILENT);
            if let Some(node) = silent {
                return Err(Error::Broken(format!("node{node} was not struck and is not heard")));
            }
        }
        // Whatever befell the others, a node that has not had its turn takes calls.
        let waits_for_its_turn = match (case.phase, status) {
            // Who is first is open while the package travels.
            (Phase::NodeStages, None) => false,
            (Phase::NodeStages, Some(status)) => {
                words(status, LAST) == "Upgrade pending" && case.fault.victim(case.phase) == Victim::Node
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
        if waits_for_its_turn { self.call(LAST) } else { Ok(()) }
    }

    /// People hang up on nodes that wait for them, and call on nodes that are upgraded.
    fn talk_as_asked(&mut self, status: &Value) -> Result<(), Error> {
        for number in all() {
            if words(status, number) == WAITING {
                self.hang_up(number);
            } else if self.is_upgraded(status, number)
                && of(status, number)["maintenance_mode"] == false
                && of(status, number)["contact"] == "heard"
                && words(status, number) == "No upgrade in progress"
                && of(status, number)["waits"].is_null()
                && !self.talks_on(number)
            {
                self.call(number)?;
            }
        }
        Ok(())
    }

    /// Lets the run go on to its end.
    fn lead_to_the_end(&mut self) -> Result<Value, Error> {
        let until = Instant::now() + PATIENCE * 2;
        loop {
            self.keep_up()?;
            let status = self.platform.status();
            if let Ok(status) = &status {
                if has_ended(status) {
                    return Ok(status.clone());
                }
                self.talk_as_asked(status)?;
            }
            if Instant::now() > until {
                return Err(Error::Late {
                    what: "the end of the run after the fault was mended".into(),
                    seconds: PATIENCE.as_secs() * 2,
                    logs: self.platform.logs(),
                    last: status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Starts the same package again and leads that run to its end.
    fn repeat(&mut self) -> Result<String, Error> {
        self.keep_up()?;
        self.see("all nodes are in touch again", |status| {
            all().all(|node| of(status, node)["contact"] == "heard")
        })?;
        self.start()?;
        let status = self.lead_to_the_end()?;
        if self.is_done(&status) {
            return Ok(outcome(&status));
        }
        Err(Error::Broken(format!("a repeat did not finish: {status}")))
    }

    fn is_done(&self, status: &Value) -> bool {
        outcome(status) == "complete" && all().all(|node| self.is_upgraded(status, node))
    }

    /// Every node is on the release and takes a call.
    fn prove(&mut self) -> Result<(), Error> {
        self.see("every node is upgraded and in service", |status| {
            all().all(|node| self.is_upgraded(status, node) && of(status, node)["maintenance_mode"] == false)
        })?;
        all().try_for_each(|node| self.call(node))
    }
}

fn has_ended(status: &Value) -> bool {
    status["run"].is_null() && !status["last_run"].is_null()
}

/// Why a run ended otherwise than complete, as far as its end says so.
fn why(status: &Value) -> Option<String> {
    let text = status["last_run"]["outcome_text"].as_str()?;
    (outcome(status) != "complete").then(|| text.to_owned())
}

fn outcome(status: &Value) -> String {
    status["last_run"]["outcome"].as_str().unwrap_or_default().to_owned()
}
