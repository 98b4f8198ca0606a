//! Uploading a package: `configuration/v1/upgrade/`, `command/v1/platform/upgrade/` and
//! `configuration/v1/upgrade_request/`.
//!
//! What has arrived before a connection broke is kept. Of a refused package only the reason is kept. It
//! relies on `upload_admission` for whether there may be another upload, and on `upload_store` for rows and
//! bytes.

use crate::rest::json::Json;
use crate::store::Transaction;
use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::multipart::Multipart;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use fleet::policy::Policy;
use fleet::time::Time;
use fleet::version::Sha256;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::admission::{Admission, UploadRequest};
use super::upload_store::{PACKAGE_BYTES, Received, Stage, Upload};
use super::{admission, held_packages, start, upload_store};
use crate::packages::{self, HeldPackage, PackageError};
use crate::resources::draft::flag;
use crate::resources::time;
use crate::resources::upgrade::UPGRADE_REQUEST;
use crate::rest::Api;
use crate::rest::error::{FieldErrors, Kind, Refusal};
use crate::rest::list::page;
use crate::rest::request::{AuthenticatedUser, Fields, PathId, QueryPairs, has_type, malformed};
use crate::rest::route::{both, location};

const CONFIGURATION: &str = "/api/admin/configuration/v1/upgrade/";
const COMMAND: &str = "/api/admin/command/v1/platform/upgrade/";
const LIST: &str = "/api/admin/configuration/v1/upgrade_request/";

const RESOURCE: &str = "upgrade_request";

/// The next request after a start, and after a check.
const MONITOR: &str = "/api/admin/status/v1/upgrade/";
const CONFIRM: &str = "/api/admin/command/v1/platform/upgrade_start/";

/// Bytes of a form beside the package in it.
const FORM_BYTES: u64 = 1 << 20;

/// The header with the offset of a part, in bytes.
const OFFSET: &str = "upload-offset";

pub(super) fn routes() -> Router<Api> {
    let form = DefaultBodyLimit::max(usize::try_from(PACKAGE_BYTES + FORM_BYTES).unwrap_or(usize::MAX));
    both(CONFIGURATION, post(upgrade).layer(form))
        .merge(both(COMMAND, post(upgrade).layer(form)))
        .merge(both(LIST, get(list)))
        .merge(both(&format!("{LIST}{{id}}/"), get(detail).delete(remove)))
        .merge(both(&format!("{LIST}{{id}}/upload/"), post(upload)))
        .merge(both(&format!("{LIST}{{id}}/finish/"), post(finish)))
        .merge(both(&format!("{LIST}{{id}}/cancel/"), post(cancel)))
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let mut objects = Vec::new();
    for upload in upload_store::all(&api).await? {
        objects.push(shown(&api, &upload).await?);
    }
    page(&UPGRADE_REQUEST, &query, objects).map(Json)
}

async fn detail(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let upload = upload_store::find(&api, id.id(RESOURCE)?).await?;
    shown(&api, &upload).await.map(Json)
}

async fn remove(State(api): State<Api>, id: PathId) -> Result<StatusCode, Refusal> {
    discard(&api, id.id(RESOURCE)?).await.map(|()| StatusCode::NO_CONTENT)
}

async fn cancel(State(api): State<Api>, id: PathId) -> Result<Response, Refusal> {
    let uuid = id.id(RESOURCE)?;
    discard(&api, uuid).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"ok": true, "upload_id": uuid, "status": "success"})))
        .into_response())
}

async fn discard(api: &Api, uuid: Uuid) -> Result<(), Refusal> {
    let _lock = api.upload_locks.acquire(uuid).await?;
    upload_store::find(api, uuid).await?;
    upload_store::forget(api, uuid).await
}

