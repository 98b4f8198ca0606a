//! Leads a run into a phase, and pauses it there until the fault is injected.
//!
//! Pauses with what changes nothing else: a suspended program, or a link on which nothing arrives. Relies on lines of
//! logs and on the status to detect the phase.

use std::time::Instant;

use super::phase::Phase;
use super::testbed::{
    FIRST, LAST, SILENT, TARGET, TIMEOUT, Testbed, WAITING, node_status, status_text, waiting_reason,
};
use crate::error::Error;
use crate::network::Link;
use crate::platform::Wait;

/// A link on which the package takes a second or two, so that the fault is injected during the transfer.
const SLOWED: Link = Link::Slow(40_000);
/// A link on which the package takes minutes, but a message is not delayed noticeably.
const BLOCKED_FOR_PACKAGES: Link = Link::Slow(400);
/// How many bytes of a package have arrived when the fault is injected.
const IN_TRANSFER: u64 = 1 << 20;

/// What keeps the run in its phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Nothing: the phase does not end by itself.
    Nothing,
    /// The manager's program is suspended.
    ManagerStopped,
    /// The target's program is suspended.
    NodeStopped,
    /// Nothing arrives at the target.
    NodeInboundBlocked,
    /// The target's link is slow.
    NodeLinkSlow,
}

/// The nodes and numbers of the calls that a case begins with: none on a node that will be off.
pub(crate) fn calls(phase: Phase) -> Vec<(u8, usize)> {
    match phase {
        Phase::Ends => vec![(FIRST, 1), (TARGET, 2)],
        Phase::ManagerStages
        | Phase::ManagerRestarts
        | Phase::NodeStages
        | Phase::Prepares
        | Phase::Waits
        | Phase::Installs
        | Phase::Reboots
        | Phase::Returns => vec![(FIRST, 1), (TARGET, 2), (LAST, 2)],
    }
}

impl Testbed {
    /// Starts the run and waits until it is in the phase.
    pub(crate) fn reach(&mut self, phase: Phase) -> Result<Pause, Error> {
        match phase {
            Phase::ManagerStages => {
                self.suspend_manager("staging the release on the Management Node", "restarting into")
            }
            Phase::ManagerRestarts => self.suspend_manager(", try 1 of", "has confirmed itself"),
            Phase::NodeStages => self.reach_staging(),
            Phase::Prepares => self.reach_preparing(),
            Phase::Waits => self.reach_waiting().map(|()| Pause::Nothing),
            Phase::Installs => self.reach_installing(),
            Phase::Reboots => self.reach_trial(", try 1 of", Some("has confirmed itself")),
            Phase::Returns => self.reach_trial("the release has confirmed itself", None),
            Phase::Ends => self.reach_end(),
        }
    }

    /// Ends a pause.
    pub(crate) fn release(&mut self, pause: Pause) -> Result<(), Error> {
        match pause {
            Pause::Nothing => Ok(()),
            Pause::ManagerStopped => {
                self.platform.manager.resume();
                Ok(())
            }
            Pause::NodeStopped => {
                self.node(TARGET).resume();
                Ok(())
            }
            Pause::NodeInboundBlocked | Pause::NodeLinkSlow => self.set_link(TARGET, Link::Good),
        }
    }

    /// Suspends the manager's program between two lines of its log.
    fn suspend_manager(&mut self, begins: &str, ends: &'static str) -> Result<Pause, Error> {
        let log = self.manager_log();
        let start = self.begin_start();
        log.wait_for(begins, TIMEOUT)?;
        self.platform.manager.suspend();
        // Whether the manager still answers this request does not matter to the case.
        drop(start);
        if log.contains(ends) { Err(Error::Missed(ends)) } else { Ok(Pause::ManagerStopped) }
    }

    fn reach_staging(&mut self) -> Result<Pause, Error> {
        self.set_link(TARGET, SLOWED)?;
        self.start()?;
        let downloads = self.node(TARGET).root.join("downloads");
        let arrived = || {
            let entries = std::fs::read_dir(&downloads).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).max().unwrap_or(0)
        };
        let until = Instant::now() + TIMEOUT;
        while arrived() < IN_TRANSFER {
            if Instant::now() > until {
                return Err(Error::Missed("the package transfer has not begun"));
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(Pause::NodeLinkSlow)
    }

    /// Waits until the first node drains and all nodes have the package.
    fn reach_first_drain(&mut self) -> Result<(), Error> {
        // The node that has the package first is taken first.
        [TARGET, LAST].into_iter().try_for_each(|node| self.set_link(node, BLOCKED_FOR_PACKAGES))?;
        self.start()?;
        self.wait_for("the first node waits for its calls", |status| status_text(status, FIRST) == WAITING)?;
        [TARGET, LAST].into_iter().try_for_each(|node| self.set_link(node, Link::Good))?;
        self.wait_for("the others are in the queue with the package", |status| {
            [TARGET, LAST].into_iter().all(|node| waiting_reason(status, node).starts_with("in the queue"))
        })
    }

    fn reach_preparing(&mut self) -> Result<Pause, Error> {
        self.reach_first_drain()?;
        self.set_link(TARGET, Link::InboundBlocked)?;
        let log = self.manager_log();
        self.hang_up(FIRST);
        log.wait_for("node2: preparing to upgrade", TIMEOUT)?;
        Ok(Pause::NodeInboundBlocked)
    }

    /// Waits until the first node is upgraded and has calls again, and the target drains.
    fn reach_waiting(&mut self) -> Result<(), Error> {
        self.reach_first_drain()?;
        self.hang_up(FIRST);
        self.wait_for("the second node waits for its calls", |status| {
            status_text(status, TARGET) == WAITING
        })?;
        self.call(FIRST)
    }

    fn reach_installing(&mut self) -> Result<Pause, Error> {
        self.reach_waiting()?;
        let log = self.manager_log();
        self.set_link(TARGET, Link::InboundBlocked)?;
        self.hang_up(TARGET);
        log.wait_for("node2: calls have cleared", TIMEOUT)?;
        Ok(Pause::NodeInboundBlocked)
    }

    fn reach_trial(&mut self, begins: &str, ends: Option<&'static str>) -> Result<Pause, Error> {
        self.reach_waiting()?;
        let log = self.node_log(TARGET);
        self.hang_up(TARGET);
        log.wait_for(begins, TIMEOUT)?;
        self.node(TARGET).suspend();
        match ends.filter(|ends| log.contains(ends)) {
            Some(ends) => Err(Error::Missed(ends)),
            None => Ok(Pause::NodeStopped),
        }
    }

    fn reach_end(&mut self) -> Result<Pause, Error> {
        self.reach_waiting()?;
        self.power_off(LAST);
        self.wait_for("the last node does not report", |status| status_text(status, LAST) == SILENT)?;
        let log = self.manager_log();
        self.hang_up(TARGET);
        log.wait_for("node2: upgraded to", TIMEOUT)?;
        self.call(TARGET)?;
        Ok(Pause::Nothing)
    }

    /// Waits until the status meets a condition.
    pub(crate) fn wait_for(
        &self,
        what: &str,
        condition: impl Fn(&serde_json::Value) -> bool,
    ) -> Result<(), Error> {
        self.platform.wait_for(Wait { what, limit: TIMEOUT }, condition).map(drop)
    }

    /// Whether a node has reported the release of the run.
    pub(crate) fn is_upgraded(&self, status: &serde_json::Value, number: u8) -> bool {
        node_status(status, number)["version"] == self.step.to.version
    }
}
