//! `configuration/v1/conference_alias/`: what can be dialled to reach a Virtual Meeting Room. An alias is
//! unique on the platform, whatever its case.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::{Map, Value, json};

use super::Api;
use super::conference;
use super::error::{FieldErrors, Refusal};
use super::fields::{Draft, Shape, validate};
use super::list::{Listed, page};
use super::request::{Fields, PathId, QueryPairs};
use super::route::both;
use super::rows::{created, number};
use super::typed::Type;

/// The path of the list.
const LIST: &str = "/api/admin/configuration/v1/conference_alias/";

const RESOURCE: &str = "conference_alias";
const LISTED: Listed = Listed {
    path: LIST,
    filters: &[
        ("id", Type::Number),
        ("alias", Type::Text),
        ("conference", Type::Relation),
        ("description", Type::Text),
    ],
};

const TAKEN: &str = "This alias is in use already.";

/// An alias; its id is 0 when it is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    id: i64,
    alias: String,
    conference: i64,
    description: String,
}

impl Alias {
    /// The object in an answer.
    pub(crate) fn shown(&self) -> Value {
        let Self { id, alias, conference, description } = self;
        json!({
            "id": id,
            "alias": alias,
            "conference": format!("{}{conference}/", conference::LIST),
            "description": description,
            "resource_uri": format!("{LIST}{id}/"),
        })
    }
}

pub(super) fn routes() -> Router<Api> {
    both(LIST, get(list).post(create))
        .merge(both(&format!("{LIST}{{id}}/"), get(detail).put(put).patch(patch).delete(remove)))
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let read = |connection: &Connection| select(connection, "ORDER BY id", &[]);
    let aliases = api.committer().store().read(read).await?;
    page(LISTED, &query, aliases.iter().map(Alias::shown).collect()).map(Json)
}

async fn detail(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let id: i64 = id.id(RESOURCE)?;
    let alias = api.committer().store().read(move |connection| find(connection, id)).await?;
    Ok(Json(alias.shown()))
}

async fn create(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    let write = move |tx: &Transaction<'_>| {
        let alias = read(tx, &body, None)?;
        insert(tx, &alias)?;
        let id = tx.last_insert_rowid();
        conference::check_configuration_size(tx)?;
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
        let alias = read(tx, &body, Some(&kept))?;
        tx.execute(
            "UPDATE conference_alias SET alias = ?2, conference = ?3, description = ?4 WHERE id = ?1",
            params![id, alias.alias, alias.conference, alias.description],
        )?;
        conference::check_configuration_size(tx)
    };
    api.committer().change_rooms(write).await
}

async fn remove(State(api): State<Api>, id: PathId) -> Result<StatusCode, Refusal> {
    let id: i64 = id.id(RESOURCE)?;
    let write =
        move |tx: &Transaction<'_>| match tx.execute("DELETE FROM conference_alias WHERE id = ?1", [id])? {
            0 => Err(Refusal::no_such(RESOURCE, id)),
            _ => Ok(()),
        };
    api.committer().change_rooms(write).await.map(|()| StatusCode::NO_CONTENT)
}

fn read(tx: &Transaction<'_>, body: &Map<String, Value>, kept: Option<&Alias>) -> Result<Alias, Refusal> {
    let mut draft = Draft::of(body);
    let alias = Alias {
        id: kept.map_or(0, |kept| kept.id),
        alias: draft.text("alias", Shape::Name(250), kept.map(|kept| kept.alias.as_str())),
        conference: draft.relation("conference", conference::LIST, kept.map(|kept| kept.conference)),
        description: draft.text(
            "description",
            Shape::Text(250),
            Some(kept.map_or("", |kept| kept.description.as_str())),
        ),
    };
    let holder = holder_of(tx, &alias.alias)?;
    if holder.is_some_and(|(id, _)| id != alias.id) {
        draft.errors.add("alias", TAKEN);
    }
    let there = number(tx, "SELECT id FROM conference WHERE id = ?1", &[&alias.conference])?;
    if alias.conference != 0 && there.is_none() {
        draft.errors.add("conference", "There is no such Virtual Meeting Room.");
    }
    draft.errors.into_result(RESOURCE)?;
    Ok(alias)
}

