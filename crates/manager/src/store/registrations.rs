//! The rows of registrations: which certificates count for a node. What follows from a row is in `registration`.

use fleet::node::NodeId;
use fleet::time::Wall;
use rusqlite::{Connection, Row, Transaction, params};
use wire::RegistrationId;

use super::StoreError;
use crate::certificate::Certificate;
use crate::registration::{CertificateStatus, Earlier, Note, Registered};

/// Reads a node's registration.
///
/// # Errors
/// The database reports an error.
pub(crate) fn read(connection: &Connection, node: NodeId) -> Result<Registered, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT registration.id, enrolment.registration, earlier_key, earlier_since
         FROM (SELECT ?1 AS node_id)
         LEFT JOIN registration USING (node_id) LEFT JOIN enrolment USING (node_id)",
    )?;
    Ok(statement.query_row([node.0], registered)?)
}

fn registered(row: &Row<'_>) -> rusqlite::Result<Registered> {
    let key = row.get::<_, Option<String>>(2)?.and_then(|text| text.parse().ok());
    let earlier = match (row.get::<_, Option<i64>>(3)?, key) {
        (Some(since), enrolled) => {
            Earlier::Unbound { enrolled, since: Wall(u64::try_from(since).unwrap_or(0)) }
        }
        (None, Some(key)) => Earlier::Of(key),
        (None, None) => Earlier::Refused,
    };
    Ok(Registered { current: registration_in(row, 0)?, issued: registration_in(row, 1)?, earlier })
}

fn registration_in(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<RegistrationId>> {
    Ok(row.get::<_, Option<String>>(column)?.and_then(|text| text.parse().ok()))
}

/// Stores the note about a certificate that counts, if it still does.
///
/// # Errors
/// The database reports an error.
pub(crate) fn note(tx: &Transaction<'_>, shown: &Certificate) -> Result<CertificateStatus, StoreError> {
    let status = read(tx, shown.node)?.status_of(shown);
    if let CertificateStatus::ValidFromNow(registration, note) = status {
        match note {
            Note::Begun => begin(tx, shown.node, registration)?,
            Note::Bound(key) => {
                tx.execute(
                    "UPDATE registration SET earlier_key = ?2, earlier_since = NULL WHERE node_id = ?1",
                    params![shown.node.0, key.to_string()],
                )?;
            }
        }
    }
    Ok(status)
}

/// Begins a registration, which ends the one before.
///
/// # Errors
/// The database reports an error.
pub(crate) fn begin(
    tx: &Transaction<'_>,
    node: NodeId,
    registration: RegistrationId,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT OR REPLACE INTO registration (node_id, id, earlier_key, earlier_since)
         VALUES (?1, ?2, NULL, NULL)",
        params![node.0, registration.to_string()],
    )?;
    Ok(())
}

/// Ends the registration of a node that is removed.
///
/// # Errors
/// The database reports an error.
pub(crate) fn end(tx: &Transaction<'_>, node: NodeId) -> Result<(), StoreError> {
    tx.execute("DELETE FROM registration WHERE node_id = ?1", [node.0])?;
    Ok(())
}
