//! Who changed what. An entry is written in the transaction of the change.

use rusqlite::{Transaction, params};
use serde_json::{Value, json};

use super::StoreError;

/// How many entries are kept.
const ENTRIES: i64 = 100_000;

/// A change that was made.
#[derive(Clone, Debug)]
pub(crate) struct AuditEntry<'a> {
    /// When, in milliseconds since 1970-01-01 UTC.
    pub(crate) time: i64,
    /// The account.
    pub(crate) account: &'a str,
    /// The address from which it was requested.
    pub(crate) source: String,
    /// What was done.
    pub(crate) action: &'a str,
    /// What kind of object was changed.
    pub(crate) resource: &'a str,
    /// Its URI.
    pub(crate) object: String,
    /// Its name.
    pub(crate) name: String,
    /// The fields that were changed: `{"field", "from", "to"}`.
    pub(crate) changes: Vec<Value>,
}

/// Writes an entry, and deletes the oldest one beyond those that are kept.
///
/// # Errors
/// The database reports an error.
pub(crate) fn note(tx: &Transaction<'_>, entry: AuditEntry<'_>) -> Result<(), StoreError> {
    let AuditEntry { time, account, source, action, resource, object, name, changes } = entry;
    let body = json!({
        "account": account, "source": source, "action": action, "resource": resource, "object": object, "name": name,
        "changes": changes,
    });
    tx.prepare_cached("INSERT INTO audit (time, body) VALUES (?1, ?2)")?
        .execute(params![time, body.to_string()])?;
    let kept_from = tx.last_insert_rowid() - ENTRIES;
    tx.prepare_cached("DELETE FROM audit WHERE id <= ?1")?.execute([kept_from])?;
    Ok(())
}
