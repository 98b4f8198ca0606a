//! The present state: `status/v1/upgrade/`, `status/v1/worker_vm/`, `status/v1/management_vm/` and
//! `status/v1/about/`. It only reads; `views` gives the objects their shape.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use answers::{ManagementVm, UpgradeStatus, WorkerVm};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use fleet::node::NodeId;
use fleet::platform::Fleet;
use fleet::time::{Time, Wall};
use serde_json::{Value, json};
use wire::machine::Machine;

use super::Api;
use super::error::Refusal;
use super::list::{Page, meta, page, plain, selected};
use super::request::{PathId, QueryPairs};
use super::route::both;
use super::upgrade::companion_warnings;
use super::views::ViewContext;
use crate::auth::first_password;
use crate::driver::NodeRuntime;
use crate::resources::configuration::management_vm::MANAGEMENT_VM;
use crate::resources::status::worker_vm::WORKER_VM;
use crate::rest::json::Json;
use crate::store::{Connection, StoreError, locations, node_boot};

const UPGRADE: &str = "/api/admin/status/v1/upgrade/";
const ABOUT: &str = "/api/admin/status/v1/about/";
const NODES: &str = "/api/admin/status/v1/worker_vm/";
const LOCATIONS: &str = "/api/admin/status/v1/system_location/";

pub(super) fn routes() -> Router<Api> {
    both(UPGRADE, get(upgrade))
        .merge(both(ABOUT, get(about)))
        .merge(both(NODES, get(nodes)))
        .merge(both(&format!("{NODES}{{id}}/"), get(node)))
        .merge(both(&format!("{NODES}{{id}}/statistics/"), get(node_statistics)))
        .merge(both(&format!("{LOCATIONS}{{id}}/statistics/"), get(location_statistics)))
}

async fn upgrade(State(api): State<Api>) -> Result<Response, Refusal> {
    let warnings = companion_warnings(&api).await?;
    of_all(&api, |view| Json(UpgradeStatus { warnings, ..view.upgrade() }).into_response()).await
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

/// A page of the Conferencing Nodes. Only those on it are made, unless a filter or an order needs them all.
async fn nodes(State(api): State<Api>, QueryPairs(pairs): QueryPairs) -> Result<Response, Refusal> {
    let window = plain(&WORKER_VM, &pairs)?;
    let shown = move |view: ViewContext<'_>| {
        let nodes = view.fleet.nodes();
        let rows = nodes.iter().map(|(id, node)| view.worker_vm(id, node));
        Ok(match window {
            None => Json(page(&WORKER_VM, &pairs, rows.map(|row| json!(row)).collect())?).into_response(),
            Some((limit, offset)) => {
                let meta = meta(&WORKER_VM.path(), &pairs, (limit, offset), nodes.len());
                Json(Page { meta, objects: rows.skip(offset).take(limit).collect() }).into_response()
            }
        })
    };
    of_all(&api, shown).await?
}

async fn node(State(api): State<Api>, id: PathId) -> Result<Json<WorkerVm>, Refusal> {
    one_node(&api, &id).await.map(Json)
}

async fn one_node(api: &Api, id: &PathId) -> Result<WorkerVm, Refusal> {
    let id = NodeId(id.id("worker_vm")?);
    let mut details = api.committer().store().read(move |connection| Details::of_one(connection, id)).await?;
    details.live = api.committer().node_runtime(id).map(|live| (id, live)).into_iter().collect();
    details.machines = api.committer().machine(id).map(|machine| (id, machine)).into_iter().collect();
    let found = api.committer().read(|fleet, now| {
        let view = details.view(api, fleet, now);
        Some(view.worker_vm(id, fleet.nodes().get(id)?))
    });
    found.ok_or_else(|| Refusal::no_such("worker_vm", id.0))
}

/// The system locations with what their nodes have together.
pub(super) async fn locations(api: &Api) -> Result<Vec<Value>, Refusal> {
    let all = api.committer().store().read(locations::all).await?;
    of_all(api, move |view| view.system_locations(&all)).await
}

