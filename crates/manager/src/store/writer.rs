//! The one thread that writes. Jobs that wait at the same time share one commit.
//!
//! Nobody is answered, and no new state is visible, before the commit. When a commit fails, the thread ends
//! and the process must end too.
//!
//! The thread has a state of the platform of its own, which is ahead of the one that others read while it writes. After the
//! commit the two change places, and the one that was read until then catches up: no reader waits for the disk, and the
//! thread waits for no reader but for that moment (decision 55).

use std::sync::Arc;
use std::thread;

use edge::error_chain::chain;
use fleet::platform::{Applied, Blocker, Fleet};
use fleet::time::Time;
use parking_lot::RwLock;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::error;

use super::known::Changes;
use super::{Entry, Health, KnownRegistrations, StoreError};

/// How many jobs share one commit at most, so that the first of them does not wait for long.
const JOBS_IN_A_COMMIT: usize = 256;

/// How many jobs may wait in the channel. A later sender waits until it has capacity.
const JOBS_WAITING: usize = 1024;

/// Answers the sender of a job, after the commit. When it is dropped, the sender learns that nothing was
/// committed.
pub(crate) type Answer = Box<dyn FnOnce() + Send>;

/// A unit of work for the writer. An error of the job itself breaks the store: the state in memory may be
/// ahead of the one on disk.
pub(crate) type Job = Box<dyn FnOnce(&mut Batch<'_>) -> Result<Answer, StoreError> + Send>;

/// The transaction that several jobs share, and the state of the platform after what it has applied so far.
pub(crate) struct Batch<'t> {
    pub(crate) tx: &'t Transaction<'t>,
    fleet: &'t mut Fleet,
    applied: Vec<(Time, Entry)>,
}

impl Batch<'_> {
    /// The state of the platform, which nobody else sees before the commit.
    pub(crate) fn fleet(&self) -> &Fleet {
        self.fleet
    }

    /// Applies an entry to the state of the platform. What it changes is still to be written.
    ///
    /// # Errors
    /// Why a run is not started.
    pub(crate) fn apply(&mut self, now: Time, entry: &Entry) -> Result<Applied, Vec<Blocker>> {
        let applied = entry.clone().apply(self.fleet, now)?;
        self.applied.push((now, entry.clone()));
        Ok(applied)
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
        &self,
        write: impl FnOnce(&Transaction<'_>, &Fleet) -> Result<T, E>,
    ) -> Result<Result<T, E>, StoreError> {
        in_savepoint(self.tx, |tx| write(tx, self.fleet))
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
    pub(crate) fn start(
        connection: Connection,
        fleet: Arc<RwLock<Fleet>>,
        registrations: Arc<KnownRegistrations>,
    ) -> Self {
        let (jobs, waiting) = mpsc::channel(JOBS_WAITING);
        let (health, watched) = watch::channel(Health::Healthy);
        let state = State::new(fleet, registrations);
        thread::spawn(move || run(connection, state, waiting, &health));
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

/// What is in memory and follows every commit.
struct State {
    /// The state of the platform that is stored.
    committed: Arc<RwLock<Fleet>>,
    /// The same between two commits, and ahead of it while one is made.
    next: Fleet,
    registrations: Arc<KnownRegistrations>,
    /// The registrations that the transaction in progress changes.
    changes: Changes,
}

impl State {
    fn new(committed: Arc<RwLock<Fleet>>, registrations: Arc<KnownRegistrations>) -> Self {
        let next = committed.read().clone();
        Self { committed, next, registrations, changes: Changes::default() }
    }

    /// Makes visible what was committed.
    fn publish(&mut self, applied: &[(Time, Entry)]) {
        self.registrations.forget(&self.changes.take());
        if !applied.is_empty() {
            std::mem::swap(&mut *self.committed.write(), &mut self.next);
        }
    }

    /// Brings the state that was visible before up to the one that is.
    fn catch_up(&mut self, applied: Vec<(Time, Entry)>) {
        for (now, entry) in applied {
            // The outcome is that of the first time.
            drop(entry.apply(&mut self.next, now));
        }
    }
}

fn run(
    mut connection: Connection,
    mut state: State,
    mut waiting: mpsc::Receiver<Message>,
    health: &watch::Sender<Health>,
) {
    let broken = |cause: StoreError| {
        error!(error = %chain(&cause), "the store could not commit; the Management Node stops");
        health.send_replace(Health::Broken);
    };
    if let Err(cause) = state.changes.follow(&mut connection) {
        return broken(cause);
    }
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
        if let Err(cause) = commit(&mut connection, &mut state, jobs) {
            return broken(cause);
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

fn commit(connection: &mut Connection, state: &mut State, jobs: Vec<Job>) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut batch = Batch { tx: &tx, fleet: &mut state.next, applied: Vec::new() };
    let answers = jobs.into_iter().map(|job| job(&mut batch)).collect::<Result<Vec<_>, _>>();
    let applied = batch.applied;
    // Of a transaction that is not committed nobody has seen anything. The process ends soon.
    let answers = match answers {
        Ok(answers) => tx.commit().map(|()| answers)?,
        Err(cause) => return tx.rollback().map_err(StoreError::from).and(Err(cause)),
    };
    state.publish(&applied);
    answers.into_iter().for_each(|answer| answer());
    state.catch_up(applied);
    Ok(())
}

fn close(connection: Connection) {
    if let Err(cause) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        error!(error = %cause, "the log of the store could not be folded in; the next start does it");
    }
    if let Err((_, cause)) = connection.close() {
        error!(error = %cause, "the store could not be closed cleanly; the next start recovers it");
    }
}
