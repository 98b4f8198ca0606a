//! What has to hold for a change of accounts and roles: passwords are hashed before they are stored, and somebody can
//! still manage the accounts afterwards.

use serde_json::{Map, Value};

use super::write::Change;
use crate::auth::password;
use crate::resources::configuration::account::{NAME, PASSWORD};
use crate::resources::draft::{HIDDEN, id_of};
use crate::resources::{CoreFacts, FieldErrors, Kind, Resource};
use crate::rest::Api;
use crate::rest::accounts::FIRST;
use crate::rest::error::{Kind as RefusalKind, Refusal};
use crate::store::authentication::{self, Basic};
use crate::store::{Transaction, accounts, oauth, objects};

/// Replaces the password in a request by its hash. Hashing takes tens of milliseconds, so it is done before the
/// transaction, one at a time: whoever may change accounts must not be able to occupy the machine with it.
pub(super) async fn hash_passwords(
    api: &Api,
    of: &'static Resource,
    body: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    for field in of.fields.iter().filter(|field| matches!(field.kind, Kind::Password)) {
        let new = match body.get(field.name) {
            Some(Value::String(new)) if !new.is_empty() && new != HIDDEN => new.clone(),
            // A password that is not said stays as it is.
            Some(Value::Null | Value::String(_)) => {
                body.remove(field.name);
                continue;
            }
            None | Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => continue,
        };
        let refused = |message| FieldErrors::one(field.name, message).refusal(of.name, RefusalKind::Invalid);
        password::acceptable(&new, &name_of(api, of, body).await?).map_err(refused)?;
        let _one_at_a_time = api.hashing.lock().await;
        let hashed = tokio::task::spawn_blocking(move || password::hash(&new)).await;
        body.insert(field.name.into(), hashed.map_err(|cause| Refusal::internal(&cause))?.into());
    }
    Ok(())
}

/// The name that an account will have: as the request says, or as it is.
async fn name_of(api: &Api, of: &'static Resource, body: &Map<String, Value>) -> Result<String, Refusal> {
    if let Some(name) = body.get("name").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        return Ok(name.into());
    }
    let uri = body.get("resource_uri").and_then(Value::as_str).and_then(|uri| id_of(uri, &of.path()));
    let id = body.get("id").and_then(Value::as_i64).or(uri).unwrap_or(0);
    let found = api
        .committer()
        .store()
        .read(move |connection| objects::find(connection, of, id, &CoreFacts::default()))
        .await?;
    // A password contains no such character.
    Ok(found.map_or("\0".into(), |account| account.text(&NAME).to_string()))
}

/// Whether the password that the platform began with is not valid any more.
pub(super) fn ends_first_password(change: &Change) -> bool {
    match change {
        Change::Created { .. } => false,
        Change::Changed { from, to, children: _ } => {
            from.text(&NAME) == FIRST && from.get(&PASSWORD) != to.get(&PASSWORD)
        }
        Change::Removed { object, children: _ } => object.text(&NAME) == FIRST,
    }
}

/// Refuses a change after which nobody could manage the accounts.
pub(super) fn check_manageable(tx: &Transaction<'_>) -> Result<(), Refusal> {
    if !accounts::is_manageable(tx)? {
        return Err(Refusal::new(
            RefusalKind::Conflict,
            "no active account would be left that may manage the accounts",
            "give another active account a role with the permissions use_api and accounts first",
        ));
    }
    match authentication::read(tx)?.basic {
        Basic::Accepted => Ok(()),
        Basic::Refused if oauth::is_manageable(tx)? => Ok(()),
        Basic::Refused => Err(Refusal::new(
            RefusalKind::Conflict,
            "the API would refuse passwords, and no OAuth2 client would be left that may manage the accounts",
            "give an OAuth2 client a role with the permissions use_api and accounts first, or set \
             api_oauth2_disable_basic of authentication/1/ to false",
        )),
    }
}
