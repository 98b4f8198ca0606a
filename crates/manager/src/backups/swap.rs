//! Puts an accepted backup in place of the platform's own files, before any of them is opened.
//!
//! Each step is atomic and durable, and has no effect when it was taken before: whenever the process is killed, its
//! next start goes through all of them again and ends with the same files. The last step renames the directory whose
//! name says that there is something to do.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use slots::Slot;
use thiserror::Error;
use tracing::info;

use super::restore::accepted;
use super::{AUTHORITY, AUTHORITY_KEY, STORE};
use crate::auth::first_password;
use crate::layout::Layout;

/// An accepted backup cannot be put in place. The next start tries again.
#[derive(Debug, Error)]
#[error("the backup that is to be restored cannot be put in place: {}; check the disk and its owner", path.display())]
pub struct SwapError {
    /// The file or directory.
    path: PathBuf,
    /// The error of the operating system.
    source: io::Error,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A file of the platform is removed.
    Remove(PathBuf),
    /// A file of the backup, or the backup itself, gets another name.
    Move {
        /// Its name.
        from: PathBuf,
        /// Its next name.
        to: PathBuf,
    },
}

/// Puts an accepted backup in place, with its store as that of the slot; does nothing without one. Call it when nothing
/// of the platform is open, in a confirmed release alone: the store of one that is tried is a copy.
///
/// # Errors
/// The disk fails.
pub(crate) fn swap_in(layout: &Layout, slot: Slot) -> Result<(), SwapError> {
    let accepted = accepted(layout);
    let is_accepted = accepted.try_exists();
    if is_accepted.map_err(|source| SwapError { path: accepted, source })? {
        steps(layout, slot).iter().try_for_each(perform)?;
        info!("a backup was restored: accounts and configuration are those of the backup");
    }
    // What is left of a restore has no meaning any more, and all of a backup's secrets.
    match fs::remove_dir_all(layout.restore()) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(SwapError { path: layout.restore(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Every step, in order.
pub(super) fn steps(layout: &Layout, slot: Slot) -> Vec<Step> {
    let (backup, state, store) = (accepted(layout), layout.state(), layout.store(slot));
    let with = |path: &Path, ending: &str| PathBuf::from(format!("{}{ending}", path.display()));
    let moved = |name: &str, to: PathBuf| Step::Move { from: backup.join(name), to };
    let mut steps = Vec::new();
    // The first password of a machine that was no Management Node of this platform is of an account that is gone now.
    // The certificate is moved later than this step, so comparing it shows whether the step is still due.
    if is_of_another_platform(&backup.join(AUTHORITY), &state.join("authority.pem")) {
        steps.push(Step::Remove(first_password::file(&state)));
    }
    // The log of the present store would be taken for that of the restored one.
    steps.extend(["-wal", "-shm", "-journal"].map(|ending| Step::Remove(with(&store, ending))));
    steps.push(moved(STORE, store));
    steps.push(moved(AUTHORITY_KEY, state.join("authority.key")));
    steps.push(moved(AUTHORITY, state.join("authority.pem")));
    steps.push(Step::Move { from: backup, to: layout.restore().join("done") });
    steps
}

/// Whether a step that finds nothing to do was taken before.
fn was_taken(step: &Step) -> bool {
    match step {
        Step::Remove(_) => true,
        Step::Move { from: _, to } => to.exists(),
    }
}

fn is_of_another_platform(backup: &Path, own: &Path) -> bool {
    fs::read(backup).is_ok_and(|backup| fs::read(own).is_ok_and(|own| own != backup))
}

/// Takes a step, durably. One that was taken before has no effect.
pub(super) fn perform(step: &Step) -> Result<(), SwapError> {
    let (path, done) = match step {
        Step::Remove(path) => (path, fs::remove_file(path)),
        Step::Move { from, to } => (to, fs::rename(from, to)),
    };
    let failed = |source| SwapError { path: path.clone(), source };
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound || !was_taken(step) => {
            return Err(failed(error));
        }
        Ok(()) | Err(_) => {}
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
}
