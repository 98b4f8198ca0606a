//! Mounts the file system, and controls its faults and its record.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fuser::{BackgroundSession, Config, MountOption, SessionACL};
use thiserror::Error;

use crate::change::{Change, Record};
use crate::fault::{Fault, FaultSwitch};
use crate::file_system::{FaultFileSystem, Shared};
use crate::inodes::Inodes;

/// Threads that answer the kernel: readers do not wait for a slow writer.
const THREADS: usize = 4;

/// The disk could not be mounted.
#[derive(Debug, Error)]
#[error(
    "{} could not be mounted; this needs root and /dev/fuse: run the tests as root on a machine with the \
     kernel module fuse", at.display()
)]
pub struct NotMounted {
    at: PathBuf,
    source: io::Error,
}

/// A mounted disk. Dropping it unmounts it, also from under programs that use it.
#[derive(Debug)]
pub struct FaultFs {
    shared: Arc<Shared>,
    session: Option<BackgroundSession>,
    at: PathBuf,
}

impl FaultFs {
    /// Mounts the folder `backing` at the folder `at`. Nothing else may change `backing` while it is mounted.
    ///
    /// # Errors
    /// [`NotMounted`], which names the requirements.
    pub fn mount(backing: &Path, at: &Path) -> Result<Self, NotMounted> {
        let failed = |source| NotMounted { at: at.to_owned(), source };
        let inodes = Inodes::new(backing).map_err(failed)?;
        let shared = Arc::new(Shared::new(inodes, FaultSwitch::default()));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("faultfs".into()), MountOption::DefaultPermissions];
        config.acl = SessionACL::All;
        config.n_threads = Some(THREADS);
        config.clone_fd = true;
        let session = fuser::spawn_mount(FaultFileSystem(shared.clone()), at, &config).map_err(failed)?;
        Ok(Self { shared, session: Some(session), at: at.to_owned() })
    }

    /// Where it is mounted.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Injects a fault into all changes from now on. Reading is not affected.
    pub fn inject(&self, fault: Fault) {
        self.shared.fault.set(Some(fault));
    }

    /// Ends the injected fault.
    pub fn clear_fault(&self) {
        self.shared.fault.set(None);
    }

    /// Begins to record every change, from the present contents of the disk on.
    ///
    /// # Errors
    /// The backing folder cannot be read.
    pub fn begin_record(&self) -> io::Result<()> {
        self.shared.begin_record()
    }

    /// Adds a mark to the record: what has been acknowledged by now, in the test's own text.
    pub fn mark(&self, what: &str) {
        self.shared.record_change(Change::Mark { what: what.to_owned() });
    }

    /// The record so far; empty when none was begun.
    pub fn record(&self) -> Record {
        self.shared.record()
    }
}

impl Drop for FaultFs {
    fn drop(&mut self) {
        // No change may be delayed now: the kernel waits for its answer.
        self.clear_fault();
        if let Some(session) = self.session.take() {
            // A failure leaves a stale mount, which the next start of the machine removes.
            let _ = session.umount_and_join();
        }
    }
}
