//! `configuration/v1/conference/`: Virtual Meeting Rooms, with their aliases nested.
//!
//! Every change raises the revision of the configuration, and the nodes receive it at once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::{Map, Value, json};

use super::Api;
use super::conference_alias::{self, Alias, aliases_of, all_aliases};
use super::error::{Kind, Refusal};
use super::fields::{Draft, Shape};
use super::list::{Listed, page};
use super::request::{Fields, PathId, QueryPairs};
use super::route::both;
use super::rows::{created, number};
use super::typed::Type;

/// The path of the list.
pub(crate) const LIST: &str = "/api/admin/configuration/v1/conference/";

const RESOURCE: &str = "conference";
const LISTED: Listed = Listed {
    path: LIST,
    filters: &[
        ("id", Type::Number),
        ("name", Type::Text),
        ("description", Type::Text),
        ("service_type", Type::Text),
    ],
};

/// The only service type of Pitlane; the compatible API has more, such as lectures.
const SERVICE_TYPES: [&str; 1] = ["conference"];

/// How many aliases one room may have: far more than numbers and names in a few languages.
const ALIASES: usize = 250;

/// How many bytes all names and aliases may have, with [`BYTES_BESIDE`] for each. The nodes receive all of
/// them in one message of at most `wire::SYNC_BYTES`, in which a byte may take two.
const CONFIGURATION_BYTES: i64 = (wire::SYNC_BYTES / 2 - (256 << 10)) as i64;

/// Bytes of a message beside each name or alias.
const BYTES_BESIDE: i64 = 32;

struct Room {
    name: String,
    description: String,
}

pub(super) fn routes() -> Router<Api> {
    both(LIST, get(list).post(create))
        .merge(both(&format!("{LIST}{{id}}/"), get(detail).put(put).patch(patch).delete(remove)))
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let read = |connection: &Connection| {
        let mut aliases = all_aliases(connection)?;
        let mut statement =
            connection.prepare_cached("SELECT id, name, description FROM conference ORDER BY id")?;
        let rooms = statement.query_map([], raw)?;
        let shown = |(id, room): (i64, Room)| shown(id, &room, &aliases.remove(&id).unwrap_or_default());
        Ok::<_, Refusal>(rooms.collect::<Result<Vec<_>, _>>()?.into_iter().map(shown).collect())
    };
    page(LISTED, &query, api.committer().store().read(read).await?).map(Json)
}

async fn detail(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let id: i64 = id.id(RESOURCE)?;
    let read = move |connection: &Connection| {
        let room = find(connection, id)?;
        Ok::<_, Refusal>(shown(id, &room, &aliases_of(connection, id)?))
    };
    api.committer().store().read(read).await.map(Json)
}

async fn create(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    let write = move |tx: &Transaction<'_>| {
        let (room, aliases) = read(tx, &body, None)?;
        tx.execute(
            "INSERT INTO conference (name, description) VALUES (?1, ?2)",
            params![room.name, room.description],
        )?;
        let id = tx.last_insert_rowid();
        conference_alias::replace(tx, id, &aliases.unwrap_or_default())?;
        check_configuration_size(tx)?;
        Ok::<_, Refusal>(id)
    };
    Ok(created(LIST, api.committer().change_rooms(write).await?))
}

async fn put(api: State<Api>, id: PathId, body: Fields) -> Result<StatusCode, Refusal> {
    update(api, id, body).await.map(|()| StatusCode::NO_CONTENT)
}

async fn patch(api: State<Api>, id: PathId, body: Fields) -> Result<StatusCode, Refusal> {
    update(api, id, body).await.map(|()| StatusCode::ACCEPTED)
}

