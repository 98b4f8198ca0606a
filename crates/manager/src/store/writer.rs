//! The one thread that writes. Jobs that wait at the same time share one commit.
//!
//! Nobody is answered, and no new state is visible, before the commit. When a commit fails, the thread ends
//! and the process must end too.

use std::sync::Arc;
use std::thread;

use edge::error_chain::chain;
use fleet::platform::Fleet;
use parking_lot::{RwLock, RwLockWriteGuard};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::error;

use super::rows::load;
use super::{Health, StoreError};

/// How many jobs share one commit at most, so that the first of them does not wait for long.
const JOBS_IN_A_COMMIT: usize = 256;

/// How many jobs may wait in the channel. A later sender waits until it has capacity.
const JOBS_WAITING: usize = 1024;

/// Answers the sender of a job, after the commit. When it is dropped, the sender learns that nothing was
/// committed.
pub(crate) type Answer = Box<dyn FnOnce() + Send>;

/// A unit of work for the writer. An error of the job itself breaks the store: the state in memory may be
/// ahead of the one on disk.
pub(crate) type Job = Box<dyn FnOnce(&mut Batch<'_, '_>) -> Result<Answer, StoreError> + Send>;

/// The transaction that several jobs share, and the state of the platform, which is locked from the first
/// change until the commit.
pub(crate) struct Batch<'t, 'f> {
    pub(crate) tx: &'t Transaction<'t>,
    fleet: &'f RwLock<Fleet>,
    held: Option<RwLockWriteGuard<'f, Fleet>>,
}

impl Batch<'_, '_> {
    /// The state of the platform, locked until the commit.
    pub(crate) fn fleet(&mut self) -> &mut Fleet {
        self.held.get_or_insert_with(|| self.fleet.write())
    }

    /// Writes in a savepoint: when `write` fails, only its changes are rolled back.
    pub(crate) fn in_savepoint<T, E>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        in_savepoint(self.tx, write)
    }

    /// The same with access to the state of the platform, which only this job changes until the commit.
    pub(crate) fn in_savepoint_with_fleet<T, E>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>, &Fleet) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        let (tx, fleet) = (self.tx, self.fleet());
        in_savepoint(tx, |tx| write(tx, fleet))
    }
}

fn in_savepoint<T, E>(
    tx: &Transaction<'_>,
    write: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<Result<T, E>, StoreError> {
    tx.execute_batch("SAVEPOINT job")?;
    let outcome = write(tx);
    if outcome.is_err() {
        tx.execute_batch("ROLLBACK TO job")?;
    }
    tx.execute_batch("RELEASE job")?;
    Ok(outcome)
}

enum Message {
    Job(Job),
    Close(oneshot::Sender<()>),
}

/// A handle on the thread.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Message>,
    health: watch::Receiver<Health>,
}

impl Writer {
    pub(crate) fn start(connection: Connection, fleet: Arc<RwLock<Fleet>>) -> Self {
        let (jobs, waiting) = mpsc::channel(JOBS_WAITING);
        let (health, watched) = watch::channel(Health::Healthy);
        thread::spawn(move || run(connection, &fleet, waiting, &health));
        Self { jobs, health: watched }
    }

    pub(crate) fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    pub(crate) async fn send(&self, job: Job) -> Result<(), StoreError> {
        self.jobs.send(Message::Job(job)).await.map_err(|_| StoreError::Closed)
    }

    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Message::Close(done)).await.is_ok() {
            // It fails when the store was closed in the meantime.
            let _ = closed.await;
        }
    }
}

fn run(
    mut connection: Connection,
    fleet: &RwLock<Fleet>,
    mut waiting: mpsc::Receiver<Message>,
    health: &watch::Sender<Health>,
) {
    let mut messages = Vec::new();
    while waiting.blocking_recv_many(&mut messages, JOBS_IN_A_COMMIT) > 0 {
        let mut closers = Vec::new();
        let mut jobs = Vec::new();
        for message in messages.drain(..) {
            match message {
                Message::Job(job) => jobs.push(job),
                Message::Close(done) => closers.push(done),
            }
        }
        if let Err(cause) = commit(&mut connection, fleet, jobs) {
            error!(error = %chain(&cause), "the store could not commit; the Management Node stops");
            health.send_replace(Health::Broken);
            return;
        }
        if !closers.is_empty() {
            waiting.close();
            close(connection);
            closers.into_iter().for_each(|done| _ = done.send(()));
            return;
        }
    }
    close(connection);
}

fn commit(connection: &mut Connection, fleet: &RwLock<Fleet>, jobs: Vec<Job>) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut batch = Batch { tx: &tx, fleet, held: None };
    let answers = jobs.into_iter().map(|job| job(&mut batch)).collect::<Result<Vec<_>, _>>();
    let held = batch.held;
    let committed = match answers {
        Ok(answers) => tx.commit().map(|()| answers).map_err(StoreError::from),
        Err(cause) => tx.rollback().map_err(StoreError::from).and(Err(cause)),
    };
    match committed {
        Ok(answers) => {
            drop(held);
            answers.into_iter().for_each(|answer| answer());
            Ok(())
        }
        Err(cause) => {
            held.into_iter().for_each(|held| restore(connection, held));
            Err(cause)
        }
    }
}

/// Replaces the state that could not be stored by the stored one, before anybody reads it. The process ends
/// soon.
fn restore(connection: &Connection, mut held: RwLockWriteGuard<'_, Fleet>) {
    match load(connection) {
        Ok(Some(stored)) => *held = stored,
        Ok(None) => {}
        Err(cause) => error!(error = %chain(&cause), "the store cannot be read again"),
    }
}

fn close(connection: Connection) {
    if let Err(cause) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        error!(error = %cause, "the log of the store could not be folded in; the next start does it");
    }
    if let Err((_, cause)) = connection.close() {
        error!(error = %cause, "the store could not be closed cleanly; the next start recovers it");
    }
}
