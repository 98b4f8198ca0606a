//! OAuth2 clients as requests for tokens, and requests with tokens, need them. As objects of the management API they are in
//! [`super::objects`].

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use uuid::Uuid;

use super::{StoreError, accounts};
use crate::auth::oauth::{ClientKey, TokenKey};
use crate::resources::Permission;

/// A client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Its name for the operator.
    pub(crate) name: String,
    /// The key with which its assertions are verified.
    pub(crate) key: ClientKey,
    /// The key of its tokens.
    pub(crate) token_key: TokenKey,
    /// Its role, which its tokens are bound to.
    pub(crate) role: u64,
    /// What it may do.
    pub(crate) permissions: BTreeSet<Permission>,
}

/// Stores the identity and the keys of a client that was just created.
///
/// # Errors
/// The database reports an error.
pub(crate) fn complete(
    tx: &Transaction<'_>,
    id: i64,
    client: Uuid,
    key: &ClientKey,
    token_key: &TokenKey,
) -> Result<(), StoreError> {
    let sql = "UPDATE oauth2_client SET client_id = ?2, algorithm = ?3, public_key = ?4, token_key = ?5 WHERE id = ?1";
    let algorithm = key.algorithm().to_string();
    tx.execute(sql, params![id, client.to_string(), algorithm, key.public(), token_key.0])?;
    Ok(())
}

/// The client that names itself so.
///
/// # Errors
/// The database reports an error.
pub(crate) fn find(connection: &Connection, client: Uuid) -> Result<Option<Client>, StoreError> {
    let sql = "SELECT client_name, algorithm, public_key, token_key, role, role.body ->> 'permissions'
               FROM oauth2_client JOIN role ON role.id = oauth2_client.role WHERE client_id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([client.to_string()], row).optional()?;
    found
        .flatten()
        .map(|(client, permissions)| {
            Ok(Client { permissions: accounts::permissions(&permissions)?, ..client })
        })
        .transpose()
}

/// Whether a client may use the API and change accounts.
///
/// # Errors
/// The database reports an error.
pub(crate) fn is_manageable(tx: &Transaction<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM oauth2_client JOIN role ON role.id = oauth2_client.role
               WHERE client_id IS NOT NULL AND public_key IS NOT NULL AND token_key IS NOT NULL
               AND ?1 IN (SELECT value FROM json_each(role.body, '$.permissions'))
               AND ?2 IN (SELECT value FROM json_each(role.body, '$.permissions')))";
    Ok(tx.query_row(sql, [Permission::UseApi.id(), Permission::Accounts.id()], |row| row.get(0))?)
}

/// A client without its permissions, and the text of these; none if it was never completed.
fn row(row: &Row<'_>) -> rusqlite::Result<Option<(Client, String)>> {
    let (algorithm, public): (Option<String>, Option<Vec<u8>>) = (row.get(1)?, row.get(2)?);
    let token_key: Option<[u8; 32]> = row.get(3)?;
    let algorithm = algorithm.and_then(|algorithm| algorithm.parse().ok());
    let (Some(algorithm), Some(public), Some(token_key)) = (algorithm, public, token_key) else {
        return Ok(None);
    };
    let client = Client {
        name: row.get(0)?,
        key: ClientKey::stored(algorithm, public),
        token_key: TokenKey(token_key),
        role: row.get::<_, i64>(4)?.unsigned_abs(),
        permissions: BTreeSet::new(),
    };
    Ok(Some((client, row.get::<_, Option<String>>(5)?.unwrap_or_else(|| "[]".into()))))
}
