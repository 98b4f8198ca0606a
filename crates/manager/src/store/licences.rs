//! The licences that are installed, each with its signed text.

use fleet::time::Wall;
use licence::Licence;
use rusqlite::{Connection, Row, Transaction, params};

use super::{StoreError, signed};
use crate::licences::Installed;

/// Stores a licence; returns its number. A second one of the same name breaks the table's rule: ask [`is_installed`] before.
///
/// # Errors
/// The database reports an error.
pub(crate) fn insert(tx: &Transaction<'_>, licence: &Licence, now: Wall) -> Result<i64, StoreError> {
    let sql = "INSERT INTO licence (name, text, signed_with, installed_at) VALUES (?1, ?2, ?3, ?4)";
    let at = signed(now.0);
    tx.execute(sql, params![licence.terms.id, licence.text, licence.key.to_string(), at])?;
    Ok(tx.last_insert_rowid())
}

/// Whether a licence that gives itself this id is installed.
///
/// # Errors
/// The database reports an error.
pub(crate) fn is_installed(tx: &Transaction<'_>, name: &str) -> Result<bool, StoreError> {
    Ok(tx.prepare_cached("SELECT 1 FROM licence WHERE name = ?1")?.exists([name])?)
}

/// How many licences are installed.
///
/// # Errors
/// The database reports an error.
pub(crate) fn count(tx: &Transaction<'_>) -> Result<i64, StoreError> {
    Ok(tx.query_row("SELECT count(*) FROM licence", [], |row| row.get(0))?)
}

/// Removes a licence; whether there was one of this number.
///
/// # Errors
/// The database reports an error.
pub(crate) fn delete(tx: &Transaction<'_>, id: i64) -> Result<bool, StoreError> {
    Ok(tx.execute("DELETE FROM licence WHERE id = ?1", [id])? == 1)
}

/// Every licence, in the order of installation. One that this release cannot read is left out with a line in the log: it
/// comes from a later release, to which the next upgrade goes back.
///
/// # Errors
/// The database reports an error.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Installed>, StoreError> {
    let sql = "SELECT id, text, signed_with, installed_at FROM licence ORDER BY id";
    let row = |row: &Row<'_>| {
        let at: i64 = row.get(3)?;
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, at))
    };
    let rows = connection.prepare_cached(sql)?.query_map([], row)?.collect::<Result<Vec<_>, _>>()?;
    Ok(rows.into_iter().filter_map(readable).collect())
}

fn readable((id, text, signed_with, at): (i64, String, String, i64)) -> Option<Installed> {
    let installed_at = Wall(u64::try_from(at).unwrap_or(0));
    match Licence::terms_of_stored(&text) {
        Ok(terms) => Some(Installed { id, terms, text, signed_with, installed_at }),
        Err(error) => {
            tracing::error!(licence = id, %error, "a licence that is installed cannot be read and does not count");
            None
        }
    }
}
