//! The disk of a machine: a small file system in memory that can be filled to its last byte, or one that
//! refuses every change when it is told to.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use faultfs::{Fault, FaultFs};
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::error::Error;
use crate::machine::Role;
use crate::network::run;

/// Room for two releases, a package on its way and the state of a machine: a manager holds each package
/// three times while it takes it in.
fn megabytes(role: Role) -> u32 {
    match role {
        Role::Manager => 640,
        Role::Node => 160,
    }
}

/// The name of the file that fills a disk.
const BALLAST: &str = "ballast";

/// The folder, beside a machine's root, in which a frail disk keeps what is written.
const BEHIND: &str = "behind";

/// What kind of disks the machines have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disks {
    /// A small one each.
    Small,
    /// One each that refuses every change when it is told to.
    FaultFs,
}

/// The disk of a machine, mounted at its root.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    frail: Option<FaultFs>,
}

impl Disk {
    /// Mounts an empty disk at `root`.
    pub(crate) fn make(kind: Disks, root: &Path, role: Role) -> Result<Self, Error> {
        std::fs::create_dir_all(root).map_err(Error::file(root))?;
        let frail = match kind {
            Disks::Small => {
                let size = format!("size={}m,mode=750", megabytes(role));
                run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "pitlane"]).arg(root))?;
                None
            }
            Disks::FaultFs => {
                let behind = root.with_extension(BEHIND);
                std::fs::create_dir_all(&behind).map_err(Error::file(&behind))?;
                Some(FaultFs::mount(&behind, root)?)
            }
        };
        Ok(Self { root: root.into(), frail })
    }

    /// From now on every change is refused with an input/output error.
    ///
    /// # Errors
    /// The disk is none that can.
    pub fn refuse(&self) -> Result<(), Error> {
        let Some(frail) = &self.frail else { return Err(Error::Sturdy(self.root.clone())) };
        frail.inject(Fault::InputOutput);
        Ok(())
    }

    /// Takes all the space that is left.
    ///
    /// # Errors
    /// The file system refuses for another reason than that it is full.
    pub fn fill(&self) -> Result<(), Error> {
        let path = self.root.join(BALLAST);
        let failed = || Error::file(path.clone());
        let file = File::options().create(true).append(true).open(&path).map_err(failed())?;
        loop {
            let free = statvfs(&self.root).map_err(|error| failed()(error.into()))?;
            let (bytes, from) = (free.f_bfree * free.f_frsize, file.metadata().map_err(failed())?.len());
            if bytes == 0 {
                return Ok(());
            }
            match fallocate(&file, FallocateFlags::empty(), from, bytes) {
                // Somebody else was quicker.
                Err(rustix::io::Errno::NOSPC) | Ok(()) => {}
                Err(error) => return Err(failed()(error.into())),
            }
        }
    }

    /// Takes changes again, with room for them.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn mend(&self) -> Result<(), Error> {
        if let Some(frail) = &self.frail {
            frail.clear_fault();
            return Ok(());
        }
        let path = self.root.join(BALLAST);
        std::fs::remove_file(&path).map_err(Error::file(path))
    }
}
