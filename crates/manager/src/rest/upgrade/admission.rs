//! Admits a new upload: resumes the one of the same file, uses free capacity, or replaces an idle upload of
//! the same account.
//!
//! It relies on `upload_store` for the rows and the bytes. It never replaces an upload that a request is
//! sending bytes of, nor one of another account; what it does not admit it refuses with the reason.

use std::fs;

use fleet::time::{Span, Time};
use fleet::version::Sha256;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use super::upload_store::{PACKAGE_BYTES, Stage, Upload};
use super::{held_packages, upload_store};
use crate::layout::Layout;
use crate::rest::Api;
use crate::rest::error::{FieldErrors, Kind, Refusal};

/// How many uploads may be in progress: two operators, and one interrupted attempt of each.
const OPEN_UPLOADS: usize = 4;

/// How many ended uploads are kept for inspection.
const ENDED_UPLOADS: usize = 20;

/// After how long without a byte an upload may be replaced by one of any account.
const FORGOTTEN_AFTER: Span = Span::hours(24);

/// After how long without a byte, and without a request that sends one, an upload is idle and may be replaced
/// by another of the same account. A sender that retries pauses for 64 s in total, and a broken connection is
/// noticed within 35 s.
const IDLE_AFTER: Span = Span::minutes(2);

/// Free disk that an upload must leave to the store and the log, in bytes.
const DISK_RESERVE: u64 = 256 << 20;

/// A request for an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadRequest {
    /// The account.
    pub(crate) owner: String,
    /// Its size in bytes.
    pub(crate) total_size: u64,
    /// The SHA-256 of its first [`upload_store::HEAD_BYTES`] bytes: with the size, it identifies the file.
    pub(crate) head: Option<Sha256>,
}

/// How an upload is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// A new upload.
    Created(Upload),
    /// The upload of the same file by the same account, which is resumed.
    Resumed(Upload),
}

/// Admits an upload.
pub(crate) async fn admit(api: &Api, announced: UploadRequest) -> Result<Admission, Refusal> {
    let UploadRequest { owner, total_size, head } = announced;
    if !(1..=PACKAGE_BYTES).contains(&total_size) {
        let message = format!("Enter the size of the package in bytes, from 1 to {PACKAGE_BYTES}.");
        return Err(FieldErrors::one("total_size", message).refusal("upgrade", Kind::Invalid));
    }
    let _one_at_a_time = api.creating.lock().await;
    delete_old(api).await?;
    if let Some(head) = head
        && let Some(upload) = same_file(api, &owner, total_size, head).await?
    {
        upload_store::touch(api, upload.uuid).await?;
        return Ok(Admission::Resumed(upload));
    }
    make_room(api, &owner, total_size).await?;
    let now = api.committer().now();
    let upload = Upload {
        uuid: Uuid::new_v4(),
        stage: Stage::Uploading,
        total_size,
        offset: 0,
        created_at: now,
        active_at: now,
        owner: Some(owner),
        head,
        manifest: None,
        error: None,
    };
    upload_store::write(api, upload.clone()).await?;
    Ok(Admission::Created(upload))
}

/// Deletes abandoned uploads, and all but the last ended ones.
async fn delete_old(api: &Api) -> Result<(), Refusal> {
    let now = api.committer().now();
    let (open, ended) = open_and_ended(api).await?;
    let known: Vec<Uuid> = open.iter().map(|upload| upload.uuid).collect();
    api.blocking(move |layout| sweep(layout, &known)).await?;
    for upload in open.iter().filter(|upload| now.since(upload.active_at) >= FORGOTTEN_AFTER) {
        if let Some(_lock) = api.upload_locks.try_acquire(upload.uuid) {
            upload_store::forget(api, upload.uuid).await?;
        }
    }
    for upload in ended.iter().rev().skip(ENDED_UPLOADS) {
        upload_store::forget(api, upload.uuid).await?;
    }
    Ok(())
}

/// The uploads in progress and the ended ones, the oldest first.
async fn open_and_ended(api: &Api) -> Result<(Vec<Upload>, Vec<Upload>), Refusal> {
    Ok(upload_store::all(api).await?.into_iter().partition(|upload| upload.stage == Stage::Uploading))
}

