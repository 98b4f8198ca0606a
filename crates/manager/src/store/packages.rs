//! When each package was uploaded.

use std::collections::BTreeMap;

use fleet::time::Time;
use fleet::version::Sha256;
use rusqlite::{Connection, Row, Transaction, params};

use super::{StoreError, signed};

/// Notes when a package was admitted.
///
/// # Errors
/// The database reports an error.
pub(crate) fn mark_uploaded(tx: &Transaction<'_>, manifest: Sha256, now: Time) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO package (manifest, uploaded_at) VALUES (?1, ?2)";
    tx.execute(sql, params![manifest.to_string(), signed(now.0)])?;
    Ok(())
}

/// Deletes the times of packages that are gone.
///
/// # Errors
/// The database reports an error.
pub(crate) fn forget(tx: &Transaction<'_>, manifests: &[Sha256]) -> Result<(), StoreError> {
    for manifest in manifests {
        tx.execute("DELETE FROM package WHERE manifest = ?1", [manifest.to_string()])?;
    }
    Ok(())
}

/// When each package was uploaded.
///
/// # Errors
/// The database reports an error.
pub(crate) fn uploaded(connection: &Connection) -> Result<BTreeMap<Sha256, Time>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT manifest, uploaded_at FROM package")?;
    let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
    let rows = statement.query_map([], row)?.collect::<Result<Vec<_>, _>>()?;
    let moment =
        |(manifest, at): (String, i64)| Some((manifest.parse().ok()?, Time(u64::try_from(at).ok()?)));
    Ok(rows.into_iter().filter_map(moment).collect())
}
