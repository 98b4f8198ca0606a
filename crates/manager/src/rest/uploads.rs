//! Uploads of packages: their rows in the store, their bytes in files. An upload goes on after a
//! broken connection and after a restart of the Management Node: how far it is, its file says.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fleet::time::{Span, Time};
use fleet::version::Sha256;
use futures_util::{Stream, StreamExt as _};
use package::limits::{MAX_MANIFEST, MAX_PAYLOAD, MAX_SIGNATURE};
use rusqlite::{Connection, Row, Transaction, params};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use uuid::Uuid;

use super::Api;
use super::error::{FieldErrors, Kind, Refusal};
use crate::layout::Layout;

/// The largest package, in bytes: the largest manifest, signature and payloads, and the tar around them.
pub(crate) const PACKAGE_BYTES: u64 = MAX_MANIFEST + MAX_SIGNATURE + 2 * MAX_PAYLOAD + (64 << 10);

/// How many uploads may be under way: two operators, and one broken attempt of each.
const OPEN_UPLOADS: usize = 4;

/// How many uploads that have ended are kept to be looked at.
const ENDED_UPLOADS: usize = 20;

/// After how long without a byte an upload makes room for another.
const FORGOTTEN_AFTER: Span = Span::hours(24);

/// Free disk that an upload must leave to the store and the log, in bytes.
const DISK_RESERVE: u64 = 256 << 20;

/// How long a sender may pause before its connection counts as broken.
pub(crate) const IDLE: Duration = Duration::from_secs(30);

/// How long another request for the same upload waits for its turn: until a broken connection is noticed.
const TURN: Duration = Duration::from_secs(35);

/// How far an upload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Bytes are missing, or it was not finished yet.
    Uploading,
    /// The package was verified and is held.
    Ready,
    /// The package was refused; nothing of it is kept.
    Failed,
    /// The package was verified, and a run was started with it.
    Done,
}

impl Stage {
    /// The token in answers and in the store.
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
    /// Its name.
    pub(crate) uuid: Uuid,
    /// How far it is.
    pub(crate) stage: Stage,
    /// How many bytes it will have.
    pub(crate) total_size: u64,
    /// How many bytes have arrived.
    pub(crate) offset: u64,
    /// When it was asked for.
    pub(crate) created_at: Time,
    /// The package, once it is verified.
    pub(crate) manifest: Option<Sha256>,
    /// Why the package was refused.
    pub(crate) error: Option<String>,
}

/// One request at a time for each upload.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<Uuid, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for the turn.
    pub(crate) async fn take(&self, uuid: Uuid) -> Result<OwnedMutexGuard<()>, Refusal> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(uuid).or_default().clone()
        };
        timeout(TURN, turn.lock_owned()).await.map_err(|_| {
            let error = format!("another request is sending bytes of upload {uuid}");
            Refusal::new(Kind::Conflict, error, "wait until it has ended, then go on from the offset")
        })
    }
}

/// Where the bytes of an upload are.
pub(crate) fn file(layout: &Layout, uuid: Uuid) -> PathBuf {
    layout.uploads().join(format!("{uuid}.partial"))
}

/// Makes room for a package of this size.
pub(crate) async fn create(api: &Api, total_size: u64) -> Result<Upload, Refusal> {
    if !(1..=PACKAGE_BYTES).contains(&total_size) {
        let message = format!("Enter the size of the package in bytes, from 1 to {PACKAGE_BYTES}.");
        return Err(FieldErrors::one("total_size", message).refusal("upgrade", Kind::Invalid));
    }
    let _one_at_a_time = api.creating.lock().await;
    make_room(api).await?;
    let uploads = all(api).await?;
    let open: Vec<&Upload> = uploads.iter().filter(|upload| upload.stage == Stage::Uploading).collect();
    if open.len() >= OPEN_UPLOADS {
        let error = format!("{OPEN_UPLOADS} uploads are under way, no more are allowed");
        return Err(Refusal::new(Kind::Conflict, error, "go on with one of them, or delete it"));
    }
    let promised: u64 = open.iter().map(|upload| upload.total_size.saturating_sub(upload.offset)).sum();
    // The package itself, and the payload of the nodes that is taken out of it.
    fits_the_disk(api, promised + 2 * total_size).await?;
    let (uuid, created_at) = (Uuid::new_v4(), api.desk().now());
    let upload = Upload {
        uuid,
        stage: Stage::Uploading,
        total_size,
        offset: 0,
        created_at,
        manifest: None,
        error: None,
    };
    write(api, upload.clone()).await?;
    Ok(upload)
}

/// Forgets uploads that nobody goes on with, and all but the last that have ended.
async fn make_room(api: &Api) -> Result<(), Refusal> {
    let now = api.desk().now();
    let (open, ended): (Vec<Upload>, Vec<Upload>) =
        all(api).await?.into_iter().partition(|upload| upload.stage == Stage::Uploading);
    let known: Vec<Uuid> = open.iter().map(|upload| upload.uuid).collect();
    let silent = api.blocking(move |layout| sweep(layout, &known)).await?;
    for upload in open {
        let pause = silent.get(&upload.uuid).copied().unwrap_or_else(|| now.since(upload.created_at));
        if pause >= FORGOTTEN_AFTER {
            forget(api, upload.uuid).await?;
        }
    }
    for upload in ended.iter().rev().skip(ENDED_UPLOADS) {
        forget(api, upload.uuid).await?;
    }
    Ok(())
}