/// The id and the room of the stored alias with the same text, whatever its case. The database ignores case
/// for ASCII only, so other texts are compared here.
fn holder_of(tx: &Transaction<'_>, alias: &str) -> Result<Option<(i64, i64)>, Refusal> {
    if alias.is_ascii() {
        let sql = "SELECT id, conference FROM conference_alias WHERE alias = ?1";
        let found = tx.prepare_cached(sql)?.query_row([alias], |row| Ok((row.get(0)?, row.get(1)?)));
        return Ok(found.optional()?);
    }
    let folded = alias.to_lowercase();
    let all = select(tx, "ORDER BY id", &[])?;
    Ok(all
        .iter()
        .find(|other| other.alias.to_lowercase() == folded)
        .map(|other| (other.id, other.conference)))
}

/// Reads the aliases in the request for a room: objects with `alias` and `description`.
pub(crate) fn read_nested(
    tx: &Transaction<'_>,
    room: i64,
    given: &[Value],
    errors: &mut FieldErrors,
) -> Result<Vec<Alias>, Refusal> {
    let mut aliases = Vec::new();
    let mut seen = BTreeSet::new();
    for given in given {
        match nested(room, given) {
            Err(message) => errors.add("aliases", message),
            Ok(alias) if !seen.insert(alias.alias.to_lowercase()) => {
                errors.add("aliases", format!("{}: {TAKEN}", alias.alias));
            }
            Ok(alias) => {
                let holder = holder_of(tx, &alias.alias)?;
                if holder.is_some_and(|(_, other)| other != room) {
                    errors.add("aliases", format!("{}: {TAKEN}", alias.alias));
                }
                aliases.push(Alias { id: holder.map_or(0, |(id, _)| id), ..alias });
            }
        }
    }
    Ok(aliases)
}

fn nested(conference: i64, given: &Value) -> Result<Alias, String> {
    let text = |field: &str| given.get(field).and_then(Value::as_str).map(str::trim);
    let alias = text("alias").or(given.as_str()).ok_or("Enter each alias as {\"alias\": text}.")?;
    let description = text("description").unwrap_or("");
    validate(alias, Shape::Name(250))?;
    validate(description, Shape::Text(250))?;
    Ok(Alias { id: 0, alias: alias.into(), conference, description: description.into() })
}

/// Replaces the aliases of a room. Those that stay keep their ids.
pub(crate) fn replace(tx: &Transaction<'_>, room: i64, aliases: &[Alias]) -> Result<(), Refusal> {
    let kept: BTreeSet<i64> = aliases.iter().map(|alias| alias.id).collect();
    for old in aliases_of(tx, room)? {
        if !kept.contains(&old.id) {
            tx.execute("DELETE FROM conference_alias WHERE id = ?1", [old.id])?;
        }
    }
    for alias in aliases {
        let Alias { id, alias: text, conference: _, description } = alias;
        if *id == 0 {
            insert(tx, &Alias { conference: room, ..alias.clone() })?;
        } else {
            let sql = "UPDATE conference_alias SET alias = ?2, description = ?3 WHERE id = ?1";
            tx.execute(sql, params![id, text, description])?;
        }
    }
    Ok(())
}

fn insert(tx: &Transaction<'_>, alias: &Alias) -> Result<(), Refusal> {
    tx.execute(
        "INSERT INTO conference_alias (alias, conference, description) VALUES (?1, ?2, ?3)",
        params![alias.alias, alias.conference, alias.description],
    )?;
    Ok(())
}

/// The aliases of one room.
pub(crate) fn aliases_of(connection: &Connection, room: i64) -> Result<Vec<Alias>, Refusal> {
    select(connection, "WHERE conference = ?1 ORDER BY id", &[&room])
}

/// The aliases of all rooms.
pub(crate) fn all_aliases(connection: &Connection) -> Result<BTreeMap<i64, Vec<Alias>>, Refusal> {
    let mut rooms = BTreeMap::<i64, Vec<Alias>>::new();
    for alias in select(connection, "ORDER BY id", &[])? {
        rooms.entry(alias.conference).or_default().push(alias);
    }
    Ok(rooms)
}

fn find(connection: &Connection, id: i64) -> Result<Alias, Refusal> {
    let mut found = select(connection, "WHERE id = ?1", &[&id])?;
    found.pop().ok_or_else(|| Refusal::no_such(RESOURCE, id))
}

fn select(
    connection: &Connection,
    which: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> Result<Vec<Alias>, Refusal> {
    let sql = format!("SELECT id, alias, conference, description FROM conference_alias {which}");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_map(parameters, raw)?.collect::<Result<_, _>>()?)
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Alias> {
    Ok(Alias { id: row.get(0)?, alias: row.get(1)?, conference: row.get(2)?, description: row.get(3)? })
}
