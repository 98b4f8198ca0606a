//! The runs in the history, and their entries in the journal.

use fleet::desired::RunId;
use fleet::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{RUNS_LISTED, Recorded, StoreError, StoredRun, signed};

/// An entry of the journal.
#[derive(Debug)]
pub(crate) struct JournalEntry {
    /// Its number.
    pub(crate) seq: i64,
    /// When it was written.
    pub(crate) at: Time,
    /// What it says.
    pub(crate) recorded: Recorded,
}

/// The runs, newest first, each with the number of its entries that are not kept any more.
///
/// # Errors
/// The database reports an error.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(StoredRun, i64)>, StoreError> {
    let sql = "SELECT body, evicted FROM run ORDER BY id DESC LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
    let rows = statement.query_map([RUNS_LISTED], row)?.collect::<Result<Vec<_>, _>>()?;
    rows.iter().map(|(body, evicted)| Ok((serde_json::from_str(body)?, *evicted))).collect()
}

/// One run.
///
/// # Errors
/// The database reports an error.
pub(crate) fn find(connection: &Connection, id: RunId) -> Result<Option<StoredRun>, StoreError> {
    let sql = "SELECT body FROM run WHERE id = ?1";
    let body: Option<String> =
        connection.prepare_cached(sql)?.query_row([id.0], |row| row.get(0)).optional()?;
    Ok(body.map(|body| serde_json::from_str(&body)).transpose()?)
}

/// The entries of a run after an entry, at most so many.
///
/// # Errors
/// The database reports an error.
pub(crate) fn entries(
    connection: &Connection,
    run: RunId,
    since: i64,
    most: usize,
) -> Result<Vec<JournalEntry>, StoreError> {
    let sql = "SELECT seq, at, body FROM journal WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, String>(2)?));
    let rows = statement.query_map(params![run.0, since, signed(most)], row)?;
    rows.map(|row| {
        let (seq, at, body) = row?;
        let at = Time(u64::try_from(at).unwrap_or(0));
        Ok(JournalEntry { seq, at, recorded: serde_json::from_str(&body)? })
    })
    .collect()
}
