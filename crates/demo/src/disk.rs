//! The disk of a machine: a small tmpfs that can be filled to its last byte, or a `faultfs` that fails every
//! write on demand.
//!
//! Relies on `mount` or FUSE and on root privileges. Unmounts nothing: the mount namespace of the caller does.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use faultfs::{Fault, FaultFs};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::error::Error;
use crate::role::Role;
use crate::system::run;

/// The size in megabytes: space for two releases, a package in transfer and the state of the machine. A manager
/// keeps three copies of a package while it processes the upload.
fn megabytes(role: Role) -> u32 {
    match role {
        Role::Manager => 640,
        Role::Node => 256,
    }
}

/// The name of the file that fills a disk.
const FILLER: &str = "ballast";

/// The extension of the folder, beside a machine's root, in which `faultfs` stores the data.
const BACKING: &str = "behind";

/// What kind of disks the machines have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disks {
    /// A small tmpfs each.
    Small,
    /// A file system each that fails every write on demand.
    FaultFs,
}

/// The disk of a machine, mounted at its root.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    faultfs: Option<FaultFs>,
}

impl Disk {
    /// Mounts an empty disk at `root`.
    pub(crate) fn make(kind: Disks, root: &Path, role: Role) -> Result<Self, Error> {
        std::fs::create_dir_all(root).map_err(Error::file(root))?;
        let faultfs = match kind {
            Disks::Small => {
                let size = format!("size={}m,mode=750", megabytes(role));
                run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "pitlane"]).arg(root))?;
                None
            }
            Disks::FaultFs => {
                let backing = root.with_extension(BACKING);
                std::fs::create_dir_all(&backing).map_err(Error::file(&backing))?;
                Some(FaultFs::mount(&backing, root)?)
            }
        };
        Ok(Self { root: root.into(), faultfs })
    }

    /// Fails every change with an input/output error from now on.
    ///
    /// # Errors
    /// [`Error::NotFaultFs`] if the disk is a small one.
    pub fn fail_writes(&self) -> Result<(), Error> {
        let Some(faultfs) = &self.faultfs else { return Err(Error::NotFaultFs(self.root.clone())) };
        faultfs.inject(Fault::InputOutput);
        Ok(())
    }

    /// Allocates all the free space.
    ///
    /// # Errors
    /// The file system fails for another reason than being full.
    pub fn fill(&self) -> Result<(), Error> {
        let path = self.root.join(FILLER);
        let failed = || Error::file(path.clone());
        let file = File::options().create(true).append(true).open(&path).map_err(failed())?;
        loop {
            let free = statvfs(&self.root).map_err(|error| failed()(error.into()))?;
            let (bytes, from) = (free.f_bfree * free.f_frsize, file.metadata().map_err(failed())?.len());
            if bytes == 0 {
                return Ok(());
            }
            match fallocate(&file, FallocateFlags::empty(), from, bytes) {
                // Another process allocated the space first.
                Err(rustix::io::Errno::NOSPC) | Ok(()) => {}
                Err(error) => return Err(failed()(error.into())),
            }
        }
    }

    /// Ends the fault: writes succeed again, and the space that [`Disk::fill`] took is free.
    ///
    /// # Errors
    /// The file system fails.
    pub fn repair(&self) -> Result<(), Error> {
        if let Some(faultfs) = &self.faultfs {
            faultfs.clear_fault();
            return Ok(());
        }
        let path = self.root.join(FILLER);
        std::fs::remove_file(&path).map_err(Error::file(path))
    }
}
