//! The Virtual Meeting Rooms as they are stored, with a revision that names them.

use rusqlite::Connection;
use sha2::{Digest as _, Sha256};
use wire::{Configuration, Room};

use super::StoreError;

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
    Ok(Configuration { revision: revision(&rooms), rooms })
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

/// The revision of these rooms: the beginning of their hash. A Management Node that is restored to an earlier time (R20) goes
/// on to other rooms than it had; a number that it counts up would come to name both, and a node with the first ones would
/// keep them.
fn revision(rooms: &[Room]) -> u64 {
    let mut hash = Sha256::new();
    for room in rooms {
        hash.update(room.aliases.len().to_be_bytes());
        for text in [&room.name].into_iter().chain(&room.aliases) {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
    }
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = hash.finalize().into();
    // No rooms at all have a revision as well: 0 is that of a node that has received none.
    u64::from_be_bytes([a, b, c, d, e, f, g, h]).max(1)
}
