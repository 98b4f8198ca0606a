//! Accounts: creates the first one with the platform, and changes the password of an account at its own
//! request.
//!
//! It relies on `auth` to check the old password and on `password` for hashes. There are no other operations
//! on accounts.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::{Map, Value, json};

use super::auth::Credentials;
use super::error::{FieldErrors, Kind, Refusal};
use super::request::{AuthenticatedUser, Fields, Source};
use super::route::both;
use super::{Api, device, password};
use crate::first_password;
use crate::store::{Store, StoreError};

/// The name of the first account, as in the compatible API.
const FIRST: &str = "admin";

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
    let none = |connection: &Connection| -> Result<bool, StoreError> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM account)";
        Ok(connection.query_row(sql, [], |row| row.get(0))?)
    };
    if !store.read(none).await? {
        return Ok(());
    }
    let password = password::make();
    hand_over(&password)?;
    let hash = tokio::task::spawn_blocking(move || password::hash(&password))
        .await
        .map_err(|_| StoreError::Closed)?;
    let write = move |tx: &rusqlite::Transaction<'_>| {
        tx.execute("INSERT INTO account (name, password_hash) VALUES (?1, ?2)", [FIRST, &hash])?;
        Ok::<_, StoreError>(())
    };
    Ok(store.write(write).await?)
}

/// The stored hash of a user's password.
pub(crate) async fn password_hash(store: &Store, user: String) -> Result<Option<String>, Refusal> {
    let read = move |connection: &Connection| {
        let sql = "SELECT password_hash FROM account WHERE name = ?1";
        Ok(connection.prepare_cached(sql)?.query_row([user], |row| row.get(0)).optional()?)
    };
    store.read(read).await
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
    let stored = password_hash(store, user.clone()).await?;
    let token = device::token_in(&headers).map(str::to_string);
    let credentials = Credentials { user: user.clone(), password: old, token };
    if let Err(refusal) = api.logins.check(&credentials, stored.clone(), source).await {
        if refusal.kind == Kind::Unauthenticated {
            return Err(wrong("old_password", "This is not the password of the account."));
        }
        return Err(refusal);
    }
    let hashed = tokio::task::spawn_blocking(move || password::hash(&new)).await;
    let hash = hashed.map_err(|cause| Refusal::internal(&cause))?;
    if !replace(store, user.clone(), stored.unwrap_or_default(), hash.clone()).await? {
        let error = format!("the password of {user} was changed by another request just now");
        return Err(Refusal::new(Kind::Conflict, error, "log in with the password that was set then"));
    }
    tracing::info!(user, %source, "the password of an account was changed");
    let notice = if user == FIRST {
        api.blocking(|layout| first_password::remove(&layout.state())).await?
    } else {
        None
    };
    let cookie = device::cookie(&device::issue(&user, &hash)).map(|cookie| (header::SET_COOKIE, cookie));
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

/// Replaces the hash of an account, if the one that was checked is still stored.
async fn replace(store: &Store, user: String, old: String, new: String) -> Result<bool, Refusal> {
    let sql = "UPDATE account SET password_hash = ?3 WHERE name = ?1 AND password_hash = ?2";
    let write = move |tx: &Transaction<'_>| Ok::<_, Refusal>(tx.execute(sql, params![user, old, new])? == 1);
    store.write(write).await
}
