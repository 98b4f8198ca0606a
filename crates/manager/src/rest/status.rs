//! The present state: `status/v1/upgrade/`, `status/v1/worker_vm/`, `status/v1/management_vm/` and
//! `status/v1/about/`. It only reads; `views` gives the objects their shape.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use fleet::node::NodeId;
use fleet::time::Wall;
use rusqlite::{Connection, Row};
use serde_json::{Value, json};

use super::Api;
use super::error::Refusal;
use super::route::both;
use super::views::ViewContext;
use crate::driver::NodeRuntime;
use crate::first_password;

const UPGRADE: &str = "/api/admin/status/v1/upgrade/";
const ABOUT: &str = "/api/admin/status/v1/about/";

pub(super) fn routes() -> Router<Api> {
    both(UPGRADE, get(upgrade)).merge(both(ABOUT, get(about)))
}

async fn upgrade(State(api): State<Api>) -> Result<Json<Value>, Refusal> {
    let details = StoredDetails::read(&api).await?;
    Ok(Json(details.view(&api, |view| view.upgrade())))
}

async fn about(State(api): State<Api>) -> Result<Json<Value>, Refusal> {
    let release = api.context.release;
    let notice = api.blocking(|layout| first_password::notice(&layout.state())).await?;
    Ok(Json(json!({
        "version": release.version.to_string(),
        "build": release.build,
        "release_text": release.to_string(),
        "warnings": notice.into_iter().map(|text| json!({"text": text})).collect::<Vec<_>>(),
    })))
}

/// The Conferencing Nodes.
pub(super) async fn nodes(api: &Api) -> Result<Vec<Value>, Refusal> {
    let details = StoredDetails::read(api).await?;
    Ok(details
        .view(api, |view| view.fleet.nodes().iter().map(|(id, node)| view.worker_vm(id, node)).collect()))
}

/// The Management Node.
pub(super) fn manager(api: &Api) -> Value {
    StoredDetails::default().view(api, |view| view.management_vm())
}

/// What is shown of the nodes and stored outside of the fleet.
#[derive(Debug, Default)]
struct StoredDetails {
    locations: BTreeMap<NodeId, String>,
    started: BTreeMap<NodeId, Wall>,
}

impl StoredDetails {
    async fn read(api: &Api) -> Result<Self, Refusal> {
        let read = |connection: &Connection| {
            let sql = "SELECT worker_vm.id, system_location.name FROM worker_vm
                       JOIN system_location ON system_location.id = worker_vm.system_location";
            let mut statement = connection.prepare_cached(sql)?;
            let named = |row: &Row<'_>| Ok((NodeId(row.get(0)?), row.get(1)?));
            let locations = statement.query_map([], named)?.collect::<Result<_, _>>()?;
            Ok::<_, Refusal>(Self { locations, started: started(connection)? })
        };
        api.committer().store().read(read).await
    }

    /// Reads the fleet and everything else that is shown, at one moment.
    fn view<T>(&self, api: &Api, view: impl FnOnce(ViewContext<'_>) -> T) -> T {
        api.committer().read(|fleet, now| {
            let ids = fleet.nodes().iter().map(|(id, _)| id);
            let live: BTreeMap<NodeId, NodeRuntime> =
                ids.filter_map(|id| api.committer().node_runtime(id).map(|live| (id, live))).collect();
            let (manager, locations, started) = (&api.context.name, &self.locations, &self.started);
            let refusals = &api.context.refusals;
            view(ViewContext { fleet, now, manager, locations, live: &live, started, refusals })
        })
    }
}

/// When each node's release started by its own clock, for the nodes that have reported it.
fn started(connection: &Connection) -> Result<BTreeMap<NodeId, Wall>, Refusal> {
    let mut statement = connection.prepare_cached("SELECT node_id, started_at FROM node_boot")?;
    let moment = |row: &Row<'_>| Ok((NodeId(row.get(0)?), row.get::<_, i64>(1)?));
    let rows = statement.query_map([], moment)?;
    rows.map(|row| row.map(|(id, at)| (id, Wall(u64::try_from(at).unwrap_or(0)))).map_err(Refusal::from))
        .collect()
}
