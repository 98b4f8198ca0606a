//! `history/v1/upgrade/`: the runs, newest first, each with its facts from the journal. The object `fact` is what is
//! stored, on purpose: its names never change in either (decision 26).

use answers::{FactRow, PastRun, UtcTime};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use fleet::desired::RunId;
use fleet::fact::Fact;
use fleet::time::Time;
use fleet::wall::WallMap;
use serde_json::{Value, json};

use super::Api;
use super::error::Refusal;
use super::list::page;
use super::request::{PathId, QueryPairs, malformed};
use super::route::both;
use super::views;
use crate::resources::upgrade::HISTORY;
use crate::rest::json::Json;
use crate::store::runs::{self, JournalEntry};
use crate::store::{Connection, StoreError, StoredRun, evicted};

const LIST: &str = "/api/admin/history/v1/upgrade/";

/// How many entries of the journal one answer contains; the rest is requested with `since`. A run over 10,000
/// nodes writes about 22,000.
const ENTRIES: usize = 5_000;

pub(super) fn routes() -> Router<Api> {
    both(LIST, get(list)).merge(both(&format!("{LIST}{{id}}/"), get(detail)))
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let wall = api.committer().read(|fleet, _| fleet.platform.wall.clone());
    let ended =
        api.committer().store().read(runs::all).await?.into_iter().filter_map(|(run, evicted)| match run {
            StoredRun::Ended(run) => {
                let uri = format!("{LIST}{}/", run.id);
                let run = views::ended_run(&run, &wall);
                Some(PastRun { facts_evicted: Some(evicted.cast_unsigned()), resource_uri: Some(uri), ..run })
            }
            StoredRun::UnderWay(_) => None,
        });
    page(&HISTORY, &query, ended.map(|run| json!(run)).collect()).map(Json)
}

async fn detail(
    State(api): State<Api>,
    id: PathId,
    QueryPairs(query): QueryPairs,
) -> Result<Json<PastRun>, Refusal> {
    let id = RunId(id.id("upgrade")?);
    let since = since(&query)?;
    let wall = api.committer().read(|fleet, _| fleet.platform.wall.clone());
    let read = move |connection: &Connection| {
        let found = runs::find(connection, id)?;
        Ok::<_, StoreError>((found, runs::entries(connection, id, since, ENTRIES)?, evicted(connection, id)?))
    };
    let (run, entries, evicted) = api.committer().store().read(read).await?;
    let run = run.ok_or_else(|| Refusal::no_such("upgrade", id))?;
    let run = match &run {
        StoredRun::Ended(run) => views::ended_run(run, &wall),
        StoredRun::UnderWay(run) => views::stored_run(run, &wall),
    };
    let next = entries.last().filter(|_| entries.len() == ENTRIES);
    Ok(Json(PastRun {
        facts: Some(facts(&entries, &wall)),
        facts_evicted: Some(evicted),
        facts_next: next.map(|entry| format!("{LIST}{id}/?since={}", entry.seq)),
        resource_uri: Some(format!("{LIST}{id}/")),
        ..run
    }))
}

fn since(query: &[(String, String)]) -> Result<i64, Refusal> {
    let Some((_, text)) = query.iter().find(|(key, _)| key == "since") else { return Ok(0) };
    text.parse().map_err(|_| {
        malformed("since must be the number of an entry", "send the seq of the last fact that you have")
    })
}

/// The facts of entries of the journal.
fn facts(entries: &[JournalEntry], wall: &WallMap) -> Vec<FactRow> {
    let shown = |JournalEntry { seq, at, recorded }: &JournalEntry| {
        let (seq, at) = (*seq, UtcTime::of(wall.shown(*at)));
        let row =
            move |fact: &Fact| FactRow { seq, at, text: fact.to_string(), fact: json!(shown_by(wall, fact)) };
        recorded.facts.iter().map(row).collect::<Vec<_>>()
    };
    entries.iter().flat_map(shown).collect()
}

/// A fact with its times as of the wall clock, in milliseconds since 1970-01-01 UTC.
fn shown_by(wall: &WallMap, fact: &Fact) -> Fact {
    match fact {
        Fact::RunStarted { run, source, target, limit } => {
            let limit = Time(wall.shown(*limit).0);
            Fact::RunStarted { run: *run, source: *source, target: *target, limit }
        }
        Fact::ManagerInstalling { .. }
        | Fact::ManagerUpgraded { .. }
        | Fact::LockLifted { .. }
        | Fact::RunPaused { .. }
        | Fact::RunResumed { .. }
        | Fact::RunEnded { .. }
        | Fact::FailureStopOver { .. }
        | Fact::EpochRaised { .. }
        | Fact::ManagerStartFault { .. }
        | Fact::ManagerStartFaultOver
        | Fact::ClockStepped { .. }
        | Fact::ClockSteady
        | Fact::Node { .. } => fact.clone(),
    }
}
