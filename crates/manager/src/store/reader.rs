//! The connections that read. They see what is committed, and never wait for the writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::StoreError;
use super::objects::add_functions;

/// How many reads run at once: two for two processors, and two that wait for the disk.
const READS_AT_ONCE: u32 = 4;

/// How long one read may take. The longest list of the largest platform takes a tenth of it.
const LONGEST: Duration = Duration::from_secs(5);

/// After how many steps of the database's machine it is looked whether the time is over.
const STEPS: i32 = 10_000;

/// The connections that are not in use.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        let turns = Arc::new(Semaphore::new(READS_AT_ONCE as usize));
        Self { path: path.into(), idle: Mutex::default(), turns }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn read<T, E>(
        readers: Arc<Self>,
        read: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let turn = readers.turns.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let work = spawn_blocking(move || {
            let mut connection = readers.take()?;
            Self::limit(&mut connection).map_err(StoreError::from)?;
            let outcome = read(&connection);
            readers.idle.lock().push(connection);
            drop(turn);
            outcome
        });
        work.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Ends a statement that takes longer than any list needs, so that no query keeps a connection from others.
    fn limit(connection: &mut Connection) -> rusqlite::Result<()> {
        let until = Instant::now() + LONGEST;
        connection.progress_handler(STEPS, Some(move || Instant::now() > until))
    }

    fn take(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle.lock().pop() {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = |source| StoreError::Open { path: self.path.clone(), source };
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failed)?;
        add_functions(&connection).map_err(failed)?;
        Ok(connection)
    }

    /// Waits for the reads in progress, and refuses later ones.
    pub(crate) async fn close(&self) {
        if let Ok(all) = self.turns.acquire_many(READS_AT_ONCE).await {
            self.turns.close();
            drop(all);
        }
        self.idle.lock().clear();
    }
}
