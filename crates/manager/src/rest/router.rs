//! All routes of the management API, and the layers before them: authentication, protection against
//! cross-site requests, headers of every answer.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tower_http::csrf::CsrfLayer;

use super::auth::Credentials;
use super::error::{Kind, Refusal};
use super::request::{AuthenticatedUser, Source};
use super::route::both;
use super::{Api, accounts, calls, device};
use super::{conference, conference_alias, history, status, system_location};
use super::{package_upload, upgrade_package, upgrade_start, worker_vm};
use crate::context::Context;
use crate::link::ConnectionHandle;

/// The router of the management API. Each request carries the peer's address as `ConnectInfo<SocketAddr>`;
/// without it the address is unspecified.
pub fn router(context: Context) -> Router {
    let api = Api::new(context);
    let routes = Router::new()
        .merge(system_location::routes())
        .merge(worker_vm::routes())
        .merge(conference::routes())
        .merge(conference_alias::routes())
        .merge(status::routes())
        .merge(calls::routes())
        .merge(history::routes())
        .merge(upgrade_start::routes())
        .merge(upgrade_package::routes())
        .merge(package_upload::routes())
        .merge(accounts::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        // Each body has a limit of its own, where it is read.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(complete_changes))
        .layer(from_fn_with_state(api.clone(), authenticated))
        .layer(CsrfLayer::new().with_rejection_response(|_| cross_site().into_response()))
        .with_state(api);
    Router::new().merge(both("/admin/login/", get(ready))).merge(routes).layer(from_fn(headers))
}

/// Passes a request on when its credentials are right, with the account noted on it. A client without a
/// device token is given one with the answer.
async fn authenticated(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let credentials = Credentials::of(request.headers())?;
    let Source(source) = Source::of(request.extensions());
    let account = accounts::password_hash(api.committer().store(), credentials.user.clone()).await?;
    let logged_in = api.logins.check(&credentials, account, source).await?;
    if let Some(handle) = request.extensions().get::<ConnectionHandle>() {
        handle.set_logged_in();
    }
    request.extensions_mut().insert(AuthenticatedUser(credentials.user));
    let mut response = next.run(request).await;
    if let Some(cookie) = logged_in.token.and_then(|token| device::cookie(&token)) {
        response.headers_mut().entry(header::SET_COOKIE).or_insert(cookie);
    }
    Ok(response)
}

/// Completes a change that has begun, whether or not its sender still waits.
async fn complete_changes(request: Request, next: Next) -> Result<Response, Refusal> {
    if request.method() == Method::GET {
        return Ok(next.run(request).await);
    }
    tokio::spawn(next.run(request)).await.map_err(|cause| Refusal::internal(&cause))
}

/// A browser keeps the credentials of HTTP Basic and adds them to the requests that any site makes it send.
fn cross_site() -> Refusal {
    Refusal::new(
        Kind::CrossSite,
        "a page of another site has made a browser send this request",
        "send requests from a tool, or from a page of this Management Node",
    )
}

/// Forbids caches to store answers, and browsers to guess their type.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The page that tools request to learn whether the Management Node serves. There is no login page yet.
async fn ready() -> &'static str {
    "This Pitlane Management Node serves its management API under /api/admin/. \
     This release has no web pages; use the pitlane command line.\n"
}

async fn unknown_path(uri: Uri) -> Refusal {
    let path: String = uri.path().chars().take(120).collect();
    Refusal::new(
        Kind::NotFound,
        format!("{path} not found"),
        "check the path; `pitlane --help` lists what this release can do, and `pitlane COMMAND --json` shows the objects",
    )
}

async fn unknown_method() -> Refusal {
    Refusal::new(
        Kind::MethodNotAllowed,
        "the resource does not know this method",
        "use one of the methods that the header Allow of this answer names",
    )
}
