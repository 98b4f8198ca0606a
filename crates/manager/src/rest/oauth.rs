//! `/oauth/token/`: gives access tokens to clients that prove who they are, and requests that come with a token.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use fleet::time::{Span, Wall};
use serde_json::json;
use uuid::Uuid;

use super::Api;
use super::error::{Kind, Refusal};
use super::request::{Source, read_form};
use super::route::both;
use crate::auth::oauth::{self, AccessToken, NotAToken, TokenRequest, Why, claimed_client, verify};
use crate::rest::json::Json;
use crate::store::accounts::Account;
use crate::store::assertions::admit;
use crate::store::authentication;
use crate::store::oauth::{Client, find};

pub(super) fn routes() -> Router<Api> {
    both("/oauth/token/", post(token))
}

async fn token(State(api): State<Api>, Source(source): Source, request: Request) -> Response {
    match give(&api, request).await {
        Ok(Given { token, life, scopes }) => {
            let seconds = life.0 / 1_000;
            Json(json!({
                "access_token": token.to_string(), "token_type": "Bearer", "expires_in": seconds,
                "scope": scopes.join(" "),
            }))
            .into_response()
        }
        Err(Failed::Api(refusal)) => refusal.into_response(),
        Err(Failed::OAuth(refusal)) => {
            tracing::warn!(reason = %refusal, %source, "a request for an access token was refused");
            refused(&refusal)
        }
    }
}

/// A token for a client.
struct Given {
    token: AccessToken,
    /// How long it is valid.
    life: Span,
    /// What it was asked for.
    scopes: Vec<&'static str>,
}

/// Why there is no token.
enum Failed {
    /// In the words of the standard.
    OAuth(oauth::Refusal),
    /// The body cannot be read, or the store.
    Api(Refusal),
}

impl From<oauth::Refusal> for Failed {
    fn from(refusal: oauth::Refusal) -> Self {
        Self::OAuth(refusal)
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Api(refusal)
    }
}

async fn give(api: &Api, request: Request) -> Result<Given, Failed> {
    let TokenRequest { assertion, scopes } =
        TokenRequest::read(&read_form(request).await.map_err(|_| unreadable())?)?;
    let named = claimed_client(&assertion)?;
    let unknown = || Failed::OAuth(Why::UnknownClient.refusal());
    let id: Uuid = named.parse().map_err(|_| unknown())?;
    let client = client(api, id).await?.ok_or_else(unknown)?;
    let now = api.committer().wall();
    let verified = verify(&assertion, &named, &client.key, &api.context.token_urls, now)?;
    api.committer().store().write(move |tx| admit(tx, &verified, now)).await.map_err(Refusal::from)??;
    let settings = api.committer().store().read(authentication::read).await.map_err(Refusal::from)?;
    tracing::info!(client = client.name, "an access token was given");
    let life = settings.token_life;
    let expires = Wall(now.0.saturating_add(life.0));
    Ok(Given { token: AccessToken::issue(id, client.role, &client.token_key, expires), life, scopes })
}

/// The body is no form of the size that is accepted (RFC 6749 section 5.2).
fn unreadable() -> oauth::Refusal {
    oauth::Refusal::InvalidRequest { parameter: "grant_type" }
}

async fn client(api: &Api, id: Uuid) -> Result<Option<Client>, Refusal> {
    Ok(api.committer().store().read(move |connection| find(connection, id)).await?)
}

/// The refusal of RFC 6749 section 5.2.
fn refused(refusal: &oauth::Refusal) -> Response {
    let status = match refusal {
        oauth::Refusal::InvalidClient(_) => StatusCode::UNAUTHORIZED,
        oauth::Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        oauth::Refusal::InvalidRequest { .. }
        | oauth::Refusal::UnsupportedGrantType
        | oauth::Refusal::InvalidGrant(_)
        | oauth::Refusal::InvalidScope => StatusCode::BAD_REQUEST,
    };
    (status, Json(json!({"error": refusal.code(), "error_description": refusal.to_string()}))).into_response()
}

/// The text of a bearer token, if the request has one (RFC 6750 section 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The client of a token, by its name, and what it may do.
pub(super) async fn owner(api: &Api, token: &str) -> Result<(String, Account), Refusal> {
    let token = AccessToken::read(token).map_err(not_a_token)?;
    let client = client(api, token.claimed_client()).await?.ok_or_else(|| not_a_token(NotAToken::Unknown))?;
    token.verify(client.role, &client.token_key, api.committer().wall()).map_err(not_a_token)?;
    // No account can have a colon in its name.
    Ok((
        format!("client:{}", client.name),
        Account { password: String::new(), permissions: client.permissions },
    ))
}

fn not_a_token(why: NotAToken) -> Refusal {
    Refusal::new(
        Kind::Unauthenticated,
        why.to_string(),
        "ask for a token at /oauth/token/, or send user name and password",
    )
}
