//! Folders and runtimes of a run. Folders lie in memory where the machine has such a place: the product
//! makes every write durable, and on a disk that is most of the time of a run.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Where Linux keeps files in memory.
const IN_MEMORY: &str = "/dev/shm";

/// A folder that is removed when it is dropped.
pub(crate) fn folder() -> TempDir {
    let made = if Path::new(IN_MEMORY).is_dir() { TempDir::new_in(IN_MEMORY) } else { TempDir::new() };
    made.expect("a folder for the run")
}

/// The runtime of all runs of this process: one thread, so that the same input does the same.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_all().build().expect("a runtime"))
}
