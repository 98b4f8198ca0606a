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
use futures_util::{Stream, StreamExt as _};
use package::limits::{MAX_MANIFEST, MAX_PAYLOAD, MAX_SIGNATURE};
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;
use uuid::Uuid;

use crate::layout::Layout;
use crate::rest::Api;
use crate::rest::error::{Kind, Refusal};
use crate::store::uploads;
pub(crate) use crate::store::uploads::{Stage, Upload, put};

/// The largest package, in bytes: the largest manifest, signature and payloads, and the tar around them.
pub(crate) const PACKAGE_BYTES: u64 = MAX_MANIFEST + MAX_SIGNATURE + 2 * MAX_PAYLOAD + (64 << 10);

/// How much of the beginning of a file identifies it, in bytes: it contains the beginning of the manifest,
/// which names every piece of the package.
pub(crate) const HEAD_BYTES: u64 = 64 << 10;

/// How long a sender may pause before its connection counts as broken.
pub(crate) const IDLE: Duration = Duration::from_secs(30);

/// How long another request for the same upload waits for its lock: until a broken connection is noticed.
const LOCK_WAIT: Duration = Duration::from_secs(35);

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
    let uploads = api.committer().store().read(uploads::all).await?;
    api.blocking(move |layout| uploads.into_iter().map(|upload| measured(layout, upload)).collect()).await
}

/// One upload.
pub(crate) async fn find(api: &Api, uuid: Uuid) -> Result<Upload, Refusal> {
    let upload = api.committer().store().read(move |connection| uploads::find(connection, uuid)).await?;
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
    Ok(api.committer().store().write(move |tx| uploads::put(tx, &upload)).await?)
}

/// Notes activity on an upload.
pub(crate) async fn touch(api: &Api, uuid: Uuid) -> Result<(), Refusal> {
    let now = api.committer().now();
    Ok(api.committer().store().write(move |tx| uploads::touch(tx, uuid, now)).await?)
}

/// Deletes an upload and its bytes.
pub(crate) async fn forget(api: &Api, uuid: Uuid) -> Result<(), Refusal> {
    api.committer().store().write(move |tx| uploads::delete(tx, uuid)).await?;
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
