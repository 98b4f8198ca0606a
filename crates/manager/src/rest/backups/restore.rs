//! `command/v1/platform/backup_restore/`: receives a backup, has it checked, and has the process end so that its next
//! start puts it in place. A request that is refused has changed nothing.

use std::io;
use std::path::Path;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use backup::Passphrase;
use backup::limits::{MAX_PASSPHRASE, MAX_TOTAL};
use edge::error_chain::chain;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::super::upgrade::IDLE;
use super::{checked_passphrase, turn};
use crate::backups::{BackupError, Backups, RestoreError};
use crate::rest::Api;
use crate::rest::calls::success;
use crate::rest::error::{FieldErrors, Kind, Refusal};
use crate::rest::request::{has_type, malformed};
use crate::rest::route::both;

const RESTORE: &str = "/api/admin/command/v1/platform/backup_restore/";

const RESOURCE: &str = "backup_restore";

/// The largest file, in bytes: the files of a backup that do not compress, and the format around them.
const FILE_BYTES: u64 = MAX_TOTAL + (64 << 20);

/// After so many bytes the free space is looked at again: the store needs some at any time.
const CHECK_EVERY: u64 = 16 << 20;

/// Bytes of a form beside the backup in it.
const FORM_BYTES: u64 = 1 << 20;

pub(super) fn routes() -> Router<Api> {
    let form = DefaultBodyLimit::max(usize::try_from(FILE_BYTES + FORM_BYTES).unwrap_or(usize::MAX));
    both(RESTORE, post(restore).layer(form))
}

async fn restore(State(api): State<Api>, request: Request) -> Result<Response, Refusal> {
    if !has_type(request.headers(), "multipart/form-data") {
        return Err(malformed(
            "the request is no form",
            "send the backup as the file package of a multipart form, with its passphrase",
        ));
    }
    refuse_during_a_run(&api)?;
    let turn = turn(&api)?;
    // A body that is sent in chunks does not say how long it is; there the space is looked at while it arrives.
    let announced = request.body().size_hint().exact().unwrap_or(0);
    let file = api.context.backups.prepare_restore(announced).await?;
    let received = receive(&api.context.backups, &file, request).await;
    let unpacked = match received {
        Ok(passphrase) => {
            api.context.backups.unpack(&turn, file.clone(), passphrase).await.map_err(Refusal::from)
        }
        Err(refusal) => Err(refusal),
    };
    // Whatever is left of it is removed by the next start.
    let _ = tokio::fs::remove_file(&file).await;
    let manifest = unpacked?;
    // No run starts between this look and the acceptance.
    let _no_start = api.packages.lock().await;
    if let Err(refusal) = refuse_during_a_run(&api) {
        api.context.backups.discard(turn).await?;
        return Err(refusal);
    }
    api.context.backups.accept(turn).await?;
    tracing::warn!(
        made = manifest.origin.made.0,
        "a backup is accepted; the Management Node restarts with it"
    );
    let message =
        "the backup is whole; the Management Node restarts with it, and its accounts are those of the backup";
    Ok((StatusCode::ACCEPTED, success(&json!({"message": message}))).into_response())
}

/// The nodes of a run are on their way to a release that the restored Management Node does not know of.
fn refuse_during_a_run(api: &Api) -> Result<(), Refusal> {
    if api.committer().read(|fleet, _| fleet.platform.run.is_none()) {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::Conflict,
        "an upgrade is under way, and no backup is restored meanwhile",
        "wait until it has ended: pitlane upgrade watch",
    ))
}

/// Receives the form: the backup into a file, and the passphrase, in any order.
async fn receive(backups: &Backups, file: &Path, request: Request) -> Result<Passphrase, Refusal> {
    let form = Multipart::from_request(request, &()).await;
    let mut form =
        form.map_err(|_| malformed("the form cannot be read", "send it as multipart/form-data"))?;
    let (mut passphrase, mut has_package) = (String::new(), false);
    while let Some(mut field) = next(&mut form).await? {
        match field.name() {
            Some("package") => {
                write(backups, file, &mut field).await?;
                has_package = true;
            }
            Some("passphrase") => passphrase = text(&mut field).await?,
            Some(_) | None => {}
        }
    }
    let mut errors = FieldErrors::default();
    if !has_package {
        errors.add("package", "This field is required.");
    }
    let passphrase = checked_passphrase(&passphrase).map_err(|why| errors.add("passphrase", why));
    match passphrase {
        Ok(passphrase) if has_package => Ok(passphrase),
        Ok(_) | Err(()) => Err(errors.refusal(RESOURCE, Kind::Invalid)),
    }
}

