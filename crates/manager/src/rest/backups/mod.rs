//! Backups: `configuration/v1/system_backup/`, `status/v1/backup_request/` and the commands that make and restore one.

mod restore;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use backup::Passphrase;
use edge::error_chain::chain;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;
use uuid::Uuid;

use super::Api;
use super::calls::success;
use super::error::{FieldErrors, Kind, Refusal};
use super::list::page;
use super::request::{Fields, PathId, QueryPairs};
use super::route::{both, location};
use crate::backups::{self, BackupError, BackupRequest, KeptBackup, MadeBy, RequestState, Turn};
use crate::resources::backup::{BACKUP_REQUEST, SYSTEM_BACKUP};
use crate::resources::draft::flag;
use crate::resources::time;
use crate::rest::json::Json;

pub(super) const LIST: &str = "/api/admin/configuration/v1/system_backup/";
const REQUESTS: &str = "/api/admin/status/v1/backup_request/";
const CREATE: &str = "/api/admin/command/v1/platform/backup_create/";

const RESOURCE: &str = "backup_create";

pub(super) fn routes() -> Router<Api> {
    both(LIST, get(list))
        .merge(both(&format!("{LIST}{{id}}/"), get(detail).delete(remove)))
        .merge(both(REQUESTS, get(requests)))
        .merge(both(&format!("{REQUESTS}{{id}}/"), get(request)))
        .merge(both(CREATE, post(create)))
        .merge(restore::routes())
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let all = api.context.backups.list().await?;
    page(&SYSTEM_BACKUP, &query, all.iter().map(shown).collect()).map(Json)
}

/// The file, for scripts that fetch a backup from the URI in the list, or its object for clients that ask for JSON.
async fn detail(State(api): State<Api>, id: PathId, request: Request) -> Result<Response, Refusal> {
    let kept = find(&api, id.0).await?;
    if asks_for_json(request.headers()) {
        return Ok(Json(shown(&kept)).into_response());
    }
    let name = kept.name.to_string();
    let mut response = match ServeFile::new(api.layout().backups().join(&name)).oneshot(request).await {
        Ok(answer) => answer.into_response(),
        Err(never) => match never {},
    };
    let named = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    if response.status().is_success()
        && let Ok(named) = named
    {
        let kind = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(header::CONTENT_DISPOSITION, named);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    Ok(response)
}

fn asks_for_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut kinds = accepted.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.any(|kind| kind.eq_ignore_ascii_case("application/json"))
}

async fn remove(State(api): State<Api>, id: PathId) -> Result<StatusCode, Refusal> {
    let kept = find(&api, id.0).await?;
    api.blocking(move |layout| backups::remove(&layout.backups(), kept.name)).await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(api: &Api, name: String) -> Result<KeptBackup, Refusal> {
    let wanted = name.clone();
    let found = api.blocking(move |layout| backups::find(&layout.backups(), &wanted)).await??;
    found.ok_or_else(|| Refusal::no_such(SYSTEM_BACKUP.name, name))
}

async fn requests(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let all = api.context.backups.requests().lock().all();
    page(&BACKUP_REQUEST, &query, all.iter().map(shown_request).collect()).map(Json)
}

async fn request(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let id: Uuid = id.id(BACKUP_REQUEST.name)?;
    let all = api.context.backups.requests().lock().all();
    let found = all.iter().find(|request| request.id == id).map(shown_request);
    found.map(Json).ok_or_else(|| Refusal::no_such(BACKUP_REQUEST.name, id))
}

async fn create(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    let refused = |message| FieldErrors::one("request", message).refusal(RESOURCE, Kind::Invalid);
    let is_request = flag(&body, "request").map_err(refused)?;
    let passphrase = passphrase(&body, "passphrase", RESOURCE)?;
    let turn = turn(&api)?;
    if is_request {
        return Ok(begin(&api, turn, passphrase));
    }
    let kept = api.context.backups.make(turn, MadeBy::Request, passphrase).await?;
    let done = success(&json!({"system_backup": shown(&kept)}));
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location(&uri(&kept)))], done).into_response())
}

