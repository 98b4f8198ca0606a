//! Accounts as logins need them. As objects of the management API they are in [`super::objects`].

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::StoreError;
use crate::resources::Permission;

/// An account that may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The hash of its password.
    pub(crate) password: String,
    /// What it may do.
    pub(crate) permissions: BTreeSet<Permission>,
}

/// The role of the first account.
const ADMINISTRATOR: i64 = 1;

/// Whether there is an account.
///
/// # Errors
/// The database reports an error.
pub(crate) fn is_any(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection.query_row("SELECT EXISTS (SELECT 1 FROM account)", [], |row| row.get(0))?)
}

/// Creates an account that may do everything.
///
/// # Errors
/// The database reports an error.
pub(crate) fn insert_administrator(
    tx: &Transaction<'_>,
    name: &str,
    password: &str,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO account (name, password, role) VALUES (?1, ?2, ?3)";
    tx.execute(sql, params![name, password, ADMINISTRATOR])?;
    Ok(())
}

/// The account of this name, if it is active.
///
/// # Errors
/// The database reports an error.
pub(crate) fn find(connection: &Connection, name: &str) -> Result<Option<Account>, StoreError> {
    let sql = "SELECT account.password, role.body ->> 'permissions' FROM account JOIN role ON role.id = account.role
               WHERE account.name = ?1 AND coalesce(account.body ->> 'is_active', 1)";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?));
    let found = connection.prepare_cached(sql)?.query_row([name], row).optional()?;
    let account = |(password, ids): (String, Option<String>)| {
        Ok(Account { password, permissions: permissions(ids.as_deref().unwrap_or("[]"))? })
    };
    found.map(account).transpose()
}

/// What the accounts of a role may do; nothing if there is no such role.
///
/// # Errors
/// The database reports an error.
pub(crate) fn permissions_of(tx: &Transaction<'_>, role: i64) -> Result<BTreeSet<Permission>, StoreError> {
    let sql = "SELECT body ->> 'permissions' FROM role WHERE id = ?1";
    let ids: Option<Option<String>> = tx.query_row(sql, [role], |row| row.get(0)).optional()?;
    permissions(ids.flatten().as_deref().unwrap_or("[]"))
}

/// The permissions of a role, from the JSON of their numbers.
///
/// # Errors
/// It is no list of numbers.
pub(super) fn permissions(ids: &str) -> Result<BTreeSet<Permission>, StoreError> {
    let ids: Vec<i64> = serde_json::from_str(ids)?;
    Ok(Permission::ALL.into_iter().filter(|permission| ids.contains(&permission.id())).collect())
}

/// Replaces the hash of a password, if the one that was checked is still stored.
///
/// # Errors
/// The database reports an error.
pub(crate) fn replace_password(
    tx: &Transaction<'_>,
    name: &str,
    old: &str,
    new: &str,
) -> Result<bool, StoreError> {
    let sql = "UPDATE account SET password = ?3 WHERE name = ?1 AND password = ?2";
    Ok(tx.execute(sql, params![name, old, new])? == 1)
}

/// Whether an active account may use the API and change accounts. Without one nobody could create another.
///
/// # Errors
/// The database reports an error.
pub(crate) fn is_manageable(tx: &Transaction<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM account JOIN role ON role.id = account.role
               WHERE coalesce(account.body ->> 'is_active', 1) AND account.password <> ''
               AND ?1 IN (SELECT value FROM json_each(role.body, '$.permissions'))
               AND ?2 IN (SELECT value FROM json_each(role.body, '$.permissions')))";
    Ok(tx.query_row(sql, [Permission::UseApi.id(), Permission::Accounts.id()], |row| row.get(0))?)
}
