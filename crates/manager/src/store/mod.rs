//! The store: one file, one thread that writes, a few connections that read.
//!
//! What is written together is committed together, and whoever waits for a write is answered after the
//! commit. Writes that wait at the same time share one commit. The store does not decide what is written.

pub(crate) mod accounts;
pub(crate) mod alarms;
pub(crate) mod assertions;
pub(crate) mod audit;
pub(crate) mod authentication;
pub(crate) mod certificates;
pub(crate) mod enrolments;
mod entry;
mod error;
mod file;
pub(crate) mod interrupted_calls;
mod journal;
mod known;
pub(crate) mod licences;
pub(crate) mod locations;
pub mod node_boot;
mod node_events;
pub(crate) mod oauth;
pub(crate) mod objects;
pub(crate) mod packages;
pub(crate) mod past_calls;
mod reader;
pub(crate) mod registrations;
mod rooms;
mod rows;
pub(crate) mod runs;
pub mod schema;
pub(crate) mod sessions;
pub(crate) mod uploads;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use fleet::node::NodeId;
use fleet::platform::Fleet;
use parking_lot::RwLock;
pub(crate) use rusqlite::{Connection, Transaction};
use tokio::sync::{oneshot, watch};

pub use entry::{Entry, Recorded};
pub use error::StoreError;
pub(crate) use file::{check_copy, copy_for_backup, has_run_under_way};
pub use file::{copy_store, open, snapshot};
pub use journal::{Kind, RUNS_LISTED, RUNS_WITH_STEPS, evicted, kind_of};
pub use rooms::read_rooms;
pub(crate) use rooms::room_bytes;
pub use rows::{StoredRun, initialise, load, mark_time, read_meta, record, stored_time, write_meta};

use crate::registration::Registered;
use known::KnownRegistrations;
use reader::Readers;
pub(crate) use writer::Batch;
use writer::{Job, Writer};

/// A handle on the store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    writer: Writer,
    readers: Arc<Readers>,
    registrations: Arc<KnownRegistrations>,
}

/// Whether the store can still commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Every commit so far has succeeded.
    Healthy,
    /// A commit failed: the process must end and start again from what is stored.
    Broken,
}

impl Store {
    /// Takes over an open store; `fleet` is the state that was loaded from it.
    pub fn start(path: &Path, connection: Connection, fleet: Arc<RwLock<Fleet>>) -> Self {
        let registrations = Arc::new(KnownRegistrations::default());
        let writer = Writer::start(connection, fleet, registrations.clone());
        Self { writer, readers: Arc::new(Readers::new(path)), registrations }
    }

    /// The registration of a node. It is read from the database once, and after every change.
    ///
    /// # Errors
    /// The database reports an error.
    pub(crate) async fn registered(&self, node: NodeId) -> Result<Registered, StoreError> {
        let revision = match self.registrations.get(node) {
            Ok(known) => return Ok(known),
            Err(revision) => revision,
        };
        let read = self.read(move |connection: &Connection| registrations::read(connection, node)).await?;
        self.registrations.note(node, &read, revision);
        Ok(read)
    }

    /// Writes in a transaction, and returns when it is committed. When the closure fails, only its own
    /// changes are rolled back.
    ///
    /// # Errors
    /// What the closure returns, or [`StoreError::NotCommitted`].
    pub async fn write<T, E>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.job(move |batch: &mut Batch<'_>| batch.in_savepoint(write), |answer| answer).await
    }

    /// Reads the committed state, on a connection of its own.
    ///
    /// # Errors
    /// What the closure returns, or an error of the database.
    pub async fn read<T, E>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        Readers::read(self.readers.clone(), read).await
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        self.readers.path()
    }

    /// Becomes [`Health::Broken`] when a commit has failed.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.writer.health()
    }

    /// Commits the waiting jobs, merges the log into the file and closes it. Later writes are refused.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Runs a job of the writer. Its outer error breaks the store, its inner one is the caller's. `then` is
    /// called after the commit, even when the caller does not wait any more.
    pub(crate) async fn job<T, U, E>(
        &self,
        job: impl FnOnce(&mut Batch<'_>) -> Result<Result<T, E>, StoreError> + Send + 'static,
        then: impl FnOnce(T) -> U + Send + 'static,
    ) -> Result<U, E>
    where
        T: Send + 'static,
        U: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |batch| {
            let outcome = job(batch)?;
            Ok(Box::new(move || {
                let outcome = outcome.map(then);
                // It fails when the caller does not wait any more.
                let _ = answer.send(outcome);
            }))
        });
        self.writer.send(job).await?;
        answered.await.unwrap_or_else(|_| Err(StoreError::NotCommitted.into()))
    }
}

/// A number as `SQLite` has them: too large a one as the largest.
fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
