//! What has to hold for a change of accounts and roles: passwords are hashed before they are stored, and somebody can
//! still manage the accounts afterwards.

use crate::store::Transaction;
use serde_json::{Map, Value};

use crate::resources::draft::HIDDEN;
use crate::resources::{FieldErrors, Kind, Resource};
use crate::rest::error::{Kind as RefusalKind, Refusal};
use crate::rest::password;
use crate::store::accounts;

/// Replaces the passwords in a request by their hashes. Hashing takes tens of milliseconds, so it is done before the
/// transaction.
pub(super) async fn hash_passwords(of: &Resource, body: &mut Map<String, Value>) -> Result<(), Refusal> {
    for field in of.fields.iter().filter(|field| matches!(field.kind, Kind::Password)) {
        let Some(Value::String(new)) = body.get(field.name) else { continue };
        if new.is_empty() || new == HIDDEN {
            body.remove(field.name);
            continue;
        }
        let name = body.get("name").and_then(Value::as_str).unwrap_or("\0");
        password::acceptable(new, name).map_err(|message| {
            FieldErrors::one(field.name, message).refusal(of.name, RefusalKind::Invalid)
        })?;
        let new = new.clone();
        let hashed = tokio::task::spawn_blocking(move || password::hash(&new)).await;
        body.insert(field.name.into(), hashed.map_err(|cause| Refusal::internal(&cause))?.into());
    }
    Ok(())
}

/// Refuses a change after which nobody could manage the accounts.
pub(super) fn check_manageable(tx: &Transaction<'_>) -> Result<(), Refusal> {
    if accounts::is_manageable(tx)? {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::Conflict,
        "no active account would be left that may manage the accounts",
        "give another active account a role with the permissions use_api and accounts first",
    ))
}
