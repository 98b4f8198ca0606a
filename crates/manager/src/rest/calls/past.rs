//! The lists and objects of past calls. The store filters and orders them.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::Value;
use uuid::Uuid;

use crate::resources::history::calls::{CONFERENCE, PARTICIPANT};
use crate::resources::query::{self, Query};
use crate::resources::{ID, Resource};
use crate::rest::Api;
use crate::rest::error::Refusal;
use crate::rest::json::Json;
use crate::rest::list::{envelope, selected};
use crate::rest::request::{PathId, QueryPairs};
use crate::rest::route::both;
use crate::store::{Connection, StoreError, objects, past_calls};

const CONFERENCES: &str = "/api/admin/history/v1/conference/";
const PARTICIPANTS: &str = "/api/admin/history/v1/participant/";

/// The filters of participants whose value names a conference.
const OF_CONFERENCE: [&str; 2] = ["conference", "conference__exact"];

pub(super) fn routes() -> Router<Api> {
    both(CONFERENCES, get(conferences))
        .merge(both(&format!("{CONFERENCES}{{id}}/"), get(conference).delete(delete_conference)))
        .merge(both(PARTICIPANTS, get(participants)))
        .merge(both(&format!("{PARTICIPANTS}{{id}}/"), get(participant)))
        .merge(both(&format!("{PARTICIPANTS}{{id}}/media_stream/"), get(media_streams)))
}

async fn conferences(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    list(&api, &CONFERENCE, &query, name_participants).await
}

async fn conference(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    detail(&api, &CONFERENCE, id.id("conference")?, name_participants).await.map(Json)
}

/// Deletes a conference with its participants.
async fn delete_conference(State(api): State<Api>, id: PathId) -> Result<StatusCode, Refusal> {
    let id: Uuid = id.id("conference")?;
    let delete = move |tx: &crate::store::Transaction<'_>| past_calls::delete_conference(tx, &id.to_string());
    let is_deleted = api.committer().store().write::<_, StoreError>(delete).await?;
    is_deleted.then_some(StatusCode::NO_CONTENT).ok_or_else(|| Refusal::no_such("conference", id))
}

async fn participants(
    State(api): State<Api>,
    QueryPairs(mut query): QueryPairs,
) -> Result<Json<Value>, Refusal> {
    let of_conference = query.iter_mut().filter(|(key, _)| OF_CONFERENCE.contains(&key.as_str()));
    of_conference.for_each(|(_, value)| *value = last_segment(value).to_lowercase());
    list(&api, &PARTICIPANT, &query, name_conference).await
}

async fn participant(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    detail(&api, &PARTICIPANT, id.id("participant")?, name_conference).await.map(Json)
}

/// A participant has one stream, and none if it was not counted.
async fn media_streams(
    State(api): State<Api>,
    id: PathId,
    QueryPairs(query): QueryPairs,
) -> Result<Json<Value>, Refusal> {
    let id: Uuid = id.id("participant")?;
    let mut participant = detail(&api, &PARTICIPANT, id, |_, _| Ok(())).await?;
    let rows = match participant["media_streams"].take() {
        Value::Array(rows) => rows,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => Vec::new(),
    };
    selected(&format!("{PARTICIPANTS}{id}/media_stream/"), &[], &query, rows).map(Json)
}

/// What is added to objects as they were stored.
type Complete = fn(&Connection, &mut [Value]) -> Result<(), StoreError>;

async fn list(
    api: &Api,
    of: &'static Resource,
    pairs: &[(String, String)],
    complete: Complete,
) -> Result<Json<Value>, Refusal> {
    let asked = query::read(of, pairs)?;
    let Query { limit, offset, .. } = asked;
    let _turn = api.lists.acquire().await;
    let read = move |connection: &Connection| {
        objects::in_one_state(connection, |connection| {
            let (total, mut objects) = objects::select_shown(connection, of, &asked)?;
            complete(connection, &mut objects)?;
            Ok((total, objects))
        })
    };
    let (total, objects) = api.committer().store().read::<_, StoreError>(read).await?;
    Ok(Json(envelope(&of.path(), pairs, (limit, offset), total, objects)))
}

async fn detail(api: &Api, of: &'static Resource, id: Uuid, complete: Complete) -> Result<Value, Refusal> {
    let read = move |connection: &Connection| {
        let mut found = objects::find_shown(connection, of, &id.to_string())?;
        complete(connection, found.as_mut_slice())?;
        Ok(found)
    };
    let found = api.committer().store().read::<_, StoreError>(read).await?;
    found.ok_or_else(|| Refusal::no_such(of.name, id))
}

/// Adds the URIs of their participants to conferences.
fn name_participants(connection: &Connection, conferences: &mut [Value]) -> Result<(), StoreError> {
    let ids: Vec<&str> = conferences.iter().filter_map(|conference| conference[ID.name].as_str()).collect();
    let mut of = past_calls::participants_of(connection, &ids)?;
    for conference in conferences {
        let participants = conference[ID.name].as_str().and_then(|id| of.remove(id)).unwrap_or_default();
        let uris = participants.into_iter().map(|id| Value::from(format!("{PARTICIPANTS}{id}/")));
        conference["participants"] = uris.collect();
    }
    Ok(())
}

/// Replaces the identifier of the conference by its URI.
fn name_conference(_: &Connection, participants: &mut [Value]) -> Result<(), StoreError> {
    for participant in participants {
        let id = participant["conference"].as_str().unwrap_or_default();
        participant["conference"] = format!("{CONFERENCES}{id}/").into();
    }
    Ok(())
}

fn last_segment(uri: &str) -> &str {
    uri.trim_end_matches('/').rsplit('/').next().unwrap_or(uri)
}
