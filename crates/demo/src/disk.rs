//! The small disk of a machine: a file system in memory that can be filled to its last byte.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// The disk of a machine, by where it is mounted.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Mounts an empty disk at `root`.
    pub(crate) fn make(root: &Path, role: Role) -> Result<(), Error> {
        std::fs::create_dir_all(root).map_err(Error::file(root))?;
        let size = format!("size={}m,mode=750", megabytes(role));
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "pitlane"]).arg(root))
    }

    /// The disk that is mounted at a machine's root.
    pub fn of(root: &Path) -> Self {
        Self { root: root.into() }
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

    /// Gives the space back.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn clear(&self) -> Result<(), Error> {
        let path = self.root.join(BALLAST);
        std::fs::remove_file(&path).map_err(Error::file(path))
    }
}
