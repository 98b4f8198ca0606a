//! `/admin/login/` and `/admin/logout/`: sessions of people, and requests that come with one.
//!
//! It relies on `auth` for the password and its throttle, which is the one of HTTP Basic. Requests of other sites do not come
//! here: the layer before it refuses those that change something, and the cookie is not sent with them.

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use fleet::time::Time;
use serde_json::{Map, Value};

use super::Api;
use super::accounts;
use super::error::{FieldErrors, Kind, Refusal};
use super::request::{Fields, Source};
use super::route::both;
use crate::auth::device::{self, ShownTo};
use crate::auth::logins::{Credentials, LoggedIn, LoginError};
use crate::auth::sessions::{SessionToken, Standing, forgotten, standing};
use crate::link::ConnectionHandle;
use crate::store::accounts::Account;
use crate::store::sessions::{self, Session};
use crate::store::{Connection, StoreError, Transaction};

const LOGIN: &str = "/admin/login/";

/// Where somebody comes who has logged in and does not say where to go.
const START: &str = "/admin/platform/schema/";

/// The longest name and password, in bytes together, as in a header of HTTP Basic.
const CREDENTIALS_BYTES: usize = 1_024;

pub(super) fn routes() -> Router<Api> {
    both(LOGIN, get(ready).post(log_in)).merge(both("/admin/logout/", post(log_out)))
}

/// The page that tools request to learn whether the Management Node serves. There is no form yet.
async fn ready() -> &'static str {
    "This Pitlane Management Node serves its management API under /api/admin/. \
     This release has no web pages; use the pitlane command line.\n"
}

/// Begins a session. The form is that of the compatible API: `username`, `password`, and where to go `next`.
async fn log_in(
    State(api): State<Api>,
    Source(source): Source,
    connection: Option<Extension<ConnectionHandle>>,
    headers: HeaderMap,
    Fields(body): Fields,
) -> Result<Response, Refusal> {
    let credentials = credentials(&body, &headers)?;
    let user = credentials.user.clone();
    let hash = accounts::find(api.committer().store(), user.clone()).await?.map(|account| account.password);
    let LoggedIn { token: device } = match api.logins.check(&credentials, hash.clone(), source).await {
        Ok(logged_in) => logged_in,
        Err(LoginError::Wrong) => return Err(wrong()),
        Err(busy @ LoginError::Busy { .. }) => return Err(busy.into()),
    };
    let token = begin(&api, &headers, user.clone(), hash.unwrap_or_default()).await?;
    if let Some(Extension(handle)) = connection {
        handle.set_logged_in();
    }
    tracing::info!(user, %source, "a session has begun");
    let device = device.and_then(|token| device::cookie(&token, ShownTo::Pages));
    let cookies = [token.cookie(), device].into_iter().flatten().map(|cookie| (header::SET_COOKIE, cookie));
    let to = local(body.get("next").and_then(Value::as_str).unwrap_or_default());
    Ok((AppendHeaders(cookies.collect::<Vec<_>>()), Redirect::to(to)).into_response())
}

/// Ends the session of the request.
async fn log_out(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Refusal> {
    if let Some(token) = SessionToken::of(&headers) {
        let end = move |tx: &Transaction<'_>| sessions::delete(tx, token.hash());
        api.committer().store().write::<_, StoreError>(end).await?;
    }
    let cookie = forgotten().map(|cookie| [(header::SET_COOKIE, cookie)]);
    Ok((cookie, Redirect::to(LOGIN)).into_response())
}

/// The account of a session, by its name, and what it may do.
pub(super) async fn owner(api: &Api, token: &SessionToken) -> Result<(String, Account), Refusal> {
    let (hash, now) = (token.hash(), api.committer().now());
    let read = move |connection: &Connection| {
        Ok::<_, StoreError>((sessions::find(connection, hash)?, sessions::idle_limit(connection)?))
    };
    let (found, idle) = api.committer().store().read(read).await?;
    let Session { user, account, began, used } = found.ok_or_else(over)?;
    match standing(began, used, idle, now) {
        Standing::Over => Err(over()),
        Standing::Good => Ok((user, account)),
        Standing::ToNote => {
            let note = move |tx: &Transaction<'_>| sessions::touch(tx, hash, now);
            api.committer().store().write::<_, StoreError>(note).await?;
            Ok((user, account))
        }
    }
}

/// Stores a new session in the place of the one that the browser had.
async fn begin(
    api: &Api,
    headers: &HeaderMap,
    user: String,
    password: String,
) -> Result<SessionToken, Refusal> {
    let (token, before, now): (_, _, Time) =
        (SessionToken::make(), SessionToken::of(headers), api.committer().now());
    let hash = token.hash();
    let begin = move |tx: &Transaction<'_>| {
        if let Some(before) = before {
            sessions::delete(tx, before.hash())?;
        }
        sessions::insert(tx, hash, (&user, &password), now)
    };
    match api.committer().store().write::<_, StoreError>(begin).await? {
        true => Ok(token),
        // The account was changed while its password was checked.
        false => Err(wrong()),
    }
}

fn credentials(body: &Map<String, Value>, headers: &HeaderMap) -> Result<Credentials, Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let (user, password) = (text("username"), text("password"));
    if user.len() + password.len() > CREDENTIALS_BYTES {
        return Err(wrong());
    }
    Ok(Credentials { user, password, token: device::token_in(headers).map(str::to_string) })
}

/// The path to go to: one of this server, so that nobody is sent to a site that looks like it.
fn local(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//");
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path && is_plain { next } else { START }
}

fn wrong() -> Refusal {
    FieldErrors::one("password", "User name or password is wrong.").refusal("login", Kind::Invalid)
}

fn over() -> Refusal {
    Refusal::new(Kind::Unauthenticated, "the session is over", "log in again at /admin/login/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_server() {
        assert_eq!(local("/api/admin/schema/?format=json"), "/api/admin/schema/?format=json");
        for other in ["", "//evil.example/", "/\\evil.example", "https://evil.example/", "/a\r\nb", "a/b"] {
            assert_eq!(local(other), START, "{other:?}");
        }
    }
}