/// Uploads, checks and starts in one request, or begins an upload in parts.
async fn upgrade(
    State(api): State<Api>,
    AuthenticatedUser(owner): AuthenticatedUser,
    request: Request,
) -> Result<Response, Refusal> {
    if has_type(request.headers(), "multipart/form-data") {
        return upload_form(api, owner, request).await;
    }
    let Fields(body) = Fields::from_request(request, &()).await?;
    if flag(&body, "request") != Ok(true) {
        let message = "Send the package as a multipart form, or {\"request\": true, \"total_size\": bytes}.";
        return Err(FieldErrors::one("package", message).refusal("upgrade", Kind::Invalid));
    }
    let head = head_of(&body)?;
    let announced = UploadRequest { owner, total_size: total_size(&body), head };
    let (status, upload) = match admission::admit(&api, announced).await? {
        Admission::Created(upload) => (StatusCode::CREATED, upload),
        Admission::Resumed(upload) => (StatusCode::OK, upload),
    };
    let mut answer = receipt(&api, &upload).await?;
    answer["next_url"] = format!("{LIST}{}/upload/", upload.uuid).into();
    answer["status"] = "success".into();
    let headers = [(header::LOCATION, location(&format!("{LIST}{}/", upload.uuid)))];
    Ok((status, headers, Json(answer)).into_response())
}

/// The hash of the beginning of the file, by which an interrupted upload is found again.
fn head_of(body: &Map<String, Value>) -> Result<Option<Sha256>, Refusal> {
    match body.get("head_sha256") {
        None | Some(Value::Null) => Ok(None),
        Some(given) => given.as_str().and_then(|text| text.parse().ok()).map(Some).ok_or_else(|| {
            let message = format!(
                "Enter the SHA-256 of the first {} bytes of the package, or of all when it has fewer: 64 \
                 hexadecimal digits.",
                upload_store::HEAD_BYTES
            );
            FieldErrors::one("head_sha256", message).refusal("upgrade", Kind::Invalid)
        }),
    }
}

/// The announced size; 0, which is refused, when there is none.
fn total_size(body: &Map<String, Value>) -> u64 {
    let given = body.get("total_size");
    given.and_then(|given| given.as_u64().or_else(|| given.as_str()?.parse().ok())).unwrap_or(0)
}

/// Handles one form with the whole package in its field `package`.
async fn upload_form(api: Api, owner: String, request: Request) -> Result<Response, Refusal> {
    // A body sent in chunks does not say how long it is: it needs the disk space of the largest package.
    let announced = request.body().size_hint().exact().unwrap_or(PACKAGE_BYTES);
    let form = Multipart::from_request(request, &()).await;
    let form = form.map_err(|_| malformed("the form cannot be read", "send it as multipart/form-data"))?;
    let announced = UploadRequest { owner, total_size: announced.clamp(1, PACKAGE_BYTES), head: None };
    // A form has no hash, so it never resumes an upload.
    let (Admission::Created(upload) | Admission::Resumed(upload)) = admission::admit(&api, announced).await?;
    let _lock = api.upload_locks.acquire(upload.uuid).await?;
    let mut upload = receive_form(&api, upload, form).await?;
    let (held, _removed) = admit_package(&api, &mut upload).await?;
    let policy = start::policy_of(&api, &Map::new(), "upgrade")?;
    let data = start(&api, &mut upload, &held, policy).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"status": "success", "data": data}))).into_response())
}

/// Receives the package of a form. Of an interrupted one nothing is kept: a form cannot be resumed.
async fn receive_form(api: &Api, mut upload: Upload, mut form: Multipart) -> Result<Upload, Refusal> {
    let received = async {
        while let Ok(Ok(Some(field))) = tokio::time::timeout(upload_store::IDLE, form.next_field()).await {
            if field.name() == Some("package") {
                return upload_store::append(api, &upload, field).await.map(Some);
            }
        }
        Ok(None)
    };
    let refusal = match received.await {
        Ok(Some(Received::Whole)) => {
            upload = upload_store::find(api, upload.uuid).await?;
            upload.total_size = upload.offset;
            upload_store::write(api, upload.clone()).await?;
            return Ok(upload);
        }
        Ok(Some(Received::TooMuch)) => too_much(&upload),
        Ok(Some(Received::Broken)) => malformed("the upload was interrupted", "send the whole package again"),
        Ok(None) => FieldErrors::one("package", "This field is required.").refusal("upgrade", Kind::Invalid),
        Err(cause) => Refusal::internal(&cause),
    };
    upload_store::forget(api, upload.uuid).await?;
    Err(refusal)
}

