//! `history/v1/upgrade/`: the runs, newest first, each with its facts from the journal. The object `fact` is what is
//! stored, on purpose: its names never change in either (decision 26).

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use fleet::desired::RunId;
use fleet::fact::Fact;
use fleet::time::Time;
use fleet::wall::WallMap;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::Api;
use super::error::Refusal;
use super::list::page;
use super::request::{PathId, QueryPairs, malformed};
use super::route::both;
use super::views;
use crate::resources::time;
use crate::resources::upgrade::HISTORY;
use crate::store::{RUNS_LISTED, Recorded, StoredRun, evicted};

const LIST: &str = "/api/admin/history/v1/upgrade/";

/// How many entries of the journal one answer contains; the rest is requested with `since`. A run over 10,000
/// nodes writes about 22,000.
const ENTRIES: usize = 5_000;

pub(super) fn routes() -> Router<Api> {
    both(LIST, get(list)).merge(both(&format!("{LIST}{{id}}/"), get(detail)))
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let read = |connection: &Connection| {
        let sql = "SELECT body, evicted FROM run ORDER BY id DESC LIMIT ?1";
        let mut statement = connection.prepare_cached(sql)?;
        let row = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get(1)?));
        let rows = statement.query_map([RUNS_LISTED], row)?.collect::<Result<Vec<(String, i64)>, _>>()?;
        let runs = rows.iter().map(|(body, evicted)| Ok((serde_json::from_str(body)?, *evicted)));
        runs.collect::<Result<Vec<(StoredRun, i64)>, Refusal>>()
    };
    let wall = api.committer().read(|fleet, _| fleet.platform.wall.clone());
    let ended =
        api.committer().store().read(read).await?.into_iter().filter_map(|(run, evicted)| match run {
            StoredRun::Ended(run) => {
                let mut object = with_uri(views::ended_run(&run, &wall), run.id);
                object["facts_evicted"] = evicted.into();
                Some(object)
            }
            StoredRun::UnderWay(_) => None,
        });
    page(&HISTORY, &query, ended.collect()).map(Json)
}

async fn detail(
    State(api): State<Api>,
    id: PathId,
    QueryPairs(query): QueryPairs,
) -> Result<Json<Value>, Refusal> {
    let id = RunId(id.id("upgrade")?);
    let since = since(&query)?;
    let wall = api.committer().read(|fleet, _| fleet.platform.wall.clone());
    let shown = wall.clone();
    let read = move |connection: &Connection| {
        let sql = "SELECT body FROM run WHERE id = ?1";
        let body: Option<String> =
            connection.prepare_cached(sql)?.query_row([id.0], |row| row.get(0)).optional()?;
        let run = body.ok_or_else(|| Refusal::no_such("upgrade", id))?;
        Ok::<_, Refusal>((
            serde_json::from_str(&run)?,
            facts(connection, id, since, &shown)?,
            evicted(connection, id)?,
        ))
    };
    let (run, (facts, next), evicted) = api.committer().store().read(read).await?;
    let mut object = match &run {
        StoredRun::Ended(run) => views::ended_run(run, &wall),
        StoredRun::UnderWay(run) => views::stored_run(run, &wall),
    };
    object["facts"] = facts;
    object["facts_evicted"] = evicted.into();
    object["facts_next"] = json!(next.map(|seq| format!("{LIST}{id}/?since={seq}")));
    Ok(Json(with_uri(object, id)))
}

fn since(query: &[(String, String)]) -> Result<i64, Refusal> {
    let Some((_, text)) = query.iter().find(|(key, _)| key == "since") else { return Ok(0) };
    text.parse().map_err(|_| {
        malformed("since must be the number of an entry", "send the seq of the last fact that you have")
    })
}

/// The facts after an entry of the journal, and the entry from which to continue when there are more.
fn facts(
    connection: &Connection,
    run: RunId,
    since: i64,
    wall: &WallMap,
) -> Result<(Value, Option<i64>), Refusal> {
    let sql = "SELECT seq, at, body FROM journal WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![run.0, since, ENTRIES as i64])?;
    let (mut facts, mut entries, mut last) = (Vec::new(), 0, since);
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let at: i64 = row.get(1)?;
        let at = time::text(wall.shown(Time(u64::try_from(at).unwrap_or(0))));
        let recorded: Recorded = serde_json::from_str(&row.get::<_, String>(2)?)?;
        entries += 1;
        facts.extend(recorded.facts.iter().map(
            |fact| json!({"seq": last, "at": at, "text": fact.to_string(), "fact": shown_by(wall, fact)}),
        ));
    }
    Ok((facts.into(), (entries == ENTRIES).then_some(last)))
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

fn with_uri(mut run: Value, id: RunId) -> Value {
    run["resource_uri"] = format!("{LIST}{id}/").into();
    run
}