/// Removes files that belong to no upload.
fn sweep(layout: &Layout, known: &[Uuid]) {
    for entry in fs::read_dir(layout.uploads()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let uuid = name.to_str().and_then(|name| name.strip_suffix(".partial")?.parse::<Uuid>().ok());
        if uuid.is_none_or(|uuid| !known.contains(&uuid)) {
            // If it cannot be removed now, it is tried again the next time.
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// The upload of the same file by the same account that can be resumed: bytes are missing, or the package was
/// admitted and is still held. The signature verifies in the end that it was the same file.
async fn same_file(api: &Api, owner: &str, size: u64, head: Sha256) -> Result<Option<Upload>, Refusal> {
    let mut same = upload_store::all(api).await?;
    same.retain(|upload| {
        upload.owner.as_deref() == Some(owner) && upload.total_size == size && upload.head == Some(head)
    });
    for upload in same.into_iter().rev() {
        match (upload.stage, upload.manifest) {
            (Stage::Uploading, _) => return Ok(Some(upload)),
            (Stage::Ready, Some(manifest)) if held_packages::find(api, manifest).await.is_ok() => {
                return Ok(Some(upload));
            }
            (Stage::Ready | Stage::Failed | Stage::Done, _) => {}
        }
    }
    Ok(None)
}

/// Makes room for a package of this size: removes idle uploads of the same account, the one that was idle for
/// longest first, until there are few enough uploads and enough disk space.
async fn make_room(api: &Api, owner: &str, size: u64) -> Result<(), Refusal> {
    loop {
        let (open, _) = open_and_ended(api).await?;
        let Some(shortage) = shortage(api, &open, size).await? else { return Ok(()) };
        let Some((idle, _lock)) = idle_of(api, &open, owner) else { return Err(shortage) };
        tracing::info!(upload = %idle.uuid, bytes = idle.offset, "an idle upload was removed to make room for another");
        upload_store::forget(api, idle.uuid).await?;
    }
}

/// Why another upload cannot be admitted, if it cannot.
async fn shortage(api: &Api, open: &[Upload], size: u64) -> Result<Option<Refusal>, Refusal> {
    if open.len() >= OPEN_UPLOADS {
        return Ok(Some(no_place(open, api.committer().now())));
    }
    let promised: u64 = open.iter().map(|upload| upload.total_size.saturating_sub(upload.offset)).sum();
    // The package itself, and the payload of the nodes that is extracted from it.
    let needed = (promised + 2 * size).saturating_add(DISK_RESERVE);
    let free = api.blocking(|layout| {
        fs::create_dir_all(layout.uploads())?;
        slots::free_space(&layout.uploads())
    });
    let free = free.await?.map_err(|cause| Refusal::internal(&cause))?;
    Ok((free < needed).then(|| no_space(free, needed)))
}

fn no_place(open: &[Upload], now: Time) -> Refusal {
    let one = |upload: &Upload| {
        let owner = upload.owner.as_deref().unwrap_or("somebody");
        let idle = now.since(upload.active_at);
        format!(
            "{} of {owner} ({} of {} bytes, last one {idle} ago)",
            upload.uuid, upload.offset, upload.total_size
        )
    };
    let all: Vec<String> = open.iter().map(one).collect();
    let error = format!("{OPEN_UPLOADS} uploads are under way, no more are allowed: {}", all.join("; "));
    let hint = format!(
        "wait until one has ended, or remove one: pitlane upgrade uploads remove UPLOAD; your own make room by \
         themselves after {IDLE_AFTER} without a byte"
    );
    Refusal::new(Kind::Conflict, error, hint)
}

fn no_space(free: u64, needed: u64) -> Refusal {
    let mib = |bytes: u64| bytes >> 20;
    let error = format!(
        "the Management Node has {} MiB of free disk, and the upload needs {} MiB: the package, what is unpacked \
         of it, the uploads under way and a reserve",
        mib(free),
        mib(needed) + 1
    );
    let hint = "remove packages that are not needed (pitlane upgrade packages list, then remove) or uploads that \
                are given up (pitlane upgrade uploads list, then remove), or make the disk larger";
    Refusal::new(Kind::NoSpace, error, hint)
}

/// The upload of this account that was idle for longest, with its lock. One from before uploads had owners
/// belongs to every account.
fn idle_of<'a>(api: &Api, open: &'a [Upload], owner: &str) -> Option<(&'a Upload, OwnedMutexGuard<()>)> {
    let now = api.committer().now();
    let of_owner = |upload: &&Upload| upload.owner.as_deref().is_none_or(|of| of == owner);
    let mut idle: Vec<&Upload> =
        open.iter().filter(of_owner).filter(|upload| now.since(upload.active_at) >= IDLE_AFTER).collect();
    idle.sort_by_key(|upload| upload.active_at);
    idle.into_iter().find_map(|upload| Some((upload, api.upload_locks.try_acquire(upload.uuid)?)))
}

/// Whether a new upload of the same account may replace this one.
pub(crate) fn is_idle(api: &Api, upload: &Upload) -> bool {
    upload.stage == Stage::Uploading
        && api.committer().now().since(upload.active_at) >= IDLE_AFTER
        && api.upload_locks.try_acquire(upload.uuid).is_some()
}
