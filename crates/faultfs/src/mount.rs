//! Mounting the disk, and its switches.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fuser::{BackgroundSession, Config, MountOption, SessionACL};
use thiserror::Error;

use crate::change::{Change, Record};
use crate::fault::{Fault, Health};
use crate::known::Known;
use crate::serve::{Serve, Shared};

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
    /// Mounts the folder `backing` at the folder `at`. Everything below goes through; nobody else may
    /// change `backing` meanwhile.
    ///
    /// # Errors
    /// [`NotMounted`], which says what is needed.
    pub fn mount(backing: &Path, at: &Path) -> Result<Self, NotMounted> {
        let failed = |source| NotMounted { at: at.to_owned(), source };
        let known = Known::new(backing).map_err(failed)?;
        let shared = Arc::new(Shared::new(known, Health::default()));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("faultfs".into()), MountOption::DefaultPermissions];
        config.acl = SessionACL::All;
        config.n_threads = Some(THREADS);
        config.clone_fd = true;
        let session = fuser::spawn_mount(Serve(shared.clone()), at, &config).map_err(failed)?;
        Ok(Self { shared, session: Some(session), at: at.to_owned() })
    }

    /// Where it is mounted.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// From now on changes meet this fault. Reading goes on as before.
    pub fn fail_writes(&self, fault: Fault) {
        self.shared.health.set(Some(fault));
    }

    /// From now on changes go through.
    pub fn heal(&self) {
        self.shared.health.set(None);
    }

    /// Begins to write every change down, with the disk as it is now as the beginning.
    ///
    /// # Errors
    /// The folder behind cannot be read.
    pub fn begin_record(&self) -> io::Result<()> {
        self.shared.begin_record()
    }

    /// Writes down what the test knows to be done by now, in its own words.
    pub fn mark(&self, what: &str) {
        self.shared.note(Change::Mark { what: what.to_owned() });
    }

    /// What was written down so far; empty when nothing was begun.
    pub fn record(&self) -> Record {
        self.shared.record()
    }
}

impl Drop for FaultFs {
    fn drop(&mut self) {
        // Nothing may be held up: the kernel waits for the answer.
        self.heal();
        if let Some(session) = self.session.take() {
            // What fails here leaves a mount behind that the next start of the machine removes.
            let _ = session.umount_and_join();
        }
    }
}
