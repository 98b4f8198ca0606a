//! The rows of uploads. Their bytes are in files, which the management API writes.

use fleet::time::Time;
use fleet::version::Sha256;
use rusqlite::{Connection, Row, Transaction, params};
use uuid::Uuid;

use super::{StoreError, signed};

/// The stage of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Bytes are missing, or the request to finish is.
    Uploading,
    /// The package was verified and is held.
    Ready,
    /// The package was refused; nothing of it is kept.
    Failed,
    /// The package was verified, and a run was started with it.
    Done,
}

impl Stage {
    /// Its identifier in answers and in the store.
    pub(crate) fn token(self) -> &'static str {
        match self {
            Self::Uploading => "uploading",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    fn of(token: &str) -> Self {
        let stages = [Self::Uploading, Self::Ready, Self::Done];
        stages.into_iter().find(|stage| stage.token() == token).unwrap_or(Self::Failed)
    }
}

/// An upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upload {
    /// Its id.
    pub(crate) uuid: Uuid,
    /// Its stage.
    pub(crate) stage: Stage,
    /// Its size in bytes.
    pub(crate) total_size: u64,
    /// How many bytes have arrived.
    pub(crate) offset: u64,
    /// When it was requested.
    pub(crate) created_at: Time,
    /// When it was last requested, or last received bytes.
    pub(crate) active_at: Time,
    /// The account that requested it; none when it is from before release 34.1.
    pub(crate) owner: Option<String>,
    /// The SHA-256 of the beginning of the file, as it was announced.
    pub(crate) head: Option<Sha256>,
    /// The package, once it is verified.
    pub(crate) manifest: Option<Sha256>,
    /// Why the package was refused.
    pub(crate) error: Option<String>,
}

/// All uploads, the oldest first.
///
/// # Errors
/// The database reports an error.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Upload>, StoreError> {
    select(connection, None)
}

/// One upload.
///
/// # Errors
/// The database reports an error.
pub(crate) fn find(connection: &Connection, uuid: Uuid) -> Result<Option<Upload>, StoreError> {
    Ok(select(connection, Some(uuid))?.pop())
}

/// Stores an upload as it is now.
///
/// # Errors
/// The database reports an error.
pub(crate) fn put(tx: &Transaction<'_>, upload: &Upload) -> Result<(), StoreError> {
    let Upload { uuid, stage, total_size, offset, created_at, active_at, owner, head, manifest, error } =
        upload;
    let text = |hash: &Option<Sha256>| hash.map(|hash| hash.to_string());
    tx.execute(
        "INSERT OR REPLACE INTO upload
         (uuid, state, total_size, received, created_at, active_at, owner, head_sha256, manifest, error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            uuid.to_string(),
            stage.token(),
            signed(*total_size),
            signed(*offset),
            signed(created_at.0),
            signed(active_at.0),
            owner,
            text(head),
            text(manifest),
            error,
        ],
    )?;
    Ok(())
}

/// Notes activity on an upload.
///
/// # Errors
/// The database reports an error.
pub(crate) fn touch(tx: &Transaction<'_>, uuid: Uuid, now: Time) -> Result<(), StoreError> {
    let sql = "UPDATE upload SET active_at = ?2 WHERE uuid = ?1";
    tx.execute(sql, params![uuid.to_string(), signed(now.0)])?;
    Ok(())
}

/// Deletes an upload.
///
/// # Errors
/// The database reports an error.
pub(crate) fn delete(tx: &Transaction<'_>, uuid: Uuid) -> Result<(), StoreError> {
    tx.execute("DELETE FROM upload WHERE uuid = ?1", [uuid.to_string()])?;
    Ok(())
}

fn select(connection: &Connection, one: Option<Uuid>) -> Result<Vec<Upload>, StoreError> {
    let sql = "SELECT uuid, state, total_size, received, created_at, coalesce(active_at, created_at), owner,
                      head_sha256, manifest, error FROM upload
               WHERE ?1 IS NULL OR uuid = ?1 ORDER BY created_at, uuid";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([one.map(|uuid| uuid.to_string())], raw)?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Upload> {
    let unsigned = |index: usize| row.get::<_, i64>(index).map(|number| u64::try_from(number).unwrap_or(0));
    let hash = |index: usize| {
        row.get::<_, Option<String>>(index).map(|text| text.and_then(|text| text.parse().ok()))
    };
    Ok(Upload {
        uuid: row.get::<_, String>(0)?.parse().unwrap_or_default(),
        stage: Stage::of(&row.get::<_, String>(1)?),
        total_size: unsigned(2)?,
        offset: unsigned(3)?,
        created_at: Time(unsigned(4)?),
        active_at: Time(unsigned(5)?),
        owner: row.get(6)?,
        head: hash(7)?,
        manifest: hash(8)?,
        error: row.get(9)?,
    })
}
