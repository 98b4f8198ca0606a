//! Accounts: the first one is made when the platform is.

use rusqlite::{Connection, OptionalExtension as _};

use super::error::Refusal;
use super::password;
use crate::store::{Store, StoreError};

/// The name of the first account, as in the compatible API.
const FIRST: &str = "admin";

/// Makes the account `admin` on a platform without accounts. Its password is stored nowhere: `hand_over`
/// gives it to the operator, before the account is made, so that no kill in between loses it.
///
/// # Errors
/// The store could not be read or written, or the password not be handed over.
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
