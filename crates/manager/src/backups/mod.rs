//! Backups of the Management Node: makes them, keeps them, and puts one back.
//!
//! A backup has what the Conferencing Nodes need to go on with another machine as their Management Node, without being
//! enrolled again: the store and the authority of the platform. What belongs to the machine is not in it: its settings,
//! the keys of packages that it trusts, packages, uploads. It relies on `backup` for the file and on `store` for a copy
//! of what is committed. It never decides whether a restore is allowed while an upgrade is under way: `rest` does.

mod directory;
mod error;
mod hours;
mod make;
mod name;
mod requests;
mod restore;
mod schedule;
mod settings;
mod swap;
mod upload;

#[cfg(test)]
mod schedule_tests;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use backup::{Manifest, Passphrase, WorkFactor};
use fleet::time::Wall;
use fleet::version::Release;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use crate::authority::Authority;
use crate::driver::Committer;
use crate::layout::Layout;

pub(crate) use directory::{KeptBackup, find, list, remove};
pub(crate) use error::{BackupError, RestoreError};
pub(crate) use name::{BackupName, MadeBy};
pub(crate) use requests::{BackupRequest, RequestState, Requests};
pub(crate) use schedule::run as run_schedule;
pub use swap::SwapError;
pub(crate) use swap::swap_in;

/// The store in a backup.
const STORE: &str = "store.db";

/// The key of the authority in a backup.
const AUTHORITY_KEY: &str = "state/authority.key";

/// The certificate of the authority in a backup.
const AUTHORITY: &str = "state/authority.pem";

/// Makes and restores backups. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Backups(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    committer: Committer,
    layout: Layout,
    release: Release,
    work: WorkFactor,
    /// Held while a backup is made or restored: each takes 256 MiB for its passphrase.
    one_at_a_time: Arc<Mutex<()>>,
    requests: parking_lot::Mutex<Requests>,
    accepted: CancellationToken,
}

/// The permission to make or restore a backup, which one at a time has.
#[derive(Debug)]
pub(crate) struct Turn(OwnedMutexGuard<()>);

impl Backups {
    /// The backups of this Management Node, which runs `release`. `work` is what a guess of a passphrase costs.
    pub fn new(committer: Committer, layout: Layout, release: Release, work: WorkFactor) -> Self {
        let (one_at_a_time, requests) = (Arc::default(), parking_lot::Mutex::default());
        let accepted = CancellationToken::new();
        Self(Arc::new(Inner { committer, layout, release, work, one_at_a_time, requests, accepted }))
    }

    /// The requests for backups since this process started.
    pub(crate) fn requests(&self) -> &parking_lot::Mutex<Requests> {
        &self.0.requests
    }

    /// Cancelled when a backup was accepted: the process must end, and its next start puts the backup back.
    pub(crate) fn accepted(&self) -> &CancellationToken {
        &self.0.accepted
    }

    /// The permission to make or restore a backup; none while another request has it.
    pub(crate) fn turn(&self) -> Option<Turn> {
        self.0.one_at_a_time.clone().try_lock_owned().ok().map(Turn)
    }

    /// Makes a backup.
    ///
    /// # Errors
    /// There are too many, the disk is full or fails, or the store or the authority cannot be read. Nothing of it is
    /// kept.
    pub(crate) async fn make(
        &self,
        turn: Turn,
        made_by: MadeBy,
        passphrase: Passphrase,
    ) -> Result<KeptBackup, BackupError> {
        let order = make::Order {
            dir: self.0.layout.backups(),
            store: self.0.committer.store().path().into(),
            state: self.0.layout.state(),
            name: BackupName::new(made_by, self.0.release, self.0.committer.wall()),
            work: self.0.work,
            passphrase,
        };
        blocking(move || {
            let Turn(_one_at_a_time) = turn;
            make::make(order)
        })
        .await
    }

    /// The backups that there are, the newest first.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) async fn list(&self) -> Result<Vec<KeptBackup>, BackupError> {
        let dir = self.0.layout.backups();
        blocking(move || list(&dir)).await
    }

    /// Makes the place where a file of so many bytes is received that is to be restored; returns its path.
    ///
    /// # Errors
    /// There is no space for it, or the disk fails.
    pub(crate) async fn prepare_restore(&self, bytes: u64) -> Result<PathBuf, BackupError> {
        let layout = self.0.layout.clone();
        blocking(move || restore::prepare(&layout, bytes)).await
    }

    /// Checks that there is space left beside a file that is being received.
    ///
    /// # Errors
    /// There is none, or the disk fails.
    pub(crate) fn require_space(&self, file: &std::path::Path) -> Result<(), BackupError> {
        directory::require_space(file.parent().unwrap_or(file), 0)
    }

    /// Checks the backup in a file and unpacks it beside the platform's own files, which stay as they are.
    ///
    /// # Errors
    /// It is no backup of this release that can be restored here.
    pub(crate) async fn unpack(
        &self,
        _turn: &Turn,
        file: PathBuf,
        passphrase: Passphrase,
    ) -> Result<Manifest, RestoreError> {
        let (layout, release) = (self.0.layout.clone(), self.0.release);
        let nodes = self.0.committer.read(|fleet, _| fleet.nodes().iter().count());
        blocking(move || restore::unpack(&restore::Here { layout, release, nodes }, &file, &passphrase)).await
    }

    /// Removes what was unpacked.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) async fn discard(&self, _turn: Turn) -> Result<(), RestoreError> {
        let layout = self.0.layout.clone();
        blocking(move || restore::discard(&layout)).await
    }

    /// Makes the backup that was unpacked the one that the next start puts in place, and has this process end.
    ///
    /// # Errors
    /// The disk fails; then nothing was changed.
    pub(crate) async fn accept(&self, _turn: Turn) -> Result<(), RestoreError> {
        let layout = self.0.layout.clone();
        blocking(move || restore::accept(&layout)).await?;
        self.0.accepted.cancel();
        Ok(())
    }

    /// When the newest backup of this release was made, by the wall clock; none without one.
    ///
    /// # Errors
    /// The disk fails.
    pub(crate) async fn newest(&self) -> Result<Option<Wall>, BackupError> {
        let all = self.list().await?;
        Ok(all.iter().find(|kept| kept.name.release == self.0.release).map(|kept| kept.name.made()))
    }
}

/// The name of the platform whose authority lies in a directory: the fingerprint of that.
fn platform(state: &std::path::Path) -> Result<Option<String>, crate::authority::AuthorityError> {
    Ok(Authority::load(state)?.map(|authority| authority.fingerprint().to_string()))
}

/// Runs work that may block for long on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let work = tokio::task::spawn_blocking(work);
    work.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
