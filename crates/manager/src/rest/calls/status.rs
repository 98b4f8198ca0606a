//! The lists and objects of live calls. They only read.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::places;
use crate::calls::NodeParticipants;
use crate::resources::status::calls::{CONFERENCE, CONFERENCE_SHARD, PARTICIPANT};
use crate::rest::Api;
use crate::rest::error::Refusal;
use crate::rest::json::Json;
use crate::rest::list::{page, selected};
use crate::rest::request::{PathId, QueryPairs};
use crate::rest::route::both;
use crate::view::{ConferenceRow, ConferenceShardRow, MediaStreamRow, ParticipantRow, Place, Places};

const CONFERENCES: &str = "/api/admin/status/v1/conference/";
const SHARDS: &str = "/api/admin/status/v1/conference_shard/";
const PARTICIPANTS: &str = "/api/admin/status/v1/participant/";

pub(super) fn routes() -> Router<Api> {
    both(CONFERENCES, get(conferences))
        .merge(both(&format!("{CONFERENCES}{{id}}/"), get(conference)))
        .merge(both(SHARDS, get(shards)))
        .merge(both(&format!("{SHARDS}{{id}}/"), get(shard)))
        .merge(both(PARTICIPANTS, get(participants)))
        .merge(both(&format!("{PARTICIPANTS}{{id}}/"), get(participant)))
        .merge(both(&format!("{PARTICIPANTS}{{id}}/media_stream/"), get(media_streams)))
}

async fn conferences(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let places = places(&api).await?;
    let rows = with_shards(&api, &places, |shards| values(ConferenceRow::all(shards)))?;
    page(&CONFERENCE, &query, rows).map(Json)
}

async fn conference(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let (places, id): (Places, Uuid) = (places(&api).await?, id.id("conference")?);
    let found = with_shards(&api, &places, |shards| {
        // Every part of it is known by its name as well.
        let room = shards.iter().find(|shard| shard.id == id)?.conference;
        ConferenceRow::all(shards).into_iter().find(|row| row.name == room).map(value)
    });
    found.ok_or_else(|| Refusal::no_such("conference", id))?.map(Json)
}

async fn shards(State(api): State<Api>, QueryPairs(mut query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let places = places(&api).await?;
    with_shards(&api, &places, |shards| name_conferences(&mut query, shards));
    let rows = with_shards(&api, &places, |shards| values(shards))?;
    page(&CONFERENCE_SHARD, &query, rows).map(Json)
}

async fn shard(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let (places, id): (Places, Uuid) = (places(&api).await?, id.id("conference_shard")?);
    let found = with_shards(&api, &places, |shards| shards.iter().find(|shard| shard.id == id).map(value));
    found.ok_or_else(|| Refusal::no_such("conference_shard", id))?.map(Json)
}

async fn participants(
    State(api): State<Api>,
    QueryPairs(mut query): QueryPairs,
) -> Result<Json<Value>, Refusal> {
    let places = places(&api).await?;
    with_shards(&api, &places, |shards| name_conferences(&mut query, shards));
    let rows = with_nodes(&api, |nodes| {
        let all = nodes.iter().flat_map(|node| {
            let place = place_of(&places, node);
            node.participants.values().map(move |participant| ParticipantRow::new(participant, place))
        });
        values(all)
    })?;
    page(&PARTICIPANT, &query, rows).map(Json)
}

async fn participant(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let (places, id): (Places, Uuid) = (places(&api).await?, id.id("participant")?);
    let found = with_nodes(&api, |nodes| {
        let mut found = nodes.iter().filter_map(|node| Some((node, node.participants.get(&id)?)));
        found.next().map(|(node, it)| value(ParticipantRow::new(it, place_of(&places, node))))
    });
    found.ok_or_else(|| Refusal::no_such("participant", id))?.map(Json)
}

/// A participant has one stream, and none before it was counted.
async fn media_streams(
    State(api): State<Api>,
    id: PathId,
    QueryPairs(query): QueryPairs,
) -> Result<Json<Value>, Refusal> {
    let (places, id): (Places, Uuid) = (places(&api).await?, id.id("participant")?);
    let found = with_nodes(&api, |nodes| {
        let mut found = nodes.iter().filter_map(|node| Some((node, node.participants.get(&id)?)));
        found.next().map(|(node, it)| values(MediaStreamRow::new(it, place_of(&places, node))))
    });
    let rows = found.ok_or_else(|| Refusal::no_such("participant", id))??;
    selected(&format!("{PARTICIPANTS}{id}/media_stream/"), &[], &query, rows).map(Json)
}

/// Replaces the id or the URI of a conference in a filter by its name, which rows have.
fn name_conferences(query: &mut [(String, String)], shards: &[ConferenceShardRow<'_>]) {
    let asked =
        query.iter_mut().filter(|(field, _)| matches!(field.as_str(), "conference" | "conference__exact"));
    for (_, value) in asked {
        let id = value.trim_end_matches('/').rsplit('/').next().and_then(|id| id.parse::<Uuid>().ok());
        if let Some(shard) = id.and_then(|id| shards.iter().find(|shard| shard.id == id)) {
            shard.conference.clone_into(value);
        }
    }
}

/// Reads the participants of all nodes that there are.
fn with_nodes<T>(api: &Api, read: impl FnOnce(&[NodeParticipants<'_>]) -> T) -> T {
    let committer = api.committer();
    committer.calls().read(committer.now(), read)
}

/// Reads the conferences of all nodes.
pub(super) fn with_shards<T>(
    api: &Api,
    places: &Places,
    read: impl FnOnce(&[ConferenceShardRow<'_>]) -> T,
) -> T {
    with_nodes(api, |nodes| {
        let shards = nodes.iter().flat_map(|node| ConferenceShardRow::all(node, place_of(places, node)));
        read(&shards.collect::<Vec<_>>())
    })
}

fn place_of<'p>(places: &'p Places, node: &NodeParticipants<'_>) -> &'p Place {
    static NOWHERE: Place = Place { address: String::new(), location: String::new() };
    places.get(&node.node).unwrap_or(&NOWHERE)
}

fn value(row: impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(row).map_err(Refusal::from)
}

fn values(rows: impl IntoIterator<Item = impl Serialize>) -> Result<Vec<Value>, Refusal> {
    rows.into_iter().map(value).collect()
}