async fn upload(State(api): State<Api>, id: PathId, request: Request) -> Result<Response, Refusal> {
    let uuid: Uuid = id.id(RESOURCE)?;
    let offset = offset_of(request.headers())?;
    let _lock = api.upload_locks.acquire(uuid).await?;
    let upload = upload_store::find(&api, uuid).await?;
    if upload.stage != Stage::Uploading {
        return Err(ended(&upload));
    }
    if offset != upload.offset {
        return Err(wrong_offset(&upload, offset));
    }
    let length = content_length(request.headers()).unwrap_or(0);
    if upload.offset.saturating_add(length) > upload.total_size {
        return Err(too_much(&upload));
    }
    let bytes = request.into_body().into_data_stream();
    let received = upload_store::append(&api, &upload, bytes).await;
    upload_store::touch(&api, uuid).await?;
    match received.map_err(|cause| Refusal::internal(&cause))? {
        Received::Whole => {
            let upload = upload_store::find(&api, uuid).await?;
            Ok((StatusCode::ACCEPTED, Json(receipt(&api, &upload).await?)).into_response())
        }
        Received::TooMuch => Err(too_much(&upload)),
        Received::Broken => Err(malformed(
            "the upload was interrupted",
            "read the offset of the upload and continue from there",
        )),
    }
}

async fn finish(State(api): State<Api>, id: PathId, Fields(body): Fields) -> Result<Response, Refusal> {
    let uuid: Uuid = id.id(RESOURCE)?;
    let validate_only = flag(&body, "validate_only")
        .map_err(|message| FieldErrors::one("validate_only", message).refusal(RESOURCE, Kind::Invalid))?;
    let policy = start::policy_of(&api, &body, RESOURCE)?;
    let _lock = api.upload_locks.acquire(uuid).await?;
    let mut upload = upload_store::find(&api, uuid).await?;
    let mut removed = json!([]);
    let held = match (upload.stage, upload.manifest) {
        (Stage::Uploading, _) if upload.offset < upload.total_size => return Err(unfinished(&upload)),
        (Stage::Uploading, _) => {
            let (held, gone) = admit_package(&api, &mut upload).await?;
            removed = gone;
            held
        }
        (Stage::Ready, Some(manifest)) => held_packages::find(&api, manifest).await?,
        (Stage::Ready, None) | (Stage::Failed | Stage::Done, _) => return Err(ended(&upload)),
    };
    if validate_only {
        let mut answer = receipt(&api, &upload).await?;
        answer["removed_packages"] = removed;
        answer["check"] = json!(start::checked(&api, &held).await?);
        answer["next_url"] = CONFIRM.into();
        return Ok((StatusCode::OK, Json(answer)).into_response());
    }
    let data = start(&api, &mut upload, &held, policy).await?;
    let mut answer = receipt(&api, &upload).await?;
    answer["removed_packages"] = removed;
    answer["status"] = "success".into();
    answer["data"] = data;
    answer["next_url"] = MONITOR.into();
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// Verifies the whole package and admits it, and returns which others were removed because nothing needs them
/// any more. Of a refused one only the reason is kept.
async fn admit_package(api: &Api, upload: &mut Upload) -> Result<(HeldPackage, Value), Refusal> {
    let uuid = upload.uuid;
    let _one_at_a_time = api.packages.lock().await;
    match api.blocking(move |layout| packages::admit(layout, &upload_store::file(layout, uuid))).await? {
        Ok(held) => {
            let manifest = held.verified.hash();
            (upload.stage, upload.manifest) = (Stage::Ready, Some(manifest));
            let (upload, now) = (upload.clone(), api.committer().now());
            let write = move |tx: &Transaction<'_>| {
                upload_store::put(tx, &upload)?;
                crate::store::packages::mark_uploaded(tx, manifest, now)
            };
            api.committer().store().write(write).await?;
            let removed = held_packages::prune(api, manifest).await?;
            Ok((held, removed))
        }
        // The disk failed and not the package: the request to finish can be repeated.
        Err(cause @ PackageError::Refused(package::Refusal::Io { .. })) => Err(Refusal::internal(&cause)),
        Err(PackageError::Refused(reason)) => reject(api, upload, reason.to_string()).await,
        Err(cause @ (PackageError::NoCommonProtocol { .. } | PackageError::Expired(_))) => {
            reject(api, upload, cause.to_string()).await
        }
        Err(cause) => Err(cause.into()),
    }
}

