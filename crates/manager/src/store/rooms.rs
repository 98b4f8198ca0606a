//! The Virtual Meeting Rooms as they are stored, with a revision that rises with every change.

use rusqlite::{Connection, Transaction};
use wire::{Configuration, Room};

use super::{StoreError, read_meta, write_meta};

/// Where the revision is stored.
const REVISION: &str = "configuration_revision";

/// The configuration after a change that is about to be committed.
#[derive(Debug)]
pub struct RoomsChanged {
    /// What every node is sent.
    pub(crate) configuration: Configuration,
}

impl RoomsChanged {
    /// Raises the revision.
    pub(crate) fn mark(tx: &Transaction<'_>) -> Result<Self, StoreError> {
        let revision = read_revision(tx)? + 1;
        write_meta(tx, REVISION, &revision.to_string())?;
        Ok(Self { configuration: read_rooms(tx)? })
    }
}

/// Reads the rooms as they are stored.
///
/// # Errors
/// The database reports an error.
pub fn read_rooms(connection: &Connection) -> Result<Configuration, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT conference.id, conference.name, conference_alias.alias FROM conference
         LEFT JOIN conference_alias ON conference_alias.conference = conference.id
         ORDER BY conference.id, conference_alias.id",
    )?;
    let mut rows = statement.query([])?;
    let (mut rooms, mut last) = (Vec::<Room>::new(), None::<i64>);
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        if last.replace(id) != Some(id) {
            rooms.push(Room { name: row.get(1)?, aliases: Vec::new() });
        }
        if let (Some(alias), Some(room)) = (row.get(2)?, rooms.last_mut()) {
            room.aliases.push(alias);
        }
    }
    Ok(Configuration { revision: read_revision(connection)?, rooms })
}

/// How many bytes all names and aliases have, with `beside` for each.
///
/// # Errors
/// The database reports an error.
pub(crate) fn room_bytes(connection: &Connection, beside: i64) -> Result<i64, StoreError> {
    let sql = "SELECT (SELECT coalesce(sum(length(CAST(name AS BLOB)) + ?1), 0) FROM conference)
        + (SELECT coalesce(sum(length(CAST(alias AS BLOB)) + ?1), 0) FROM conference_alias)";
    Ok(connection.prepare_cached(sql)?.query_row([beside], |row| row.get(0))?)
}

fn read_revision(connection: &Connection) -> Result<u64, StoreError> {
    Ok(read_meta(connection, REVISION)?.and_then(|text| text.parse().ok()).unwrap_or(1))
}
