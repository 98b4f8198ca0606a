//! The conferences and participants that are over. Written many at a time, by `driver`; how many are kept is decided here.

use std::collections::BTreeMap;

use fleet::time::Wall;
use rusqlite::{Connection, Row, Transaction, params};
use uuid::Uuid;

use super::{StoreError, locations, signed};
use crate::calls::{ConferenceKey, Past, PastConference, PastParticipant};
use crate::view::{PastParticipantBody, Place, Places};

/// How many conferences are kept, as by the compatible API.
const CONFERENCES: i64 = 10_000;

/// How many participants are kept: ten for each conference, of some 800 bytes, which is 80 MB to be copied at every
/// upgrade of the Management Node.
const PARTICIPANTS: i64 = 100_000;

/// Stores what is over, and deletes the oldest of what is more than is kept.
///
/// # Errors
/// The database reports an error.
pub(crate) fn write(tx: &Transaction<'_>, past: &[Past]) -> Result<(), StoreError> {
    let places: Places = locations::places(tx)?
        .into_iter()
        .map(|(node, (address, location))| (node, Place { address, location }))
        .collect();
    let nowhere = Place::default();
    for past in past {
        match past {
            Past::Participant(past) => {
                write_participant(tx, past, places.get(&past.node).unwrap_or(&nowhere))?;
            }
            Past::Conference(past) => write_conference(tx, past)?,
        }
    }
    cut(tx, CONFERENCES, PARTICIPANTS)
}

