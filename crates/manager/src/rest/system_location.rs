//! `configuration/v1/system_location/`: the named places of nodes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use rusqlite::{Connection, Row, Transaction, params};
use serde_json::{Map, Value, json};

use super::Api;
use super::error::{FieldErrors, Kind, Refusal};
use super::fields::{Draft, Shape};
use super::list::{Listed, page};
use super::request::{Fields, PathId, QueryPairs};
use super::route::both;
use super::rows::{OBJECTS, created, number};
use super::typed::Type;

/// The path of the list.
pub(crate) const LIST: &str = "/api/admin/configuration/v1/system_location/";

const RESOURCE: &str = "system_location";
const LISTED: Listed = Listed { path: LIST, filters: &[("name", Type::Text), ("description", Type::Text)] };

struct Location {
    name: String,
    description: String,
}

pub(super) fn routes() -> Router<Api> {
    both(LIST, get(list).post(create))
        .merge(both(&format!("{LIST}{{id}}/"), get(detail).put(put).patch(patch).delete(remove)))
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let read = |connection: &Connection| {
        let mut statement =
            connection.prepare_cached("SELECT id, name, description FROM system_location ORDER BY id")?;
        let objects = statement.query_map([], object)?.collect::<Result<_, _>>()?;
        Ok::<_, Refusal>(objects)
    };
    page(LISTED, &query, api.committer().store().read(read).await?).map(Json)
}

async fn detail(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let id: i64 = id.id(RESOURCE)?;
    let read = move |connection: &Connection| {
        let found = connection
            .prepare_cached("SELECT id, name, description FROM system_location WHERE id = ?1")?
            .query_row([id], object);
        found.map_err(|cause| missing(cause, id))
    };
    api.committer().store().read(read).await.map(Json)
}

async fn create(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    let write = move |tx: &Transaction<'_>| {
        if number(tx, "SELECT count(*) FROM system_location", &[])? >= Some(OBJECTS) {
            return Err(full());
        }
        let location = read(tx, &body, None)?;
        tx.execute(
            "INSERT INTO system_location (name, description) VALUES (?1, ?2)",
            params![location.name, location.description],
        )?;
        Ok(tx.last_insert_rowid())
    };
    let id = api.committer().store().write(write).await?;
    Ok(created(LIST, id))
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
        let kept = tx
            .query_row("SELECT name, description FROM system_location WHERE id = ?1", [id], |row| {
                Ok(Location { name: row.get(0)?, description: row.get(1)? })
            })
            .map_err(|cause| missing(cause, id))?;
        let location = read(tx, &body, Some((id, &kept)))?;
        tx.execute(
            "UPDATE system_location SET name = ?2, description = ?3 WHERE id = ?1",
            params![id, location.name, location.description],
        )?;
        Ok::<_, Refusal>(())
    };
    api.committer().store().write(write).await
}

async fn remove(State(api): State<Api>, id: PathId) -> Result<StatusCode, Refusal> {
    let id: i64 = id.id(RESOURCE)?;
    let write = move |tx: &Transaction<'_>| {
        let nodes = number(tx, "SELECT count(*) FROM worker_vm WHERE system_location = ?1", &[&id])?;
        if nodes > Some(0) {
            return Err(in_use(nodes.unwrap_or(0)));
        }
        match tx.execute("DELETE FROM system_location WHERE id = ?1", [id])? {
            0 => Err(Refusal::no_such(RESOURCE, id)),
            _ => Ok(()),
        }
    };
    api.committer().store().write(write).await.map(|()| StatusCode::NO_CONTENT)
}

fn read(
    tx: &Transaction<'_>,
    body: &Map<String, Value>,
    kept: Option<(i64, &Location)>,
) -> Result<Location, Refusal> {
    let mut draft = Draft::of(body);
    let location = Location {
        name: draft.text("name", Shape::Name(250), kept.map(|(_, kept)| kept.name.as_str())),
        description: draft.text(
            "description",
            Shape::Text(250),
            Some(kept.map_or("", |(_, kept)| kept.description.as_str())),
        ),
    };
    let own = kept.map_or(0, |(id, _)| id);
    unique(tx, &location, own, &mut draft.errors)?;
    draft.errors.into_result(RESOURCE)?;
    Ok(location)
}

fn unique(
    tx: &Transaction<'_>,
    location: &Location,
    own: i64,
    errors: &mut FieldErrors,
) -> Result<(), Refusal> {
    let same = "SELECT id FROM system_location WHERE name = ?1 AND id <> ?2";
    if number(tx, same, &[&location.name, &own])?.is_some() {
        errors.add("name", "A system location with this name exists already.");
    }
    Ok(())
}

fn object(row: &Row<'_>) -> rusqlite::Result<Value> {
    let (id, name, description): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let uri = format!("{LIST}{id}/");
    Ok(json!({"id": id, "name": name, "description": description, "resource_uri": uri}))
}

fn missing(cause: rusqlite::Error, id: i64) -> Refusal {
    if cause == rusqlite::Error::QueryReturnedNoRows { Refusal::no_such(RESOURCE, id) } else { cause.into() }
}

fn full() -> Refusal {
    Refusal::new(
        Kind::Conflict,
        format!("there are {OBJECTS} objects of this kind, no more are allowed"),
        "delete those that are not in use",
    )
}

fn in_use(nodes: i64) -> Refusal {
    Refusal::new(
        Kind::Conflict,
        format!("{nodes} Conferencing Nodes are in this system location"),
        "move or remove these nodes first",
    )
}
