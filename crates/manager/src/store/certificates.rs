//! The certificates that an operator has brought, as they are used. As objects of the management API they are in
//! [`super::objects`].

use rusqlite::{Connection, Row};

use super::StoreError;

/// The certificates, each with its key, that a machine of this name is to show.
///
/// # Errors
/// The database reports an error.
pub(crate) fn shown_by(connection: &Connection, name: &str) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT body ->> 'certificate', body ->> 'private_key' FROM tls_certificate
               WHERE lower(?1) IN (SELECT lower(value) FROM json_each(tls_certificate.body, '$.nodes')) ORDER BY id";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(connection.prepare_cached(sql)?.query_map([name], row)?.collect::<Result<_, _>>()?)
}
