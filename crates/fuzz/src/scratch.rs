//! Folders and the runtime of a run. Folders are in memory where the machine has such a place: the product makes every
//! write durable, and on a disk that would take most of the time.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// The file system in memory of Linux.
const IN_MEMORY: &str = "/dev/shm";

/// A folder that is removed when it is dropped.
pub(crate) fn folder() -> TempDir {
    let made = if Path::new(IN_MEMORY).is_dir() { TempDir::new_in(IN_MEMORY) } else { TempDir::new() };
    made.expect("a folder for the run")
}

/// The runtime of all runs of this process: one thread, so that runs are deterministic.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_all().build().expect("a runtime"))
}
