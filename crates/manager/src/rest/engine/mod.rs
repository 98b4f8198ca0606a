//! Serves every declared resource: lists, details, schemas and directories, and changes of one object and of many.
//!
//! It relies on `resources` for what there is and on `store` for what is stored, and answers in the shapes of the
//! compatible API. Of single resources it knows what has to follow from a change.

mod accounts;
mod audit;
mod bulk;
mod certificates;
mod children;
mod clients;
mod grants;
mod nodes;
mod openapi;
mod page;
pub(super) mod path;
mod perform;
mod read;
mod respond;
mod rooms;
mod schema;
mod signing_requests;
mod write;

use axum::RequestExt as _;
use axum::extract::{Extension, FromRequest as _, Request, State};
use axum::http::{Method, Uri};
use axum::response::{Html, IntoResponse as _, Response};

use super::Api;
use super::error::{Kind, Refusal};
use super::request::{Fields, QueryPairs};
use crate::resources::{Action, Resource, Verb};
use crate::rest::json::Json;
pub(crate) use audit::Requester;
use path::Target;

/// Answers a request to a path that no other part of the API serves.
pub(super) async fn dispatch(
    State(api): State<Api>,
    Extension(by): Extension<Requester>,
    request: Request,
) -> Result<Response, Refusal> {
    let uri = request.uri().clone();
    let target = path::target(uri.path()).ok_or_else(|| unknown_path(&uri))?;
    match verb(request.method()).filter(|verb| target.verbs().contains(verb)) {
        None => Ok(respond::method_not_allowed(target.verbs())),
        Some(verb) => serve(&api, by, target, verb, request).await,
    }
}

/// Creates an object for another part of the API; returns its URI.
pub(super) async fn create(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    body: serde_json::Map<String, serde_json::Value>,
) -> Result<String, Refusal> {
    Ok(of.uri(write::create_plainly(api, by, of, body).await?))
}

/// The description of the API for programs.
pub(super) async fn openapi(State(api): State<Api>) -> Json<serde_json::Value> {
    Json(openapi::document(&api.context.release.to_string()))
}

/// The directories of all parts of the API.
pub(super) async fn summary() -> Json<serde_json::Value> {
    Json(schema::summary())
}

/// The description of the API for people.
pub(super) async fn page(State(api): State<Api>) -> Html<String> {
    Html(page::html(&api.context.release.to_string()))
}

fn verb(method: &Method) -> Option<Verb> {
    match method.as_str() {
        "GET" | "HEAD" => Some(Verb::Get),
        "POST" => Some(Verb::Post),
        "PUT" => Some(Verb::Put),
        "PATCH" => Some(Verb::Patch),
        "DELETE" => Some(Verb::Delete),
        _ => None,
    }
}

async fn serve(
    api: &Api,
    by: Requester,
    target: Target<'_>,
    verb: Verb,
    request: Request,
) -> Result<Response, Refusal> {
    match target {
        Target::Directory(area) => Ok(Json(schema::directory(area)).into_response()),
        Target::Schema(of) => Ok(Json(schema::schema(of)).into_response()),
        Target::List(of) => list(api, by, of, verb, request).await,
        Target::Detail(of, id) => detail(api, by, (of, id), verb, request).await,
        Target::Action(of, id, Action::Enrolment) => {
            let (name, token) = nodes::enrol(api, by, number(of, id)?).await?;
            Ok(respond::enrolment_file(api, number(of, id)?, &name, token))
        }
    }
}

async fn list(
    api: &Api,
    by: Requester,
    of: &'static Resource,
    verb: Verb,
    mut request: Request,
) -> Result<Response, Refusal> {
    let QueryPairs(query) = request.extract_parts().await?;
    match verb {
        Verb::Get => Ok(Json(read::list(api, of, &query).await?).into_response()),
        Verb::Post => {
            let Fields(body) = Fields::from_request(request, &()).await?;
            write::create(api, by, of, body).await
        }
        Verb::Patch => {
            let Fields(body) = Fields::from_request(request, &()).await?;
            bulk::change_many(api, by, of, body).await
        }
        Verb::Put => {
            let Fields(body) = Fields::from_request(request, &()).await?;
            bulk::replace_all(api, by, of, body).await
        }
        Verb::Delete => bulk::remove_many(api, by, of, &query).await,
    }
}

async fn detail(
    api: &Api,
    by: Requester,
    (of, id): (&'static Resource, &str),
    verb: Verb,
    request: Request,
) -> Result<Response, Refusal> {
    match verb {
        Verb::Get => Ok(Json(read::detail(api, of, id).await?).into_response()),
        Verb::Put | Verb::Patch => {
            let Fields(body) = Fields::from_request(request, &()).await?;
            write::change(api, by, (of, number(of, id)?), body).await?;
            Ok(respond::changed(verb))
        }
        // No declaration has it: there is nothing to create at an object.
        Verb::Post => Ok(respond::method_not_allowed(of.detail)),
        Verb::Delete => {
            write::remove(api, by, (of, number(of, id)?)).await?;
            Ok(respond::changed(verb))
        }
    }
}

/// The id in a path.
fn number(of: &Resource, id: &str) -> Result<i64, Refusal> {
    id.parse().map_err(|_| Refusal::no_such(of.name, id))
}

fn unknown_path(uri: &Uri) -> Refusal {
    let path: String = uri.path().chars().take(120).collect();
    Refusal::new(
        Kind::NotFound,
        format!("{path} not found"),
        "check the path; `pitlane --help` lists what this release can do, and `pitlane COMMAND --json` shows the objects",
    )
}
