//! Where the Conferencing Nodes are.

use std::collections::BTreeMap;

use fleet::node::NodeId;
use rusqlite::{Connection, OptionalExtension, Row};

use super::StoreError;

/// The address of each node, and the name of its system location.
///
/// # Errors
/// The database reports an error.
pub(crate) fn places(connection: &Connection) -> Result<BTreeMap<NodeId, (String, String)>, StoreError> {
    let sql =
        "SELECT worker_vm.id, coalesce(worker_vm.body ->> 'address', ''), coalesce(system_location.name, '')
               FROM worker_vm LEFT JOIN system_location ON system_location.id = worker_vm.system_location";
    let mut statement = connection.prepare_cached(sql)?;
    let place = |row: &Row<'_>| Ok((NodeId(row.get(0)?), (row.get(1)?, row.get(2)?)));
    Ok(statement.query_map([], place)?.collect::<Result<_, _>>()?)
}

/// The number and the name of each system location.
///
/// # Errors
/// The database reports an error.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(i64, String)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id, name FROM system_location ORDER BY id")?;
    let named = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(statement.query_map([], named)?.collect::<Result<_, _>>()?)
}

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

/// The name of a node's system location; none when it has none.
///
/// # Errors
/// The database reports an error.
pub(crate) fn of_node(connection: &Connection, id: NodeId) -> Result<Option<String>, StoreError> {
    let sql = "SELECT system_location.name FROM worker_vm
               JOIN system_location ON system_location.id = worker_vm.system_location WHERE worker_vm.id = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([id.0], |row| row.get(0)).optional()?)
}
