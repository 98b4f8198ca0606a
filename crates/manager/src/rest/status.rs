//! The present state: `status/v1/upgrade/`, `status/v1/worker_vm/`, `status/v1/management_vm/` and
//! `status/v1/about/`. It only reads; `views` gives the objects their shape.

use std::collections::BTreeMap;
use std::net::IpAddr;

use answers::{ManagementVm, UpgradeStatus, WorkerVm};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use fleet::node::NodeId;
use fleet::time::Wall;
use serde_json::{Value, json};

use super::Api;
use super::error::Refusal;
use super::list::selected;
use super::request::{PathId, QueryPairs};
use super::route::both;
use super::upgrade::companion_warnings;
use super::views::ViewContext;
use crate::auth::first_password;
use crate::driver::NodeRuntime;
use crate::resources::configuration::management_vm::MANAGEMENT_VM;
use crate::store::{Connection, StoreError, locations, node_boot};

const UPGRADE: &str = "/api/admin/status/v1/upgrade/";
const ABOUT: &str = "/api/admin/status/v1/about/";
const NODES: &str = "/api/admin/status/v1/worker_vm/";
const LOCATIONS: &str = "/api/admin/status/v1/system_location/";

pub(super) fn routes() -> Router<Api> {
    both(UPGRADE, get(upgrade))
        .merge(both(ABOUT, get(about)))
        .merge(both(&format!("{NODES}{{id}}/statistics/"), get(node_statistics)))
        .merge(both(&format!("{LOCATIONS}{{id}}/statistics/"), get(location_statistics)))
}

async fn upgrade(State(api): State<Api>) -> Result<Json<UpgradeStatus>, Refusal> {
    let details = StoredDetails::read(&api).await?;
    let warnings = companion_warnings(&api).await?;
    Ok(Json(UpgradeStatus { warnings, ..details.view(&api, |view| view.upgrade()) }))
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
pub(super) async fn nodes(api: &Api) -> Result<Vec<WorkerVm>, Refusal> {
    let details = StoredDetails::read(api).await?;
    Ok(details
        .view(api, |view| view.fleet.nodes().iter().map(|(id, node)| view.worker_vm(id, node)).collect()))
}

/// The system locations with what their nodes have together.
pub(super) async fn locations(api: &Api) -> Result<Vec<Value>, Refusal> {
    let all = api.committer().store().read(locations::all).await?;
    let details = StoredDetails::read(api).await?;
    Ok(details.view(api, |view| view.system_locations(&all)))
}

async fn node_statistics(
    State(api): State<Api>,
    id: PathId,
    QueryPairs(query): QueryPairs,
) -> Result<Json<Value>, Refusal> {
    let nodes = nodes(&api).await?.into_iter().map(|node| json!(node)).collect();
    statistics((NODES, "worker_vm"), nodes, id.id("worker_vm")?, &query)
}

async fn location_statistics(
    State(api): State<Api>,
    id: PathId,
    QueryPairs(query): QueryPairs,
) -> Result<Json<Value>, Refusal> {
    statistics((LOCATIONS, "system_location"), locations(&api).await?, id.id("system_location")?, &query)
}

/// The statistics of one of these objects: its load.
fn statistics(
    (path, name): (&str, &str),
    all: Vec<Value>,
    id: i64,
    query: &[(String, String)],
) -> Result<Json<Value>, Refusal> {
    let one = all.into_iter().find(|object| object["id"] == id).ok_or_else(|| Refusal::no_such(name, id))?;
    let statistics = vec![json!({"media_load": one["media_load"]})];
    selected(&format!("{path}{id}/statistics/"), &[], query, statistics).map(Json)
}

/// The Management Node.
pub(super) fn manager(api: &Api) -> ManagementVm {
    StoredDetails::default().view(api, |view| view.management_vm())
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

/// What is shown of the nodes and stored outside of the fleet.
#[derive(Debug, Default)]
struct StoredDetails {
    locations: BTreeMap<NodeId, String>,
    started: BTreeMap<NodeId, Wall>,
}

impl StoredDetails {
    async fn read(api: &Api) -> Result<Self, Refusal> {
        let read = |connection: &Connection| {
            let (locations, started) = (locations::of_nodes(connection)?, node_boot::all(connection)?);
            Ok::<_, StoreError>(Self { locations, started })
        };
        Ok(api.committer().store().read(read).await?)
    }

    /// Reads the fleet and everything else that is shown, at one moment.
    fn view<T>(&self, api: &Api, view: impl FnOnce(ViewContext<'_>) -> T) -> T {
        api.committer().read(|fleet, now| {
            let ids = fleet.nodes().iter().map(|(id, _)| id);
            let live: BTreeMap<NodeId, NodeRuntime> =
                ids.filter_map(|id| api.committer().node_runtime(id).map(|live| (id, live))).collect();
            let (manager, locations, started) = (&api.context.name, &self.locations, &self.started);
            let (machines, refusals) = (&api.committer().machines(), &api.context.refusals);
            view(ViewContext { fleet, now, manager, locations, live: &live, started, machines, refusals })
        })
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
