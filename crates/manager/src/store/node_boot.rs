//! When each node's release started. Stored since release 34.1.

use std::collections::BTreeMap;

use fleet::node::NodeId;
use fleet::time::Wall;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Store, StoreError, signed};

/// Stores when a node's release started, unless that is stored already.
pub(crate) async fn remember(store: &Store, node: NodeId, started_at: u64) -> Result<(), StoreError> {
    let known = store.read::<_, StoreError>(move |connection| self::started_at(connection, node)).await?;
    if known == Some(started_at) {
        return Ok(());
    }
    let started_at = signed(started_at);
    store
        .write(move |tx| {
            tx.execute(
                "INSERT OR REPLACE INTO node_boot (node_id, started_at) VALUES (?1, ?2)",
                params![node.0, started_at],
            )?;
            Ok(())
        })
        .await
}

/// When a node's release started, in milliseconds since 1970-01-01 UTC by the node's clock; none when the
/// node has not reported it.
///
/// # Errors
/// The database reports an error.
pub fn started_at(connection: &Connection, node: NodeId) -> Result<Option<u64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT started_at FROM node_boot WHERE node_id = ?1")?;
    let found: Option<i64> = statement.query_row([node.0], |row| row.get(0)).optional()?;
    Ok(found.and_then(|at| u64::try_from(at).ok()))
}

/// When the release of each node started, by its own clock, of those that have reported it.
///
/// # Errors
/// The database reports an error.
pub(crate) fn all(connection: &Connection) -> Result<BTreeMap<NodeId, Wall>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT node_id, started_at FROM node_boot")?;
    let moment = |row: &Row<'_>| {
        let at: i64 = row.get(1)?;
        Ok((NodeId(row.get(0)?), Wall(u64::try_from(at).unwrap_or(0))))
    };
    Ok(statement.query_map([], moment)?.collect::<Result<_, _>>()?)
}