/// Stores why a package is refused, and keeps nothing else of it.
async fn reject(api: &Api, upload: &mut Upload, reason: String) -> Result<(HeldPackage, Value), Refusal> {
    (upload.stage, upload.error) = (Stage::Failed, Some(reason.clone()));
    upload_store::write(api, upload.clone()).await?;
    upload_store::drop_bytes(api, upload.uuid).await?;
    Err(refused(reason))
}

fn refused(reason: String) -> Refusal {
    let refusal = FieldErrors::one("package", &reason).refusal("upgrade", Kind::PackageRefused);
    let hint = "upload a package as it was released; nothing of this one is kept".into();
    Refusal { error: reason, hint, ..refusal }
}

async fn start(api: &Api, upload: &mut Upload, held: &HeldPackage, policy: Policy) -> Result<Value, Refusal> {
    let data = {
        let _not_removed_meanwhile = api.packages.lock().await;
        start::begin(api, held, policy).await?
    };
    upload.stage = Stage::Done;
    upload_store::write(api, upload.clone()).await?;
    Ok(data)
}

fn offset_of(headers: &HeaderMap) -> Result<u64, Refusal> {
    let text = headers.get(OFFSET).and_then(|value| value.to_str().ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        malformed(
            "the header Upload-Offset is missing or no number",
            "send the offset at which the bytes begin",
        )
    })
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn wrong_offset(upload: &Upload, sent: u64) -> Refusal {
    let error =
        format!("the bytes begin at {sent}, but upload {} continues at {}", upload.uuid, upload.offset);
    Refusal::new(Kind::WrongOffset, error, "send the bytes from the offset that is named")
        .with("offset", upload.offset.into())
}

fn unfinished(upload: &Upload) -> Refusal {
    let Upload { uuid, offset, total_size, .. } = upload;
    let error = format!("upload {uuid} has {offset} of {total_size} bytes");
    Refusal::new(Kind::WrongOffset, error, "send the missing bytes, then finish")
        .with("offset", (*offset).into())
}

fn too_much(upload: &Upload) -> Refusal {
    let error = format!("the upload was announced with {} bytes and is larger", upload.total_size);
    Refusal::new(Kind::TooLarge, error, format!("announce its true size, at most {PACKAGE_BYTES} bytes"))
}

fn ended(upload: &Upload) -> Refusal {
    let error = format!("upload {} is {}", upload.uuid, upload.stage.token());
    Refusal::new(Kind::Conflict, error, "ask for a new upload")
}

/// The answer to each step.
async fn receipt(api: &Api, upload: &Upload) -> Result<Value, Refusal> {
    let mut answer = shown(api, upload).await?;
    answer["ok"] = true.into();
    answer["upload_id"] = json!(upload.uuid);
    answer["timestamp"] = api.committer().read(|fleet, now| time::text(fleet.shown(now))).into();
    Ok(answer)
}

async fn shown(api: &Api, upload: &Upload) -> Result<Value, Refusal> {
    let Upload { uuid, stage, total_size, offset, created_at, active_at, owner, head, manifest, error } =
        upload;
    let mut brought = Value::Null;
    // The package may have been removed in the meantime.
    if let Some(manifest) = manifest
        && let Ok(held) = held_packages::find(api, *manifest).await
    {
        brought = json!(held_packages::object(api, &held).await?);
    }
    let (current, created, active) = api.committer().read(|fleet, _: Time| {
        let shown = |at: Time| time::text(fleet.shown(at));
        (fleet.platform.release, shown(*created_at), shown(*active_at))
    });
    Ok(json!({
        "uuid": uuid,
        "state": stage.token(),
        "offset": offset,
        "total_size": total_size,
        "created_at": created,
        "last_activity": active,
        "idle": admission::is_idle(api, upload),
        "owner": owner,
        "head_sha256": head,
        "current": start::release(current),
        "upgrade": brought,
        "error": error,
        "resource_uri": format!("{LIST}{uuid}/"),
    }))
}
