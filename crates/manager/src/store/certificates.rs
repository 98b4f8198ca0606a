//! The certificates that an operator has brought, as they are used. As objects of the management API they are in
//! [`super::objects`].

use rusqlite::{Connection, Row};

use super::StoreError;
use crate::resources::Resource;
use crate::resources::configuration::ca_certificate::CA_CERTIFICATE;
use crate::resources::configuration::tls_certificate::TLS_CERTIFICATE;

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

/// The certificates in every object that has some: its resource, its number, and the text.
///
/// # Errors
/// The database reports an error.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(&'static Resource, i64, String)>, StoreError> {
    let mut all = Vec::new();
    for of in [&TLS_CERTIFICATE, &CA_CERTIFICATE] {
        let sql = format!("SELECT id, body ->> 'certificate' FROM {} ORDER BY id", of.name);
        let row = |row: &Row<'_>| Ok((of, row.get(0)?, row.get(1)?));
        let rows = connection.prepare_cached(&sql)?.query_map([], row)?.collect::<Result<Vec<_>, _>>()?;
        all.extend(rows);
    }
    Ok(all)
}
