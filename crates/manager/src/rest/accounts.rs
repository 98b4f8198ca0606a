//! Accounts: creates the first one with the platform, and changes the password of an account at its own
//! request.
//!
//! It relies on `auth` to check the old password and on `password` for hashes. Everything else that can be done with
//! accounts is in the declarations of `account` and `role`.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Map, Value, json};

use super::Api;
use super::error::{FieldErrors, Kind, Refusal};
use super::request::{AuthenticatedUser, Fields, Source};
use super::route::both;
use crate::auth::device::ShownTo;
use crate::auth::logins::{Credentials, LoginError};
use crate::auth::{device, first_password, password};
use crate::rest::json::Json;
use crate::store::accounts::{self, Account};
use crate::store::authentication::{self, Basic};
use crate::store::{Connection, Store, StoreError};

/// The name of the first account, as in the compatible API.
pub(crate) const FIRST: &str = "admin";

const PASSWORD: &str = "/api/admin/command/v1/account/password/";

const RESOURCE: &str = "password";

pub(super) fn routes() -> Router<Api> {
    both(PASSWORD, post(change))
}

/// Creates the account `admin` on a platform without accounts. Its password is not stored: `hand_over` gives
/// it to the operator before the account is created, so that a kill in between does not lose it.
///
/// # Errors
/// The store could not be read or written, or the password could not be handed over.
pub async fn first_account<E: From<StoreError>>(
    store: &Store,
    hand_over: impl FnOnce(&str) -> Result<(), E>,
) -> Result<(), E> {
    if store.read(accounts::is_any).await? {
        return Ok(());
    }
    let password = password::make();
    hand_over(&password)?;
    let hash = tokio::task::spawn_blocking(move || password::hash(&password))
        .await
        .map_err(|_| StoreError::Closed)?;
    Ok(store.write(move |tx| accounts::insert_administrator(tx, FIRST, &hash)).await?)
}

/// The account of this name, if it may log in.
pub(crate) async fn find(store: &Store, user: String) -> Result<Option<Account>, Refusal> {
    Ok(store.read(move |connection| accounts::find(connection, &user)).await?)
}

/// The same for a request with HTTP Basic, which is refused where the operator has set that.
pub(crate) async fn find_for_basic(store: &Store, user: String) -> Result<Option<Account>, Refusal> {
    let read = move |connection: &Connection| {
        Ok::<_, StoreError>((authentication::read(connection)?.basic, accounts::find(connection, &user)?))
    };
    match store.read(read).await? {
        (Basic::Accepted, account) => Ok(account),
        (Basic::Refused, _) => Err(Refusal::new(
            Kind::Unauthenticated,
            "this platform refuses passwords in requests to the API (api_oauth2_disable_basic)",
            "ask for an access token at /oauth/token/ with an OAuth2 client, or log in at /admin/login/",
        )),
    }
}

/// Changes the password of the account that sends the request. The old one is needed again, and a wrong one
/// counts as a failed login. Everything remembered of the account, and every token of it, becomes invalid
/// with the old password.
async fn change(
    State(api): State<Api>,
    AuthenticatedUser(user): AuthenticatedUser,
    Source(source): Source,
    headers: HeaderMap,
    Fields(body): Fields,
) -> Result<Response, Refusal> {
    let (old, new) = fields(&body, &user)?;
    let store = api.committer().store();
    let stored = find(store, user.clone()).await?.map(|account| account.password);
    let token = device::token_in(&headers).map(str::to_string);
    let credentials = Credentials { user: user.clone(), password: old, token };
    match api.logins.check(&credentials, stored.clone(), source).await {
        Ok(_) => (),
        Err(LoginError::Wrong) => {
            return Err(wrong("old_password", "This is not the password of the account."));
        }
        Err(busy @ LoginError::Busy { .. }) => return Err(busy.into()),
    }
    let hashed = tokio::task::spawn_blocking(move || password::hash(&new)).await;
    let hash = hashed.map_err(|cause| Refusal::internal(&cause))?;
    let (name, old, new) = (user.clone(), stored.unwrap_or_default(), hash.clone());
    if !store.write(move |tx| accounts::replace_password(tx, &name, &old, &new)).await? {
        let error = format!("the password of {user} was changed by another request just now");
        return Err(Refusal::new(Kind::Conflict, error, "log in with the password that was set then"));
    }
    tracing::info!(user, %source, "the password of an account was changed");
    let notice = if user == FIRST {
        api.blocking(|layout| first_password::remove(&layout.state())).await?
    } else {
        None
    };
    let cookie =
        device::cookie(&device::issue(&user, &hash), ShownTo::Api).map(|cookie| (header::SET_COOKIE, cookie));
    let answer = json!({"status": "success", "data": {"account": user}, "remark": notice});
    Ok((cookie.map(|cookie| [cookie]), Json(answer)).into_response())
}

/// The old password and the new one.
fn fields(body: &Map<String, Value>, user: &str) -> Result<(String, String), Refusal> {
    let given = |name: &str| body.get(name).and_then(Value::as_str);
    let mut errors = FieldErrors::default();
    let old = given("old_password").unwrap_or_else(|| {
        errors.add("old_password", "This field is required.");
        ""
    });
    match given("new_password") {
        None => errors.add("new_password", "This field is required."),
        Some(new) if new == old => errors.add("new_password", "Choose another password than the old one."),
        Some(new) => {
            if let Err(message) = password::acceptable(new, user) {
                errors.add("new_password", message);
            }
        }
    }
    let new = given("new_password").unwrap_or_default();
    errors.into_result(RESOURCE).map(|()| (old.into(), new.into()))
}

fn wrong(field: &'static str, message: &str) -> Refusal {
    FieldErrors::one(field, message).refusal(RESOURCE, Kind::Invalid)
}
