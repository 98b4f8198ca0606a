//! The calls that were under way when the Management Node ended in order: after its start, nodes have to say which of them
//! go on. Kept for that time alone.

use rusqlite::{Connection, Row, Transaction};

use super::StoreError;
use crate::calls::InterruptedCall;

/// Replaces them.
///
/// # Errors
/// The database reports an error.
pub(crate) fn replace(tx: &Transaction<'_>, calls: &[InterruptedCall]) -> Result<(), StoreError> {
    tx.execute("DELETE FROM interrupted_call", [])?;
    let mut insert = tx.prepare_cached("INSERT INTO interrupted_call (body) VALUES (?1)")?;
    for call in calls {
        insert.execute([serde_json::to_string(call)?])?;
    }
    Ok(())
}

/// All of them.
///
/// # Errors
/// The database reports an error, or a row cannot be read.
pub(crate) fn all(connection: &Connection) -> Result<Vec<InterruptedCall>, StoreError> {
    let mut statement = connection.prepare("SELECT body FROM interrupted_call ORDER BY id")?;
    let bodies = statement.query_map([], |row: &Row<'_>| row.get::<_, String>(0))?;
    bodies.map(|body| Ok(serde_json::from_str(&body?)?)).collect()
}
