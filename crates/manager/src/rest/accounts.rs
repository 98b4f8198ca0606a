//! Accounts: the first one is made when the platform is.

use rusqlite::{Connection, OptionalExtension as _};

use super::error::Refusal;
use super::password;
use crate::store::{Store, StoreError};

/// The name of the first account, as in the compatible API.
const FIRST: &str = "admin";

/// Makes the account `admin` on a platform without accounts and returns its password, which is
/// stored nowhere: whoever asked shows it to the operator, once. None when there is an account.
///
/// # Errors
/// The store could not be read or written.
pub async fn first_password(store: &Store) -> Result<Option<String>, StoreError> {
    let password = password::make();
    let hash = {
        let password = password.clone();
        tokio::task::spawn_blocking(move || password::hash(&password))
            .await
            .map_err(|_| StoreError::Closed)?
    };
    let write = move |tx: &rusqlite::Transaction<'_>| {
        let made = tx.execute(
            "INSERT INTO account (name, password_hash) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM account)",
            [FIRST, &hash],
        )?;
        Ok::<_, StoreError>(made == 1)
    };
    Ok(store.write(write).await?.then_some(password))
}

/// The stored hash of a user's password.
pub(crate) async fn password_hash(store: &Store, user: String) -> Result<Option<String>, Refusal> {
    let read = move |connection: &Connection| {
        let sql = "SELECT password_hash FROM account WHERE name = ?1";
        Ok(connection.prepare_cached(sql)?.query_row([user], |row| row.get(0)).optional()?)
    };
    store.read(read).await
}
