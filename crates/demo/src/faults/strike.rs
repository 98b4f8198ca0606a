//! How each fault is made, and how it is mended.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::fault::{Fault, Victim};
use super::phase::Phase;
use super::scene::{STRUCK, Scene};
use crate::disk::Disk;
use crate::error::Error;
use crate::network::Line;

/// A slow line: a megabyte a second, so that a package takes half a minute.
const SLOW: Line = Line::Slow(8_000);
/// So far from its end a package is damaged: what is struck there has not travelled yet.
const FROM_THE_END: u64 = 100_000;

/// What is to be done for a fault to be gone.
#[derive(Debug)]
pub(crate) enum Mend {
    /// The node is powered on.
    NodePower,
    /// The manager is powered on.
    ManagerPower,
    /// The node's program goes on.
    NodeGoesOn,
    /// The node's line is good again.
    NodeLine,
    /// The manager's line is good again.
    ManagerLine,
    /// The disk takes changes again.
    Disk(Victim),
    /// The byte is as it was.
    Byte(PathBuf),
}

impl Scene {
    /// Makes the fault.
    pub(crate) fn strike(&mut self, fault: Fault, phase: Phase) -> Result<Mend, Error> {
        let victim = fault.victim(phase);
        match fault {
            Fault::NodeKilled => {
                self.node(STRUCK).cut_power();
                Ok(Mend::NodePower)
            }
            Fault::NodeHung => {
                self.node(STRUCK).hang(true);
                Ok(Mend::NodeGoesOn)
            }
            Fault::ManagerKilled => {
                self.platform.manager.cut_power();
                Ok(Mend::ManagerPower)
            }
            Fault::NodeCutOff => self.line(STRUCK, Line::Cut).map(|()| Mend::NodeLine),
            Fault::ManagerCutOff => self.network.set_line("manager", Line::Cut).map(|()| Mend::ManagerLine),
            Fault::SlowLink => match victim {
                Victim::Manager => self.network.set_line("manager", SLOW).map(|()| Mend::ManagerLine),
                Victim::Node => self.line(STRUCK, SLOW).map(|()| Mend::NodeLine),
            },
            Fault::DiskFull => self.disk(victim)?.fill().map(|()| Mend::Disk(victim)),
            Fault::WriteError => self.disk(victim)?.refuse().map(|()| Mend::Disk(victim)),
            Fault::DamagedTransfer => {
                let file = self.package_on_its_way(phase)?;
                turn_a_bit(&file)?;
                Ok(Mend::Byte(file))
            }
        }
    }

    /// Mends it.
    pub(crate) fn mend(&mut self, mend: Mend) -> Result<(), Error> {
        match mend {
            Mend::NodePower => self.node(STRUCK).power_on(),
            Mend::ManagerPower => self.platform.manager.power_on(),
            Mend::NodeGoesOn => {
                self.node(STRUCK).hang(false);
                Ok(())
            }
            Mend::NodeLine => self.line(STRUCK, Line::Good),
            Mend::ManagerLine => self.network.set_line("manager", Line::Good),
            Mend::Disk(victim) => self.disk(victim)?.mend(),
            Mend::Byte(file) => turn_a_bit(&file),
        }
    }

    fn disk(&self, victim: Victim) -> Result<&Disk, Error> {
        let machine = match victim {
            Victim::Manager => &self.platform.manager,
            Victim::Node => &self.platform.nodes[usize::from(STRUCK) - 1],
        };
        machine.disk.as_ref().ok_or_else(|| Error::Sturdy(machine.root.clone()))
    }

    /// What the manager reads the package from in this phase: itself the whole, its nodes their part.
    fn package_on_its_way(&self, phase: Phase) -> Result<PathBuf, Error> {
        let held = self.platform.manager.root.join("packages");
        let name = if phase == Phase::ManagerStages { "package.pitlane" } else { "payload-node" };
        let entries = fs::read_dir(&held).map_err(Error::file(&held))?;
        let mut files = entries.flatten().map(|entry| entry.path().join(name));
        files.find(|file| file.is_file()).ok_or(Error::Missed("the manager holds no package"))
    }
}

/// Turns one bit of a file; twice is never.
fn turn_a_bit(path: &Path) -> Result<(), Error> {
    let file = File::options().read(true).write(true).open(path).map_err(Error::file(path))?;
    let length = file.metadata().map_err(Error::file(path))?.len();
    let (at, mut byte) = (length.saturating_sub(FROM_THE_END), [0]);
    file.read_exact_at(&mut byte, at).map_err(Error::file(path))?;
    file.write_all_at(&[byte[0] ^ 1], at).map_err(Error::file(path))
}
