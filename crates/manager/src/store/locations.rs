//! Where the Conferencing Nodes are.

use std::collections::BTreeMap;

use fleet::node::NodeId;
use rusqlite::{Connection, Row};

use super::StoreError;

/// The name of each node's system location.
///
/// # Errors
/// The database reports an error.
pub(crate) fn of_nodes(connection: &Connection) -> Result<BTreeMap<NodeId, String>, StoreError> {
    let sql = "SELECT worker_vm.id, system_location.name FROM worker_vm
               JOIN system_location ON system_location.id = worker_vm.system_location";
    let mut statement = connection.prepare_cached(sql)?;
    let named = |row: &Row<'_>| Ok((NodeId(row.get(0)?), row.get(1)?));
    Ok(statement.query_map([], named)?.collect::<Result<_, _>>()?)
}