async fn next(form: &mut Multipart) -> Result<Option<Field<'_>>, Refusal> {
    match timeout(IDLE, form.next_field()).await {
        Ok(Ok(field)) => Ok(field),
        Ok(Err(_)) | Err(_) => Err(interrupted()),
    }
}

/// Writes a field to a file that only its owner reads.
async fn write(backups: &Backups, file: &Path, field: &mut Field<'_>) -> Result<(), Refusal> {
    let mut options = tokio::fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(file).await;
    let mut to = opened.map_err(|source| disk(file, source))?;
    let (mut size, mut unchecked) = (0, 0);
    while let Some(chunk) = chunk(field).await? {
        size += chunk.len() as u64;
        if size > FILE_BYTES {
            let error = format!("the file has more than {FILE_BYTES} bytes, which no backup has");
            return Err(Refusal::new(Kind::TooLarge, error, "choose the file as it was downloaded"));
        }
        to.write_all(&chunk).await.map_err(|source| disk(file, source))?;
        unchecked += chunk.len() as u64;
        if unchecked > CHECK_EVERY {
            unchecked = 0;
            backups.require_space(file)?;
        }
    }
    to.flush().await.map_err(|source| disk(file, source))
}

/// The text of a field; what is longer than any passphrase is left out.
async fn text(field: &mut Field<'_>) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunk(field).await? {
        if bytes.len() <= MAX_PASSPHRASE {
            bytes.extend_from_slice(&chunk);
        }
    }
    bytes.truncate(MAX_PASSPHRASE + 1);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn chunk(field: &mut Field<'_>) -> Result<Option<bytes::Bytes>, Refusal> {
    match timeout(IDLE, field.chunk()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(_)) | Err(_) => Err(interrupted()),
    }
}

fn interrupted() -> Refusal {
    malformed("the form was interrupted", "send all of it again; nothing was changed")
}

fn disk(file: &Path, source: io::Error) -> Refusal {
    if source.kind() == io::ErrorKind::StorageFull {
        return Refusal::new(Kind::NoSpace, "the disk of the Management Node is full", "make room on it");
    }
    Refusal::internal(&BackupError::Disk { doing: "write", path: file.into(), source })
}

impl From<RestoreError> for Refusal {
    fn from(cause: RestoreError) -> Self {
        let in_field = |field: &'static str, cause: &RestoreError| {
            let refusal = FieldErrors::one(field, chain(cause)).refusal(RESOURCE, Kind::PackageRefused);
            Self { error: chain(cause), ..refusal }
        };
        let hinted =
            |hint: &str, cause: &RestoreError| Self { hint: hint.into(), ..in_field("package", cause) };
        match cause {
            RestoreError::Refused(backup::Refusal::WrongPassphrase) => in_field("passphrase", &cause),
            RestoreError::Refused(backup::Refusal::Io { .. } | backup::Refusal::NotEmpty { .. })
            | RestoreError::Authority(_) => Self::internal(&cause),
            RestoreError::Refused(_) | RestoreError::OtherFiles { .. } | RestoreError::OtherAuthority => {
                hinted("choose a backup as it was downloaded; nothing was changed", &cause)
            }
            RestoreError::Store(_) => hinted("choose another backup; nothing was changed", &cause),
            RestoreError::OtherRelease { made_by, .. } => {
                let hint = format!(
                    "install a Management Node of {made_by} and restore it there; nothing was changed"
                );
                hinted(&hint, &cause)
            }
            RestoreError::OtherPlatform { .. } => Self::new(
                Kind::Conflict,
                cause.to_string(),
                "restore it on a Management Node without nodes; nothing was changed",
            ),
            RestoreError::Accepted => {
                Self::new(Kind::Conflict, cause.to_string(), "wait until it has restarted").retry_after(5)
            }
            RestoreError::Disk(cause) => cause.into(),
        }
    }
}
