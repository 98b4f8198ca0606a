//! Injects each fault, and undoes it.
//!
//! Relies on the power, link and disk of the machines. Waits for no effect: that is `case`.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::fault::{Fault, Target};
use super::phase::Phase;
use super::testbed::{TARGET, Testbed};
use crate::disk::Disk;
use crate::error::Error;
use crate::network::Link;

/// A megabyte a second, so that a package takes half a minute.
const SLOW: Link = Link::Slow(8_000);
/// How many bytes before its end a package is damaged: that part has not been transferred yet.
const FROM_THE_END: u64 = 100_000;

/// What undoes a fault.
#[derive(Debug)]
pub(crate) enum Undo {
    /// Power the node on.
    NodePower,
    /// Power the manager on.
    ManagerPower,
    /// Resume the node's program.
    NodeResume,
    /// Restore the node's link.
    NodeLink,
    /// Restore the manager's link.
    ManagerLink,
    /// Make writes to the disk succeed again.
    Disk(Target),
    /// Restore the byte of the package.
    Byte(PathBuf),
}

impl Testbed {
    /// Injects the fault, and returns how to undo it.
    pub(crate) fn inject(&mut self, fault: Fault, phase: Phase) -> Result<Undo, Error> {
        let target = fault.target(phase);
        match fault {
            Fault::NodeKilled => {
                self.node(TARGET).cut_power();
                Ok(Undo::NodePower)
            }
            Fault::NodeHung => {
                self.node(TARGET).suspend();
                Ok(Undo::NodeResume)
            }
            Fault::ManagerKilled => {
                self.platform.manager.cut_power();
                Ok(Undo::ManagerPower)
            }
            Fault::NodeCutOff => self.set_link(TARGET, Link::Cut).map(|()| Undo::NodeLink),
            Fault::ManagerCutOff => self.network.set_link("manager", Link::Cut).map(|()| Undo::ManagerLink),
            Fault::SlowLink => match target {
                Target::Manager => self.network.set_link("manager", SLOW).map(|()| Undo::ManagerLink),
                Target::Node => self.set_link(TARGET, SLOW).map(|()| Undo::NodeLink),
            },
            Fault::DiskFull => self.disk(target)?.fill().map(|()| Undo::Disk(target)),
            Fault::WriteError => self.disk(target)?.fail_writes().map(|()| Undo::Disk(target)),
            Fault::DamagedTransfer => {
                let file = self.package_in_transfer(phase)?;
                flip_bit(&file)?;
                Ok(Undo::Byte(file))
            }
        }
    }

    /// Undoes a fault.
    pub(crate) fn undo(&mut self, undo: Undo) -> Result<(), Error> {
        match undo {
            Undo::NodePower => self.node(TARGET).power_on(),
            Undo::ManagerPower => self.platform.manager.power_on(),
            Undo::NodeResume => {
                self.node(TARGET).resume();
                Ok(())
            }
            Undo::NodeLink => self.set_link(TARGET, Link::Good),
            Undo::ManagerLink => self.network.set_link("manager", Link::Good),
            Undo::Disk(target) => self.disk(target)?.repair(),
            Undo::Byte(file) => flip_bit(&file),
        }
    }

    fn disk(&self, target: Target) -> Result<&Disk, Error> {
        let machine = match target {
            Target::Manager => &self.platform.manager,
            Target::Node => &self.platform.nodes[usize::from(TARGET) - 1],
        };
        machine.disk.as_ref().ok_or_else(|| Error::NotFaultFs(machine.root.clone()))
    }

    /// The file that the manager reads in this phase: the whole package for itself, or the payload for its nodes.
    fn package_in_transfer(&self, phase: Phase) -> Result<PathBuf, Error> {
        let packages = self.platform.manager.root.join("packages");
        let name = if phase == Phase::ManagerStages { "package.pitlane" } else { "payload-node" };
        let entries = fs::read_dir(&packages).map_err(Error::file(&packages))?;
        let mut files = entries.flatten().map(|entry| entry.path().join(name));
        files.find(|file| file.is_file()).ok_or(Error::Missed("the manager has no package"))
    }
}

/// Inverts one bit of a file. A second call restores it.
fn flip_bit(path: &Path) -> Result<(), Error> {
    let file = File::options().read(true).write(true).open(path).map_err(Error::file(path))?;
    let length = file.metadata().map_err(Error::file(path))?.len();
    let (at, mut byte) = (length.saturating_sub(FROM_THE_END), [0]);
    file.read_exact_at(&mut byte, at).map_err(Error::file(path))?;
    file.write_all_at(&[byte[0] ^ 1], at).map_err(Error::file(path))
}
