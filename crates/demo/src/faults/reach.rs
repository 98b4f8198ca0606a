//! How a phase is reached, and held until the fault is made. What is held is held by what changes nothing
//! else: a program that stands still for a moment, or a line on which nothing arrives.

use std::time::Instant;

use super::phase::Phase;
use super::scene::{FIRST, LAST, PATIENCE, SILENT, STRUCK, Scene, WAITING, of, waits, words};
use crate::error::Error;
use crate::network::Line;
use crate::platform::Wait;

/// A line on which the package takes a second or two, so that it can be struck on its way.
const WHILE_IT_TRAVELS: Line = Line::Slow(40_000);
/// A line on which the package takes minutes, and a message no time that matters.
const HELD_BACK: Line = Line::Slow(400);
/// So much of a package has arrived when it is struck, in bytes.
const UNDER_WAY: u64 = 1 << 20;

/// A phase that has begun and does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing holds it: it lasts.
    Lasts,
    /// The manager's program stands still.
    ManagerStill,
    /// The struck node's program stands still.
    NodeStill,
    /// The struck node hears nothing.
    NodeDeaf,
    /// The struck node's line is slow.
    NodeSlow,
}

/// The calls that a case begins with: nobody talks on a node that is to be absent.
pub(crate) fn calls(phase: Phase) -> Vec<(u8, usize)> {
    match phase {
        Phase::Ends => vec![(FIRST, 1), (STRUCK, 2)],
        Phase::ManagerStages
        | Phase::ManagerRestarts
        | Phase::NodeStages
        | Phase::Prepares
        | Phase::Waits
        | Phase::Installs
        | Phase::Reboots
        | Phase::Returns => vec![(FIRST, 1), (STRUCK, 2), (LAST, 2)],
    }
}

impl Scene {
    /// Starts the run and leads it into the phase.
    pub(crate) fn reach(&mut self, phase: Phase) -> Result<Held, Error> {
        match phase {
            Phase::ManagerStages => {
                self.freeze_manager("staging the release on the Management Node", "restarting into")
            }
            Phase::ManagerRestarts => self.freeze_manager(", try 1 of", "has confirmed itself"),
            Phase::NodeStages => self.reach_staging(),
            Phase::Prepares => self.reach_preparing(),
            Phase::Waits => self.reach_waiting().map(|()| Held::Lasts),
            Phase::Installs => self.reach_installing(),
            Phase::Reboots => self.reach_trial(", try 1 of", Some("has confirmed itself")),
            Phase::Returns => self.reach_trial("the release has confirmed itself", None),
            Phase::Ends => self.reach_end(),
        }
    }

    /// Lets a phase end that was held.
    pub(crate) fn let_go(&mut self, held: Held) -> Result<(), Error> {
        match held {
            Held::Lasts => Ok(()),
            Held::ManagerStill => {
                self.platform.manager.hang(false);
                Ok(())
            }
            Held::NodeStill => {
                self.node(STRUCK).hang(false);
                Ok(())
            }
            Held::NodeDeaf | Held::NodeSlow => self.line(STRUCK, Line::Good),
        }
    }

    /// Stops the manager's program between two lines of its log.
    fn freeze_manager(&mut self, begins: &str, ends: &'static str) -> Result<Held, Error> {
        let log = self.manager_log();
        let start = self.begin_start();
        log.wait_for(begins, PATIENCE)?;
        self.platform.manager.hang(true);
        // Whether its own answer still arrived is none of this case's business.
        drop(start);
        if log.says(ends) { Err(Error::Missed(ends)) } else { Ok(Held::ManagerStill) }
    }

    fn reach_staging(&mut self) -> Result<Held, Error> {
        self.line(STRUCK, WHILE_IT_TRAVELS)?;
        self.start()?;
        let downloads = self.node(STRUCK).root.join("downloads");
        let arrived = || {
            let entries = std::fs::read_dir(&downloads).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).max().unwrap_or(0)
        };
        let until = Instant::now() + PATIENCE;
        while arrived() < UNDER_WAY {
            if Instant::now() > until {
                return Err(Error::Missed("the package is not under way"));
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(Held::NodeSlow)
    }

    /// Waits until the first node waits for its calls and all packages are on their nodes.
    fn reach_first_drain(&mut self) -> Result<(), Error> {
        // Whoever has the package first goes first.
        [STRUCK, LAST].into_iter().try_for_each(|node| self.line(node, HELD_BACK))?;
        self.start()?;
        self.see("the first node waits for its calls", |status| words(status, FIRST) == WAITING)?;
        [STRUCK, LAST].into_iter().try_for_each(|node| self.line(node, Line::Good))?;
        self.see("the others are in the queue with the package", |status| {
            [STRUCK, LAST].into_iter().all(|node| waits(status, node).starts_with("in the queue"))
        })
    }

    fn reach_preparing(&mut self) -> Result<Held, Error> {
        self.reach_first_drain()?;
        self.line(STRUCK, Line::Deaf)?;
        let log = self.manager_log();
        self.hang_up(FIRST);
        log.wait_for("node2: preparing to upgrade", PATIENCE)?;
        Ok(Held::NodeDeaf)
    }

    /// The first node is upgraded and has calls again; the struck one waits for its calls.
    fn reach_waiting(&mut self) -> Result<(), Error> {
        self.reach_first_drain()?;
        self.hang_up(FIRST);
        self.see("the struck node waits for its calls", |status| words(status, STRUCK) == WAITING)?;
        self.call(FIRST)
    }

    fn reach_installing(&mut self) -> Result<Held, Error> {
        self.reach_waiting()?;
        let log = self.manager_log();
        self.line(STRUCK, Line::Deaf)?;
        self.hang_up(STRUCK);
        log.wait_for("node2: calls have cleared", PATIENCE)?;
        Ok(Held::NodeDeaf)
    }

    fn reach_trial(&mut self, begins: &str, ends: Option<&'static str>) -> Result<Held, Error> {
        self.reach_waiting()?;
        let log = self.node_log(STRUCK);
        self.hang_up(STRUCK);
        log.wait_for(begins, PATIENCE)?;
        self.node(STRUCK).hang(true);
        match ends.filter(|ends| log.says(ends)) {
            Some(ends) => Err(Error::Missed(ends)),
            None => Ok(Held::NodeStill),
        }
    }

    fn reach_end(&mut self) -> Result<Held, Error> {
        self.reach_waiting()?;
        self.power_off(LAST);
        self.see("the last node is not heard", |status| words(status, LAST) == SILENT)?;
        let log = self.manager_log();
        self.hang_up(STRUCK);
        log.wait_for("node2: upgraded to", PATIENCE)?;
        self.call(STRUCK)?;
        Ok(Held::Lasts)
    }

    /// Waits until the status is so.
    pub(crate) fn see(&self, what: &str, wanted: impl Fn(&serde_json::Value) -> bool) -> Result<(), Error> {
        self.platform.wait_for(Wait { what, limit: PATIENCE }, wanted).map(drop)
    }

    /// Whether a node runs the release of the run and has said so.
    pub(crate) fn is_upgraded(&self, status: &serde_json::Value, number: u8) -> bool {
        of(status, number)["version"] == self.step.to.version
    }
}