/// Removes files that belong to no upload, and says how long nothing was written to the others.
fn sweep(layout: &Layout, known: &[Uuid]) -> BTreeMap<Uuid, Span> {
    let mut silent = BTreeMap::new();
    for entry in fs::read_dir(layout.uploads()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let uuid = name.to_str().and_then(|name| name.strip_suffix(".partial")?.parse::<Uuid>().ok());
        match uuid.filter(|uuid| known.contains(uuid)) {
            Some(uuid) => {
                let written = entry.metadata().and_then(|metadata| metadata.modified()).ok();
                let pause = written.and_then(|written| written.elapsed().ok()).unwrap_or_default();
                silent.insert(uuid, Span::seconds(pause.as_secs()));
            }
            // It is swept again the next time if it cannot be removed now.
            None => drop(fs::remove_file(entry.path())),
        }
    }
    silent
}

async fn fits_the_disk(api: &Api, bytes: u64) -> Result<(), Refusal> {
    let free = api.blocking(|layout| {
        fs::create_dir_all(layout.uploads())?;
        let disk = rustix::fs::statvfs(layout.uploads())?;
        Ok::<_, std::io::Error>(disk.f_bavail.saturating_mul(disk.f_frsize))
    });
    let free = free.await?.map_err(|cause| Refusal::internal(&cause))?;
    let needed = bytes.saturating_add(DISK_RESERVE);
    if free >= needed {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::NoSpace,
        format!("the Management Node has {free} bytes of free disk, the upload needs {needed}"),
        "delete upgrade packages that are not in use, or make the disk larger",
    ))
}

/// All uploads, the oldest first.
pub(crate) async fn all(api: &Api) -> Result<Vec<Upload>, Refusal> {
    let uploads = api.desk().store().read(|connection| select(connection, None)).await?;
    api.blocking(move |layout| uploads.into_iter().map(|upload| measured(layout, upload)).collect()).await
}

/// One upload.
pub(crate) async fn find(api: &Api, uuid: Uuid) -> Result<Upload, Refusal> {
    let upload = api.desk().store().read(move |connection| select(connection, Some(uuid))).await?.pop();
    let upload = upload.ok_or_else(|| Refusal::no_such("upgrade_request", uuid))?;
    api.blocking(move |layout| measured(layout, upload)).await
}

/// While it is under way, the length of the file is the truth.
fn measured(layout: &Layout, mut upload: Upload) -> Upload {
    if upload.stage == Stage::Uploading {
        upload.offset = fs::metadata(file(layout, upload.uuid)).map_or(0, |metadata| metadata.len());
    }
    upload
}

/// Stores an upload as it is now.
pub(crate) async fn write(api: &Api, upload: Upload) -> Result<(), Refusal> {
    api.desk().store().write(move |tx| put(tx, &upload)).await
}

/// Stores an upload as it is now.
pub(crate) fn put(tx: &Transaction<'_>, upload: &Upload) -> Result<(), Refusal> {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    tx.execute(
        "INSERT OR REPLACE INTO upload (uuid, state, total_size, received, created_at, manifest, error)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            upload.uuid.to_string(),
            upload.stage.token(),
            signed(upload.total_size),
            signed(upload.offset),
            signed(upload.created_at.0),
            upload.manifest.map(|manifest| manifest.to_string()),
            upload.error,
        ],
    )?;
    Ok(())
}

/// Forgets an upload and its bytes.
pub(crate) async fn forget(api: &Api, uuid: Uuid) -> Result<(), Refusal> {
    let delete = move |tx: &Transaction<'_>| {
        tx.execute("DELETE FROM upload WHERE uuid = ?1", [uuid.to_string()])?;
        Ok::<_, Refusal>(())
    };
    api.desk().store().write(delete).await?;
    drop_bytes(api, uuid).await
}

/// Removes the bytes of an upload, if there are any.
pub(crate) async fn drop_bytes(api: &Api, uuid: Uuid) -> Result<(), Refusal> {
    // What cannot be removed now is swept before the next upload.
    api.blocking(move |layout| drop(fs::remove_file(file(layout, uuid)))).await
}

/// How a part of an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The sender has sent all that it had.
    Whole,
    /// The connection broke off; what has arrived is kept.
    Broken,
    /// It was more than announced; nothing of this part is kept.
    TooMuch,
}

/// Appends bytes to the file of an upload, to at most `total_size`. The caller has the turn.
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
    let sql = "SELECT uuid, state, total_size, received, created_at, manifest, error FROM upload
               WHERE ?1 IS NULL OR uuid = ?1 ORDER BY created_at, uuid";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([one.map(|uuid| uuid.to_string())], raw)?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Upload> {
    let unsigned = |index: usize| row.get::<_, i64>(index).map(|number| u64::try_from(number).unwrap_or(0));
    Ok(Upload {
        uuid: row.get::<_, String>(0)?.parse().unwrap_or_default(),
        stage: Stage::of(&row.get::<_, String>(1)?),
        total_size: unsigned(2)?,
        offset: unsigned(3)?,
        created_at: Time(unsigned(4)?),
        manifest: row.get::<_, Option<String>>(5)?.and_then(|text| text.parse().ok()),
        error: row.get(6)?,
    })
}
