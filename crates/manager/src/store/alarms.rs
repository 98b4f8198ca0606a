//! The alarms that stand, and those that are over.

use std::collections::BTreeMap;

use fleet::node::NodeId;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::json;

use super::StoreError;
use crate::alarms::{Alarm, AlarmKey};

/// How many alarms that are over are kept.
const PAST: i64 = 10_000;

/// An alarm as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredAlarm {
    /// Its number.
    pub(crate) id: i64,
    /// What is said of it.
    pub(crate) body: String,
}

/// The alarms that stand, by their names and nodes.
///
/// # Errors
/// The database reports an error.
pub(crate) fn standing(
    connection: &Connection,
) -> Result<BTreeMap<(String, Option<NodeId>), StoredAlarm>, StoreError> {
    let mut statement = connection.prepare("SELECT name, node_id, id, body FROM alarm")?;
    let read = |row: &Row<'_>| {
        let key = (row.get(0)?, row.get::<_, Option<u32>>(1)?.map(NodeId));
        Ok((key, StoredAlarm { id: row.get(2)?, body: row.get(3)? }))
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// What is stored of an alarm.
///
/// # Errors
/// It cannot be written as JSON.
pub(crate) fn body(alarm: &Alarm) -> Result<String, StoreError> {
    let Alarm { level, node, instance, details } = alarm;
    let body = json!({"level": level.text(), "node": node, "instance": instance, "details": details});
    Ok(serde_json::to_string(&body)?)
}

/// Raises an alarm.
///
/// # Errors
/// The database reports an error.
pub(crate) fn raise(tx: &Transaction<'_>, key: AlarmKey, body: &str, at: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO alarm (name, node_id, time_raised, body) VALUES (?1, ?2, ?3, ?4)";
    tx.prepare_cached(sql)?.execute(params![key.name, key.node.map(|node| node.0), at, body])?;
    Ok(())
}

/// Replaces what is said of an alarm.
///
/// # Errors
/// The database reports an error.
pub(crate) fn restate(tx: &Transaction<'_>, id: i64, body: &str) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE alarm SET body = ?2 WHERE id = ?1")?.execute(params![id, body])?;
    Ok(())
}

/// Lowers an alarm: it is one of the past, under its number.
///
/// # Errors
/// The database reports an error.
pub(crate) fn lower(tx: &Transaction<'_>, id: i64, at: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO past_alarm (id, name, time_raised, time_lowered, body)
               SELECT id, name, time_raised, max(?2, time_raised), body FROM alarm WHERE id = ?1";
    tx.prepare_cached(sql)?.execute(params![id, at])?;
    tx.prepare_cached("DELETE FROM alarm WHERE id = ?1")?.execute([id])?;
    let sql = "SELECT id FROM past_alarm ORDER BY time_lowered DESC, id DESC LIMIT 1 OFFSET ?1";
    let oldest: Option<i64> = tx.prepare_cached(sql)?.query_row([PAST], |row| row.get(0)).optional()?;
    if let Some(oldest) = oldest {
        tx.prepare_cached("DELETE FROM past_alarm WHERE id = ?1")?.execute([oldest])?;
    }
    Ok(())
}