/// Has a backup made while nobody waits.
fn begin(api: &Api, turn: Turn, passphrase: Passphrase) -> Response {
    let id = Uuid::new_v4();
    api.context.backups.requests().lock().begin(id, api.committer().wall());
    let (backups, committer) = (api.context.backups.clone(), api.committer().clone());
    tokio::spawn(async move {
        let state = match backups.make(turn, MadeBy::Request, passphrase).await {
            Ok(kept) => RequestState::Completed { name: kept.name },
            Err(cause) => {
                tracing::error!(error = %chain(&cause), "a backup could not be made");
                RequestState::Failed { why: chain(&cause) }
            }
        };
        backups.requests().lock().end(id, state, committer.wall());
    });
    let uri = format!("{REQUESTS}{id}/");
    let done = success(&json!({"uuid": id, "resource_uri": uri}));
    (StatusCode::ACCEPTED, [(header::LOCATION, location(&uri))], done).into_response()
}

/// The permission to make or restore a backup.
pub(super) fn turn(api: &Api) -> Result<Turn, Refusal> {
    api.context.backups.turn().ok_or_else(|| {
        let hint = "wait until it is done; pitlane backup list shows it";
        Refusal::new(Kind::Conflict, "a backup is being made or restored", hint).retry_after(5)
    })
}

/// The passphrase in a field of a request.
pub(super) fn passphrase(
    body: &Map<String, Value>,
    field: &'static str,
    resource: &'static str,
) -> Result<Passphrase, Refusal> {
    let text = body.get(field).and_then(Value::as_str).unwrap_or_default();
    checked_passphrase(text).map_err(|why| FieldErrors::one(field, why).refusal(resource, Kind::Invalid))
}

/// The longest passphrase, in characters, as in the compatible API.
const PASSPHRASE: usize = 1_000;

fn checked_passphrase(text: &str) -> Result<Passphrase, String> {
    if text.is_empty() {
        return Err("This field is required.".into());
    }
    if text.chars().count() > PASSPHRASE {
        return Err(format!("Ensure this value has at most {PASSPHRASE} characters."));
    }
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(
            "Leave out characters that cannot be seen: the passphrase could not be entered again.".into()
        );
    }
    Passphrase::new(text).map_err(|why| why.to_string())
}

fn uri(kept: &KeptBackup) -> String {
    format!("{LIST}{}/", kept.name)
}

fn shown(kept: &KeptBackup) -> Value {
    let KeptBackup { name, size, sha256 } = kept;
    json!({
        "filename": name.to_string(),
        "date": name.date(),
        "version": name.release.version.to_string(),
        "build": name.release.build.to_string(),
        "size": size,
        "sha256sum": sha256.map_or(String::new(), |sha256| sha256.to_string()),
        "type": name.made_by.token(),
        "resource_uri": uri(kept),
    })
}

fn shown_request(request: &BackupRequest) -> Value {
    let BackupRequest { id, state, created_at, updated_at } = request;
    let (state, message, download) = match state {
        RequestState::Initialising => ("initialising", "The backup is being made.".into(), String::new()),
        RequestState::Completed { name } => {
            ("completed", format!("The backup {name} is made."), format!("{LIST}{name}/"))
        }
        RequestState::Failed { why } => ("failed", why.clone(), String::new()),
    };
    json!({
        "id": id,
        "state": state,
        "message": message,
        "download_uri": download,
        "created_at": time::text(*created_at),
        "updated_at": time::text(*updated_at),
        "resource_uri": format!("{REQUESTS}{id}/"),
    })
}

impl From<BackupError> for Refusal {
    fn from(cause: BackupError) -> Self {
        match &cause {
            BackupError::NoSpace { .. } => {
                let hint = "delete backups or packages that are not needed (pitlane backup list, pitlane upgrade \
                            packages list), or make the disk larger";
                Self::new(Kind::NoSpace, cause.to_string(), hint)
            }
            BackupError::RunUnderWay => {
                let hint = "wait until it has ended: pitlane upgrade watch";
                Self::new(Kind::Conflict, cause.to_string(), hint)
            }
            BackupError::Authority(_)
            | BackupError::NoAuthority { .. }
            | BackupError::Store(_)
            | BackupError::Make(_)
            | BackupError::Disk { .. } => Self::internal(&cause),
        }
    }
}
