//! The calls that were under way when the Management Node ended in order: after its start, nodes have to say which of them
//! go on. Kept for that time alone.

use rusqlite::{Connection, Row, Transaction};
use tracing::warn;

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

/// All of them that can be read. The release before may have stored them in another form, and no start depends on them.
///
/// # Errors
/// The database reports an error.
pub(crate) fn all(connection: &Connection) -> Result<Vec<InterruptedCall>, StoreError> {
    let mut statement = connection.prepare("SELECT body FROM interrupted_call ORDER BY id")?;
    let bodies = statement.query_map([], |row: &Row<'_>| row.get::<_, String>(0))?;
    let read = |body: String| {
        let read = serde_json::from_str(&body);
        read.inspect_err(
            |why| warn!(%why, "a call of before cannot be read, and may be missing from the history"),
        )
        .ok()
    };
    Ok(bodies.collect::<Result<Vec<_>, _>>()?.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_in_a_form_that_cannot_be_read_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = super::super::open(&dir.path().join("store.db"), &mut || {}).unwrap();
        let tx = connection.transaction().unwrap();
        tx.execute("INSERT INTO interrupted_call (body) VALUES ('{\"later\":1}')", []).unwrap();
        assert!(all(&tx).unwrap().is_empty());
    }
}