/// One that was taken for over and was not has its later end.
fn write_participant(tx: &Transaction<'_>, past: &PastParticipant, place: &Place) -> Result<(), StoreError> {
    let PastParticipant { last, node: _, conference, start, end, why: _ } = past;
    let body = serde_json::to_string(&PastParticipantBody::new(past, place))?;
    let sql = "INSERT INTO past_participant
                   (id, conference, conference_name, conference_began, start_time, end_time, duration, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (id) DO UPDATE SET conference = ?2, conference_name = ?3, conference_began = ?4,
                   end_time = ?6, duration = ?7, body = ?8";
    tx.prepare_cached(sql)?.execute(params![
        last.reported.id.to_string(),
        conference.id.to_string(),
        last.reported.room,
        milliseconds(conference.began),
        milliseconds(*start),
        milliseconds(*end),
        seconds(*start, *end),
        body,
    ])?;
    Ok(())
}

fn write_conference(tx: &Transaction<'_>, past: &PastConference) -> Result<(), StoreError> {
    let PastConference { room, key: ConferenceKey { id, began }, end } = past;
    let sql = "INSERT INTO past_conference (id, name, start_time, end_time, duration, participant_count)
               SELECT ?1, ?2, ?3, ?4, ?5, (SELECT count(*) FROM past_participant WHERE conference = ?1)
               WHERE true
               ON CONFLICT (id) DO UPDATE SET end_time = ?4, duration = ?5,
                   participant_count = excluded.participant_count";
    tx.prepare_cached(sql)?.execute(params![
        id.to_string(),
        room,
        milliseconds(*began),
        milliseconds(*end),
        seconds(*began, *end)
    ])?;
    Ok(())
}

fn milliseconds(at: Wall) -> i64 {
    signed(at.0)
}

fn seconds(from: Wall, to: Wall) -> i64 {
    signed(to.0.saturating_sub(from.0) / 1_000)
}

/// Keeps the latest conferences with their participants, and of all participants the latest.
fn cut(tx: &Transaction<'_>, conferences: i64, participants: i64) -> Result<(), StoreError> {
    if let Some(last) = beyond(tx, "past_conference", conferences)? {
        let sql = "DELETE FROM past_participant
                   WHERE conference IN (SELECT id FROM past_conference WHERE seq <= ?1)";
        tx.prepare_cached(sql)?.execute([last])?;
        tx.prepare_cached("DELETE FROM past_conference WHERE seq <= ?1")?.execute([last])?;
    }
    if let Some(last) = beyond(tx, "past_participant", participants)? {
        tx.prepare_cached("DELETE FROM past_participant WHERE seq <= ?1")?.execute([last])?;
    }
    Ok(())
}

/// The latest row of a table that is not kept when so many are at most. Counted by the numbers of rows, which takes no
/// time: what was deleted by hand counts as kept.
fn beyond(tx: &Transaction<'_>, table: &str, kept: i64) -> Result<Option<i64>, StoreError> {
    let sql = format!("SELECT max(seq) - ?1 FROM {table}");
    let last: Option<i64> = tx.prepare_cached(&sql)?.query_row([kept], |row| row.get(0))?;
    Ok(last.filter(|last| *last > 0))
}

/// The conferences that are not over as far as the store knows: those that past participants name and that are not there.
///
/// # Errors
/// The database reports an error.
pub(crate) fn open_conferences(connection: &Connection) -> Result<Vec<PastConference>, StoreError> {
    let sql = "SELECT conference, conference_name, conference_began, max(end_time) FROM past_participant
               WHERE conference NOT IN (SELECT id FROM past_conference) GROUP BY conference ORDER BY min(seq)";
    let mut statement = connection.prepare(sql)?;
    let moment = |at: i64| Wall(u64::try_from(at).unwrap_or(0));
    let read = |row: &Row<'_>| {
        let id: String = row.get(0)?;
        let (room, began, end) = (row.get(1)?, moment(row.get(2)?), moment(row.get(3)?));
        Ok(PastConference { room, key: ConferenceKey { id: id.parse().unwrap_or(Uuid::nil()), began }, end })
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// The participants of conferences, by their ids, in the order in which they left.
///
/// # Errors
/// The database reports an error.
pub(crate) fn participants_of(
    connection: &Connection,
    conferences: &[&str],
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let sql = "SELECT conference, id FROM past_participant
               WHERE conference IN (SELECT value FROM json_each(?1)) ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([serde_json::to_string(conferences)?])?;
    let mut all = BTreeMap::<String, Vec<String>>::new();
    while let Some(row) = rows.next()? {
        all.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(all)
}

/// Deletes a conference with its participants; false when there is none.
///
/// # Errors
/// The database reports an error.
pub(crate) fn delete_conference(tx: &Transaction<'_>, id: &str) -> Result<bool, StoreError> {
    if tx.prepare_cached("DELETE FROM past_conference WHERE id = ?1")?.execute([id])? == 0 {
        return Ok(false);
    }
    tx.prepare_cached("DELETE FROM past_participant WHERE conference = ?1")?.execute([id])?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use fleet::node::NodeId;
    use wire::live::Departure;

    use super::*;
    use crate::calls::{LiveParticipant, participant_for_tests};

    fn key(conference: u128) -> ConferenceKey {
        ConferenceKey { id: Uuid::from_u128(conference), began: Wall(1_000) }
    }

    fn participant(id: u128, conference: u128, end: u64) -> Past {
        let last = LiveParticipant {
            reported: participant_for_tests(id),
            joined_at: Some(Wall(2_000)),
            conference_began: Wall(1_000),
            statistics: None,
        };
        let (start, end, why) = (Wall(2_000), Wall(end), Some(Departure::HungUp));
        Past::Participant(Box::new(PastParticipant {
            last,
            node: NodeId(1),
            conference: key(conference),
            start,
            end,
            why,
        }))
    }

    fn conference(id: u128, end: u64) -> Past {
        Past::Conference(PastConference { room: "standup".into(), key: key(id), end: Wall(end) })
    }

    fn store() -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let connection = super::super::open(&dir.path().join("store.db"), &mut || {}).unwrap();
        (dir, connection)
    }

    fn ids(tx: &Transaction<'_>, table: &str) -> Vec<u128> {
        let mut statement = tx.prepare(&format!("SELECT id FROM {table} ORDER BY seq")).unwrap();
        let ids = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        ids.map(|id| id.unwrap().parse::<Uuid>().unwrap().as_u128()).collect()
    }

    #[test]
    fn latest_conferences_are_kept_with_their_participants() {
        let (_dir, mut connection) = store();
        let tx = connection.transaction().unwrap();
        for id in 1..=4 {
            write(
                &tx,
                &[
                    participant(10 * id, id, 9_000),
                    participant(10 * id + 1, id, 9_000),
                    conference(id, 9_000),
                ],
            )
            .unwrap();
        }
        write(&tx, &[participant(50, 5, 9_000)]).unwrap();
        cut(&tx, 2, 100).unwrap();
        assert_eq!(ids(&tx, "past_conference"), [3, 4]);
        assert_eq!(ids(&tx, "past_participant"), [30, 31, 40, 41, 50], "one of them is not over");
        cut(&tx, 2, 3).unwrap();
        assert_eq!((ids(&tx, "past_conference").len(), ids(&tx, "past_participant")), (2, vec![40, 41, 50]));
    }

    #[test]
    fn conference_that_past_participants_name_and_that_is_not_there_is_not_over() {
        let (_dir, mut connection) = store();
        let tx = connection.transaction().unwrap();
        write(
            &tx,
            &[
                participant(1, 7, 4_000),
                participant(2, 7, 6_000),
                participant(3, 8, 5_000),
                conference(8, 5_000),
            ],
        )
        .unwrap();
        let open = PastConference { room: "standup".into(), key: key(7), end: Wall(6_000) };
        assert_eq!(open_conferences(&tx).unwrap(), [open]);
        write(&tx, &[conference(7, 6_000)]).unwrap();
        assert_eq!(open_conferences(&tx).unwrap(), []);
    }

    #[test]
    fn participant_that_comes_back_after_it_was_taken_for_over_is_one_with_its_later_end() {
        let (_dir, mut connection) = store();
        let tx = connection.transaction().unwrap();
        write(&tx, &[participant(1, 7, 4_000), conference(7, 4_000)]).unwrap();
        write(&tx, &[participant(1, 7, 8_000), participant(2, 7, 8_000), conference(7, 8_000)]).unwrap();
        let of = |sql: &str| -> Vec<(i64, i64)> {
            let mut statement = tx.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        assert_eq!(of("SELECT end_time, duration FROM past_participant"), [(8_000, 6), (8_000, 6)]);
        assert_eq!(of("SELECT participant_count, duration FROM past_conference"), [(2, 7)]);
    }
}
