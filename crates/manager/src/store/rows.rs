//! The rows of the platform: its state, its runs and the time of the last commit.
//!
//! The bodies are JSON of the core's own types, so a new field there needs a default. Types whose shape has changed have
//! a stored form in the core (decision 26).

use std::collections::{BTreeMap, BTreeSet};

use clock::{Readings, Stamp, Trust};
use fleet::node::{Node, NodeId};
use fleet::platform::{Fleet, Platform};
use fleet::run::{EndedRun, Run};
use fleet::time::{Span, Time, Wall};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::entry::Recorded;
use super::{StoreError, journal, node_events};

/// A run in the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredRun {
    /// It is in progress.
    UnderWay(Run),
    /// It has ended.
    Ended(EndedRun),
}

/// The platform as it was stored; none when the store is new.
///
/// # Errors
/// A row cannot be read.
pub fn load(connection: &Connection) -> Result<Option<Fleet>, StoreError> {
    let body: Option<String> =
        connection.query_row("SELECT body FROM platform", [], |row| row.get(0)).optional()?;
    let Some(body) = body else { return Ok(None) };
    let platform: Platform = serde_json::from_str(&body)?;
    let mut nodes = BTreeMap::new();
    let mut statement = connection.prepare("SELECT id, body FROM node")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let node: Node = serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        nodes.insert(NodeId(row.get(0)?), node);
    }
    Ok(Some(Fleet::restore(platform, nodes)))
}

/// Stores a new platform, without nodes and without history.
///
/// # Errors
/// The database reports an error.
pub fn initialise(connection: &mut Connection, fleet: &Fleet) -> Result<(), StoreError> {
    let tx = connection.transaction()?;
    write_platform(&tx, &fleet.platform)?;
    tx.commit()?;
    Ok(())
}

/// Writes the effects of an entry: the changed nodes, the platform, its runs and its journal. `before` is the
/// platform before it.
///
/// # Errors
/// The database reports an error; then the state in memory is ahead of the stored one.
pub fn record(
    tx: &Transaction<'_>,
    now: Time,
    recorded: &Recorded,
    before: &Platform,
    after: (&Fleet, &BTreeSet<NodeId>),
) -> Result<(), StoreError> {
    let (fleet, changed) = after;
    let platform = &fleet.platform;
    if recorded.facts.is_empty() && changed.is_empty() && platform == before {
        return Ok(());
    }
    let run = platform.run.as_ref().or(before.run.as_ref()).map(|run| run.id);
    for id in changed {
        write_node(tx, *id, fleet.nodes().get(*id))?;
    }
    if platform != before {
        write_platform(tx, platform)?;
        write_runs(tx, before, platform)?;
    }
    node_events::append(tx, fleet.shown(now), &recorded.facts)?;
    // Last, so that entries that are removed from a run are noted in its row.
    journal::append(tx, now, run, recorded)
}

/// Stores the platform itself.
fn write_platform(tx: &Transaction<'_>, platform: &Platform) -> Result<(), StoreError> {
    let body = serde_json::to_string(platform)?;
    tx.prepare_cached("INSERT OR REPLACE INTO platform (id, body) VALUES (1, ?1)")?.execute([body])?;
    Ok(())
}

fn write_node(tx: &Transaction<'_>, id: NodeId, node: Option<&Node>) -> Result<(), StoreError> {
    match node {
        Some(node) => {
            let body = serde_json::to_string(node)?;
            tx.prepare_cached("INSERT OR REPLACE INTO node (id, body) VALUES (?1, ?2)")?
                .execute(params![id.0, body])?;
        }
        None => {
            tx.prepare_cached("DELETE FROM node WHERE id = ?1")?.execute([id.0])?;
        }
    }
    Ok(())
}

fn write_runs(tx: &Transaction<'_>, before: &Platform, after: &Platform) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    if after.last_run != before.last_run {
        rows.extend(after.last_run.clone().map(|run| (run.id, StoredRun::Ended(run))));
    }
    if after.run != before.run {
        rows.extend(after.run.clone().map(|run| (run.id, StoredRun::UnderWay(run))));
    }
    for (id, run) in rows {
        let body = serde_json::to_string(&run)?;
        let sql = "INSERT INTO run (id, body) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET body = ?2";
        tx.prepare_cached(sql)?.execute(params![id.0, body])?;
    }
    match &after.run {
        Some(run) if before.run.as_ref().is_none_or(|before| before.id != run.id) => {
            journal::run_begins(tx, run.id)
        }
        Some(_) | None => Ok(()),
    }
}

/// Reads a small value that belongs to no table.
///
/// # Errors
/// The database reports an error.
pub fn read_meta(connection: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let value = connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    Ok(value)
}

/// Stores a small value that belongs to no table.
///
/// # Errors
/// The database reports an error.
pub fn write_meta(tx: &Transaction<'_>, key: &str, value: &str) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?.execute([key, value])?;
    Ok(())
}

/// The stored time of a commit.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredTime {
    Stamp(Stamp),
    /// By release 34, which did not read the machine's uptime.
    Pair(Time, Wall),
}

/// The time of the last commit, with the machine's clocks at that moment.
///
/// # Errors
/// The row cannot be read.
pub fn stored_time(connection: &Connection) -> Result<Option<Stamp>, StoreError> {
    let stored = read_meta(connection, "time")?.map(|text| serde_json::from_str(&text)).transpose()?;
    Ok(stored.map(|stored| match stored {
        StoredTime::Stamp(stamp) => stamp,
        StoredTime::Pair(now, wall) => {
            let (boot, uptime, trust) = (String::new(), Span::ZERO, Trust::Unknown);
            Stamp { now, readings: Readings { wall, boot, uptime, trust } }
        }
    }))
}

/// Stores the time of this commit.
///
/// # Errors
/// The database reports an error.
pub fn mark_time(tx: &Transaction<'_>, stamp: &Stamp) -> Result<(), StoreError> {
    write_meta(tx, "time", &serde_json::to_string(stamp)?)
}