async fn update(State(api): State<Api>, id: PathId, Fields(body): Fields) -> Result<(), Refusal> {
    let id: i64 = id.id(RESOURCE)?;
    let write = move |tx: &Transaction<'_>| {
        let kept = find(tx, id)?;
        let (room, aliases) = read(tx, &body, Some((id, &kept)))?;
        tx.execute(
            "UPDATE conference SET name = ?2, description = ?3 WHERE id = ?1",
            params![id, room.name, room.description],
        )?;
        if let Some(aliases) = aliases {
            conference_alias::replace(tx, id, &aliases)?;
        }
        check_configuration_size(tx)
    };
    api.committer().change_rooms(write).await
}

async fn remove(State(api): State<Api>, id: PathId) -> Result<StatusCode, Refusal> {
    let id: i64 = id.id(RESOURCE)?;
    let write = move |tx: &Transaction<'_>| match tx.execute("DELETE FROM conference WHERE id = ?1", [id])? {
        0 => Err(Refusal::no_such(RESOURCE, id)),
        _ => Ok(()),
    };
    api.committer().change_rooms(write).await.map(|()| StatusCode::NO_CONTENT)
}

/// Reads a room from a request, with the stored values as defaults; its aliases only when the request names
/// them.
fn read(
    tx: &Transaction<'_>,
    body: &Map<String, Value>,
    kept: Option<(i64, &Room)>,
) -> Result<(Room, Option<Vec<Alias>>), Refusal> {
    let mut draft = Draft::of(body);
    let room = Room {
        name: draft.text("name", Shape::Name(250), kept.map(|(_, kept)| kept.name.as_str())),
        description: draft.text(
            "description",
            Shape::Text(250),
            Some(kept.map_or("", |(_, kept)| kept.description.as_str())),
        ),
    };
    draft.choice("service_type", &SERVICE_TYPES, SERVICE_TYPES[0]);
    let own = kept.map_or(0, |(id, _)| id);
    let same = "SELECT id FROM conference WHERE name = ?1 AND id <> ?2";
    if number(tx, same, &[&room.name, &own])?.is_some() {
        draft.errors.add("name", "A Virtual Meeting Room with this name exists already.");
    }
    let aliases = match draft.given("aliases") {
        None => None,
        Some(Value::Array(given)) if given.len() <= ALIASES => {
            Some(conference_alias::read_nested(tx, own, given, &mut draft.errors)?)
        }
        Some(_) => {
            draft.errors.add("aliases", format!("Enter a list of at most {ALIASES} aliases."));
            None
        }
    };
    draft.errors.into_result(RESOURCE)?;
    Ok((room, aliases))
}

/// Refuses a change after which the configuration would not fit a message to the nodes.
pub(crate) fn check_configuration_size(tx: &Transaction<'_>) -> Result<(), Refusal> {
    let bytes = number(
        tx,
        "SELECT (SELECT coalesce(sum(length(CAST(name AS BLOB)) + ?1), 0) FROM conference)
              + (SELECT coalesce(sum(length(CAST(alias AS BLOB)) + ?1), 0) FROM conference_alias)",
        &[&BYTES_BESIDE],
    )?;
    if bytes.unwrap_or(0) <= CONFIGURATION_BYTES {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::Conflict,
        format!(
            "names and aliases of all Virtual Meeting Rooms would take more than {CONFIGURATION_BYTES} bytes"
        ),
        "delete rooms or aliases that are not in use",
    ))
}

fn find(connection: &Connection, id: i64) -> Result<Room, Refusal> {
    let sql = "SELECT id, name, description FROM conference WHERE id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([id], raw).optional()?;
    found.map(|(_, room)| room).ok_or_else(|| Refusal::no_such(RESOURCE, id))
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(i64, Room)> {
    Ok((row.get(0)?, Room { name: row.get(1)?, description: row.get(2)? }))
}

fn shown(id: i64, room: &Room, aliases: &[Alias]) -> Value {
    json!({
        "id": id,
        "name": room.name,
        "description": room.description,
        "service_type": SERVICE_TYPES[0],
        "aliases": aliases.iter().map(Alias::shown).collect::<Vec<_>>(),
        "resource_uri": format!("{LIST}{id}/"),
    })
}
