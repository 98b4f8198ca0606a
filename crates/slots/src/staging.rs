//! Staging: a release is unpacked beside the slots, made durable, and moved into the inactive slot by one rename.
//! Who unpacks it, and when, is the caller's decision.

use std::path::{Path, PathBuf};

use crate::machine::failed;
use crate::{Error, Kind, Machine, Record, Result, Slot, SlotIdentity};

/// A release that is being staged. Unpack it into [`Staging::dir`] by any means, then call [`Staging::finish`].
/// Dropped without that, it has no effect and is removed by the next staging.
#[derive(Debug)]
#[must_use = "a staged release has no effect until it is finished"]
pub struct Staging {
    machine: Machine,
    into: Slot,
    then: Then,
}

/// What happens once the release is complete in its slot.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// It waits to be selected.
    WaitForSelection,
    /// It is the first release of the machine and counts as confirmed.
    Confirm,
}

impl Machine {
    /// Begins to stage a release into the inactive slot; `running` is the slot of the caller.
    ///
    /// Removes durably an earlier staging and the release in the inactive slot.
    ///
    /// # Errors
    /// A release is being tried, or the caller does not run in the confirmed slot.
    pub fn begin_staging(&self, running: Slot) -> Result<Staging> {
        self.begin(free_slot(&self.record()?, running)?, Then::WaitForSelection)
    }

    /// Begins the installation of the machine's first release, into slot a. Finished, it is confirmed.
    /// The root directory must exist.
    ///
    /// # Errors
    /// The machine is installed already.
    pub fn install_first(&self) -> Result<Staging> {
        let path = self.record_path();
        if self.kind(&path)?.is_some() {
            return Err(Error::AlreadyInstalled { path });
        }
        let slots = self.slots_dir();
        if self.kind(&slots)?.is_none() {
            self.disk.create_dir(&slots).map_err(failed("create", &slots))?;
            self.sync_dir(&self.root)?;
        }
        self.begin(Slot::A, Then::Confirm)
    }

    /// Clears the inactive slot. It is renamed before its first file is removed, so that whatever has the name
    /// of a slot is complete at every moment.
    fn begin(&self, into: Slot, then: Then) -> Result<Staging> {
        let (slots, staging, slot) =
            (self.slots_dir(), self.slots_dir().join("staging"), self.slot_dir(into));
        self.remove_tree(&staging)?;
        if self.kind(&slot)?.is_some() {
            self.disk.rename(&slot, &staging).map_err(failed("clear", &slot))?;
            self.sync_dir(&slots)?;
            self.remove_tree(&staging)?;
        }
        self.disk.create_dir(&staging).map_err(failed("create", &staging))?;
        self.sync_dir(&slots)?;
        Ok(Staging { machine: self.clone(), into, then })
    }

    fn remove_tree(&self, path: &Path) -> Result<()> {
        match self.kind(path)? {
            None => Ok(()),
            Some(Kind::Data | Kind::Program | Kind::Other) => {
                self.disk.remove_file(path).map_err(failed("remove", path))
            }
            Some(Kind::Directory) => {
                for entry in self.disk.list(path).map_err(failed("list", path))? {
                    self.remove_tree(&path.join(entry.name))?;
                }
                self.disk.remove_dir(path).map_err(failed("remove", path))
            }
        }
    }

    /// Makes every file and directory below `dir` durable, and `dir` itself last.
    fn sync_tree(&self, dir: &Path) -> Result<()> {
        for entry in self.disk.list(dir).map_err(failed("list", dir))? {
            let path = dir.join(entry.name);
            match entry.kind {
                Kind::Data | Kind::Program => {
                    self.disk.sync_file(&path).map_err(failed("make durable", &path))?;
                }
                Kind::Directory => self.sync_tree(&path)?,
                Kind::Other => {
                    let reason = format!("{} is neither a file nor a directory", path.display());
                    return Err(Error::NotARelease { reason });
                }
            }
        }
        self.sync_dir(dir)
    }
}

impl Staging {
    /// Where to unpack the release: `slots/staging`, empty at first.
    pub fn dir(&self) -> PathBuf {
        self.machine.slots_dir().join("staging")
    }

    /// The slot the release will be in.
    pub fn slot(&self) -> Slot {
        self.into
    }

    /// Makes everything that was unpacked durable, writes `slot.json` and moves the release into its slot.
    ///
    /// # Errors
    /// The identity is invalid, its program is missing, or the inactive slot is no longer free; neither slot is
    /// changed then.
    pub fn finish(self, identity: &SlotIdentity) -> Result<()> {
        let Self { machine, into, then } = &self;
        self.check(identity)?;
        let (staging, slot) = (self.dir(), machine.slot_dir(*into));
        machine.write_durably(&staging.join("slot.json"), identity)?;
        machine.sync_tree(&staging)?;
        machine.disk.rename(&staging, &slot).map_err(failed("install", &slot))?;
        machine.sync_dir(&machine.slots_dir())?;
        match then {
            Then::WaitForSelection => Ok(()),
            Then::Confirm => machine.write_record(&Record::confirmed(*into)),
        }
    }

    fn check(&self, identity: &SlotIdentity) -> Result<()> {
        match self.then {
            Then::WaitForSelection => {
                free_slot(&self.machine.record()?, self.into.other())?;
            }
            Then::Confirm => {}
        }
        if let Some(reason) = identity.fault() {
            return Err(Error::NotARelease { reason });
        }
        let program = self.dir().join(&identity.program);
        match self.machine.kind(&program)? {
            Some(Kind::Program) => Ok(()),
            Some(Kind::Data | Kind::Directory | Kind::Other) | None => {
                let reason = format!("{} is missing or cannot be executed", program.display());
                Err(Error::NotARelease { reason })
            }
        }
    }
}

/// The inactive slot, when it may be written.
fn free_slot(record: &Record, running: Slot) -> Result<Slot> {
    if let Some(trying) = &record.trying {
        return Err(Error::BeingTried { slot: trying.slot });
    }
    match record.confirmed == running {
        true => Ok(running.other()),
        false => Err(Error::NotConfirmed { running, confirmed: record.confirmed }),
    }
}