async fn node_statistics(
    State(api): State<Api>,
    id: PathId,
    QueryPairs(query): QueryPairs,
) -> Result<Json<Value>, Refusal> {
    let node = one_node(&api, &id).await?;
    statistics(&format!("{NODES}{}/", node.id), &json!(node.media_load), &query)
}

async fn location_statistics(
    State(api): State<Api>,
    id: PathId,
    QueryPairs(query): QueryPairs,
) -> Result<Json<Value>, Refusal> {
    let id: i64 = id.id("system_location")?;
    let found = locations(&api).await?.into_iter().find(|object| object["id"] == id);
    let location = found.ok_or_else(|| Refusal::no_such("system_location", id))?;
    statistics(&format!("{LOCATIONS}{id}/"), &location["media_load"], &query)
}

/// The statistics of the object with this path: its load.
fn statistics(path: &str, media_load: &Value, query: &[(String, String)]) -> Result<Json<Value>, Refusal> {
    let all = vec![json!({"media_load": media_load})];
    selected(&format!("{path}statistics/"), &[], query, all).map(Json)
}

/// The Management Node.
pub(super) fn manager(api: &Api) -> ManagementVm {
    api.committer().read(|fleet, now| Details::default().view(api, fleet, now).management_vm())
}

/// The Management Node as its machine is set up, by the first of its names.
pub(super) fn configured_manager(name: &str) -> Value {
    let address: Option<IpAddr> = name.parse().ok();
    let (hostname, domain) = match address {
        Some(_) => ("", ""),
        None => name.split_once('.').unwrap_or((name, "")),
    };
    json!({
        "id": 1,
        "name": name,
        "hostname": hostname,
        "domain": domain,
        "address": address,
        "primary": true,
        "initializing": false,
        "resource_uri": MANAGEMENT_VM.uri(1),
    })
}

/// Shows a snapshot of the fleet on a thread where that may take its time: the objects of 10,000 nodes take longer than any
/// commit or report should wait.
async fn of_all<T: Send + 'static>(
    api: &Api,
    shown: impl FnOnce(ViewContext<'_>) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let _turn = api.statuses.acquire().await;
    let mut details = api.committer().store().read(Details::of_all).await?;
    let state = api.clone();
    api.blocking(move |_| {
        details.live = state.committer().nodes_runtime();
        details.machines = state.committer().machines();
        let (fleet, now) = state.committer().snapshot();
        shown(details.view(&state, &fleet, now))
    })
    .await
}

/// What is shown of the nodes and known outside of the fleet.
#[derive(Debug, Default)]
struct Details {
    locations: BTreeMap<NodeId, String>,
    started: BTreeMap<NodeId, Wall>,
    live: BTreeMap<NodeId, NodeRuntime>,
    machines: BTreeMap<NodeId, Arc<Machine>>,
}

impl Details {
    /// What is stored of all nodes.
    fn of_all(connection: &Connection) -> Result<Self, StoreError> {
        let (locations, started) = (locations::of_nodes(connection)?, node_boot::all(connection)?);
        Ok(Self { locations, started, ..Self::default() })
    }

    /// What is stored of one node.
    fn of_one(connection: &Connection, id: NodeId) -> Result<Self, StoreError> {
        let locations = locations::of_node(connection, id)?.map(|name| (id, name)).into_iter().collect();
        let started = node_boot::started_at(connection, id)?.map(|at| (id, Wall(at))).into_iter().collect();
        Ok(Self { locations, started, ..Self::default() })
    }

    fn view<'a>(&'a self, api: &'a Api, fleet: &'a Fleet, now: Time) -> ViewContext<'a> {
        let Self { locations, started, live, machines } = self;
        let (manager, refusals) = (&api.context.name, &api.context.refusals);
        ViewContext { fleet, now, manager, locations, live, started, machines, refusals }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_the_management_node_is_a_host_in_a_domain_or_an_address() {
        let check = |name: &str, expected: Value| {
            let shown = configured_manager(name);
            assert_eq!(json!([shown["hostname"], shown["domain"], shown["address"]]), expected, "{name}");
        };
        check("manager.example.com", json!(["manager", "example.com", null]));
        check("manager", json!(["manager", "", null]));
        check("10.0.0.1", json!(["", "", "10.0.0.1"]));
    }
}
