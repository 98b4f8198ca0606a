//! Uploads of packages: their rows in the store, their bytes in files.
//!
//! An upload can be resumed after a broken connection and after a restart of the Management Node: the length
//! of its file is how far it is. Which uploads there may be, `upload_admission` decides.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fleet::time::Time;
use fleet::version::Sha256;
use futures_util::{Stream, StreamExt as _};
use package::limits::{MAX_MANIFEST, MAX_PAYLOAD, MAX_SIGNATURE};
use parking_lot::Mutex;
use rusqlite::{Connection, Row, Transaction, params};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use uuid::Uuid;

use super::Api;
use super::error::{Kind, Refusal};
use crate::layout::Layout;

/// The largest package, in bytes: the largest manifest, signature and payloads, and the tar around them.
pub(crate) const PACKAGE_BYTES: u64 = MAX_MANIFEST + MAX_SIGNATURE + 2 * MAX_PAYLOAD + (64 << 10);

/// How much of the beginning of a file identifies it, in bytes: it contains the beginning of the manifest,
/// which names every piece of the package.
pub(crate) const HEAD_BYTES: u64 = 64 << 10;

/// How long a sender may pause before its connection counts as broken.
pub(crate) const IDLE: Duration = Duration::from_secs(30);

/// How long another request for the same upload waits for its lock: until a broken connection is noticed.
const LOCK_WAIT: Duration = Duration::from_secs(35);

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
    /// The SHA-256 of its first [`HEAD_BYTES`] bytes, or of all when it has fewer, as it was announced.
    pub(crate) head: Option<Sha256>,
    /// The package, once it is verified.
    pub(crate) manifest: Option<Sha256>,
    /// Why the package was refused.
    pub(crate) error: Option<String>,
}

/// A lock for each upload, so that one request at a time handles it.
#[derive(Debug, Default)]
pub(crate) struct UploadLocks(Mutex<BTreeMap<Uuid, Arc<tokio::sync::Mutex<()>>>>);

impl UploadLocks {
    /// Waits for the lock.
    pub(crate) async fn acquire(&self, uuid: Uuid) -> Result<OwnedMutexGuard<()>, Refusal> {
        timeout(LOCK_WAIT, self.of(uuid).lock_owned()).await.map_err(|_| {
            let error = format!("another request is sending bytes of upload {uuid}");
            Refusal::new(Kind::Conflict, error, "wait until it has ended, then go on from the offset")
        })
    }

    /// Acquires the lock, unless another request has it.
    pub(crate) fn try_acquire(&self, uuid: Uuid) -> Option<OwnedMutexGuard<()>> {
        self.of(uuid).try_lock_owned().ok()
    }

    fn of(&self, uuid: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        let mut upload_locks = self.0.lock();
        upload_locks.retain(|_, turn| Arc::strong_count(turn) > 1);
        upload_locks.entry(uuid).or_default().clone()
    }
}

/// The file with the bytes of an upload.
pub(crate) fn file(layout: &Layout, uuid: Uuid) -> PathBuf {
    layout.uploads().join(format!("{uuid}.partial"))
}

/// All uploads, the oldest first.
pub(crate) async fn all(api: &Api) -> Result<Vec<Upload>, Refusal> {
    let uploads = api.committer().store().read(|connection| select(connection, None)).await?;
    api.blocking(move |layout| uploads.into_iter().map(|upload| measured(layout, upload)).collect()).await
}

/// One upload.
pub(crate) async fn find(api: &Api, uuid: Uuid) -> Result<Upload, Refusal> {
    let upload = api.committer().store().read(move |connection| select(connection, Some(uuid))).await?.pop();
    let upload = upload.ok_or_else(|| Refusal::no_such("upgrade_request", uuid))?;
    api.blocking(move |layout| measured(layout, upload)).await
}

/// While an upload is in progress, the length of its file is its offset.
fn measured(layout: &Layout, mut upload: Upload) -> Upload {
    if upload.stage == Stage::Uploading {
        upload.offset = fs::metadata(file(layout, upload.uuid)).map_or(0, |metadata| metadata.len());
    }
    upload
}

/// Stores an upload as it is now.
pub(crate) async fn write(api: &Api, upload: Upload) -> Result<(), Refusal> {
    api.committer().store().write(move |tx| put(tx, &upload)).await
}

/// Stores an upload as it is now.
pub(crate) fn put(tx: &Transaction<'_>, upload: &Upload) -> Result<(), Refusal> {
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
pub(crate) async fn touch(api: &Api, uuid: Uuid) -> Result<(), Refusal> {
    let now = signed(api.committer().now().0);
    let touch = move |tx: &Transaction<'_>| {
        tx.execute("UPDATE upload SET active_at = ?2 WHERE uuid = ?1", params![uuid.to_string(), now])?;
        Ok::<_, Refusal>(())
    };
    api.committer().store().write(touch).await
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Deletes an upload and its bytes.
pub(crate) async fn forget(api: &Api, uuid: Uuid) -> Result<(), Refusal> {
    let delete = move |tx: &Transaction<'_>| {
        tx.execute("DELETE FROM upload WHERE uuid = ?1", [uuid.to_string()])?;
        Ok::<_, Refusal>(())
    };
    api.committer().store().write(delete).await?;
    drop_bytes(api, uuid).await
}

/// Removes the bytes of an upload, if there are any.
pub(crate) async fn drop_bytes(api: &Api, uuid: Uuid) -> Result<(), Refusal> {
    // A file that cannot be removed now is removed before the next upload.
    api.blocking(move |layout| drop(fs::remove_file(file(layout, uuid)))).await
}

/// How a part of an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The sender has sent everything.
    Whole,
    /// The connection broke; what has arrived is kept.
    Broken,
    /// It was more than announced; nothing of this part is kept.
    TooMuch,
}

/// Appends bytes to the file of an upload, up to `total_size`. The caller has the lock.
pub(crate) async fn append<E>(
    api: &Api,
    upload: &Upload,
    mut bytes: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> std::io::Result<Received> {
    tokio::fs::create_dir_all(api.layout().uploads()).await?;
    let path = file(api.layout(), upload.uuid);
    let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(path).await?;
    let mut length = upload.offset;
    let received = loop {
        match timeout(IDLE, bytes.next()).await {
            Ok(Some(Ok(chunk))) => {
                length += chunk.len() as u64;
                if length > upload.total_size {
                    break Received::TooMuch;
                }
                file.write_all(&chunk).await?;
            }
            Ok(None) => break Received::Whole,
            Ok(Some(Err(_))) | Err(_) => break Received::Broken,
        }
    };
    file.flush().await?;
    if received == Received::TooMuch {
        file.set_len(upload.offset).await?;
    }
    file.sync_all().await?;
    Ok(received)
}

fn select(connection: &Connection, one: Option<Uuid>) -> Result<Vec<Upload>, Refusal> {
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
