//! All routes of the management API, and the layers before them: authentication, protection against
//! cross-site requests, headers of every answer.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tower_http::csrf::CsrfLayer;

use super::engine::Requester;
use super::error::{Kind, Refusal};
use super::request::{AuthenticatedUser, Source};
use super::route::both;
use super::{
    Api, access, accounts, acts, backups, calls, certificates_import, engine, history, licences, oauth,
    sessions, status, upgrade,
};
use crate::auth::device::{self, ShownTo};
use crate::auth::logins::{Credentials, LoginError};
use crate::auth::sessions::SessionToken;
use crate::context::Context;
use crate::link::ConnectionHandle;
use crate::resources::{ALL, Served};
use crate::store::accounts::Account;

/// The router of the management API. Each request carries the peer's address as `ConnectInfo<SocketAddr>`;
/// without it the address is unspecified.
pub fn router(context: Context) -> Router {
    let api = Api::new(context);
    let routes = Router::new()
        .merge(status::routes())
        .merge(calls::routes())
        .merge(certificates_import::routes())
        .merge(backups::routes())
        .merge(history::routes())
        .merge(licences::routes())
        .merge(upgrade::routes())
        .merge(accounts::routes())
        .merge(schemas())
        .route("/api/admin/openapi.json", get(engine::openapi))
        .merge(both("/api/admin/schema/", get(engine::summary)))
        .merge(both("/admin/platform/schema/", get(engine::page)))
        .fallback(engine::dispatch)
        .method_not_allowed_fallback(unknown_method)
        // Each body has a limit of its own, where it is read.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(api.clone(), acts::note_acts))
        .layer(from_fn(complete_changes))
        .layer(from_fn_with_state(api.clone(), authenticated))
        .merge(sessions::routes())
        .layer(CsrfLayer::new().with_rejection_response(|_| cross_site().into_response()))
        .with_state(api.clone());
    let open = Router::new().merge(oauth::routes()).with_state(api);
    let routes = Router::new().merge(open).merge(routes).layer(from_fn(headers));
    // A layer of the router that has the routes would come after the path is looked up.
    Router::new().fallback_service(routes).layer(from_fn(one_slash))
}

/// The schemas of resources whose objects have routes of their own, which would take `schema` for an object.
fn schemas() -> Router<Api> {
    let own = ALL.iter().filter(|of| of.served == Served::Own);
    own.fold(Router::new(), |routes, of| {
        routes.merge(both(&format!("{}schema/", of.path()), get(engine::dispatch)))
    })
}

/// Removes all slashes but one from the beginning of a path: tools put one between an address that ends with one and a
/// path that begins with one.
async fn one_slash(mut request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    if path.starts_with("//")
        && let Ok(uri) = format!("/{}", path.trim_start_matches('/')).parse()
    {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

/// Passes a request on when its credentials are right, with the account noted on it. A client without a
/// device token is given one with the answer.
async fn authenticated(State(api): State<Api>, request: Request, next: Next) -> Result<Response, Refusal> {
    if let Some(token) = oauth::bearer(request.headers()) {
        let (client, account) = oauth::owner(&api, token).await?;
        return admitted(&api, request, next, client, &account).await;
    }
    if !request.headers().contains_key(header::AUTHORIZATION)
        && let Some(token) = SessionToken::of(request.headers())
    {
        let (user, account) = sessions::owner(&api, &token).await?;
        return admitted(&api, request, next, user, &account).await;
    }
    let credentials = Credentials::of(request.headers())?;
    let Source(source) = Source::of(request.extensions());
    let account = accounts::find_for_basic(api.committer().store(), credentials.user.clone()).await?;
    let hash = account.as_ref().map(|account| account.password.clone());
    let logged_in = api.logins.check(&credentials, hash, source).await?;
    // Without an account no password is right.
    let account = account.ok_or(LoginError::Wrong)?;
    let mut response = admitted(&api, request, next, credentials.user, &account).await?;
    if let Some(cookie) = logged_in.token.and_then(|token| device::cookie(&token, ShownTo::Api)) {
        response.headers_mut().entry(header::SET_COOKIE).or_insert(cookie);
    }
    Ok(response)
}

/// Passes a request on when its account may make it.
async fn admitted(
    api: &Api,
    mut request: Request,
    next: Next,
    account: String,
    permissions: &Account,
) -> Result<Response, Refusal> {
    if let Some(handle) = request.extensions().get::<ConnectionHandle>() {
        handle.set_logged_in();
    }
    api.request_limit.count(api.committer().now())?;
    access::permit(&account, permissions, request.method(), request.uri().path())?;
    let Source(source) = Source::of(request.extensions());
    request.extensions_mut().insert(AuthenticatedUser(account.clone()));
    request.extensions_mut().insert(Requester {
        account,
        source,
        permissions: permissions.permissions.clone(),
    });
    Ok(next.run(request).await)
}

/// Completes a change that has begun, whether or not its sender still waits.
async fn complete_changes(request: Request, next: Next) -> Result<Response, Refusal> {
    if request.method() == Method::GET {
        return Ok(next.run(request).await);
    }
    tokio::spawn(next.run(request)).await.map_err(|cause| Refusal::internal(&cause))
}

/// A browser keeps the credentials of HTTP Basic, and the cookie of a session, and adds them to requests that other sites
/// make it send.
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

async fn unknown_method() -> Refusal {
    Refusal::new(
        Kind::MethodNotAllowed,
        "the resource does not know this method",
        "use one of the methods that the header Allow of this answer names",
    )
}
