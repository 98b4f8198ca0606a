//! `configuration/v1/worker_vm/`: the registrations of Conferencing Nodes.
//!
//! A registration and the events that follow from it are committed together. Whether a node is in the
//! operator's maintenance mode, the core alone knows; only the reason is stored here, too, because it may be
//! given before or after.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use fleet::node::{Duty, NodeId};
use fleet::platform::{Event, Fleet, NODES_AT_MOST};
use fleet::time::Time;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Api;
use super::error::{FieldErrors, Kind, Refusal};
use super::fields::{Draft, Shape};
use super::list::{Listed, page};
use super::request::{Fields, PathId, QueryPairs};
use super::route::both;
use super::rows::{location, number};
use super::system_location;
use super::typed::Type;
use crate::enrolment;

/// The path of the list.
pub(crate) const LIST: &str = "/api/admin/configuration/v1/worker_vm/";

const RESOURCE: &str = "worker_vm";
const LISTED: Listed = Listed {
    path: LIST,
    filters: &[
        ("name", Type::Text),
        ("hostname", Type::Text),
        ("domain", Type::Text),
        ("address", Type::Text),
        ("netmask", Type::Text),
        ("gateway", Type::Text),
        ("system_location", Type::Relation),
        ("node_type", Type::Text),
        ("cloud_bursting", Type::Boolean),
        ("maintenance_mode", Type::Boolean),
        ("maintenance_mode_reason", Type::Text),
        ("description", Type::Text),
    ],
};

/// The types of a node. All nodes of Pitlane carry calls.
const NODE_TYPES: [&str; 1] = ["CONFERENCING"];

/// How a node is deployed: with an enrolment file that the operator carries.
const DEPLOYMENT_TYPES: [&str; 1] = ["MANUAL-PROVISION-ONLY"];

/// The longest reason of a maintenance mode and the longest description, in characters.
const TEXT: Shape = Shape::Text(250);

/// A registration as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// The node.
    pub(crate) id: i64,
    /// Its name.
    pub(crate) name: String,
    /// Its system location.
    pub(crate) system_location: i64,
    /// The other fields.
    pub(crate) details: Details,
}

/// The fields of a registration that are stored in one column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Details {
    pub(crate) hostname: String,
    pub(crate) domain: String,
    pub(crate) address: String,
    pub(crate) netmask: String,
    pub(crate) gateway: String,
    pub(crate) node_type: String,
    pub(crate) cloud_bursting: bool,
    pub(crate) maintenance_mode_reason: String,
    pub(crate) description: String,
    pub(crate) deployment_type: String,
}

/// The operator's maintenance mode after a request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Maintenance {
    operator: Option<String>,
}

pub(super) fn routes() -> Router<Api> {
    both(LIST, get(list).post(create))
        .merge(both(&format!("{LIST}{{id}}/"), get(detail).put(put).patch(patch).delete(remove)))
        .merge(both(&format!("{LIST}{{id}}/enrolment/"), post(enrol)))
}

async fn list(State(api): State<Api>, QueryPairs(query): QueryPairs) -> Result<Json<Value>, Refusal> {
    let registrations = api.committer().store().read(all).await?;
    let in_maintenance = operators_nodes(&api);
    let objects = registrations.iter().map(|registration| shown(registration, &in_maintenance));
    page(LISTED, &query, objects.collect()).map(Json)
}

async fn detail(State(api): State<Api>, id: PathId) -> Result<Json<Value>, Refusal> {
    let id: u32 = id.id(RESOURCE)?;
    let registration = api.committer().store().read(move |connection| find(connection, id.into())).await?;
    Ok(Json(shown(&registration, &operators_nodes(&api))))
}

async fn create(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    let write = move |tx: &Transaction<'_>, _: &Fleet, now: Time| {
        if number(tx, "SELECT count(*) FROM worker_vm", &[])?.unwrap_or(0) >= NODES_AT_MOST as i64 {
            return Err(full());
        }
        let (mut registration, maintenance) = read(tx, &body, None, &Maintenance { operator: None })?;
        registration.id = insert(tx, &registration)?;
        let id = node_id(registration.id)?;
        let token = enrolment::issue(tx, id, now)?;
        let (name, duty) = (registration.name.clone(), registration.duty());
        let mut events = vec![Event::NodeAdded { id, name, duty }];
        if let Maintenance { operator: operator @ Some(_) } = maintenance {
            events.push(Event::Maintenance { id, operator });
        }
        Ok((events, (id, registration.name, token)))
    };
    let (id, name, token) = api.committer().change(write).await?;
    Ok(enrolment_file(&api, id, &name, token))
}

/// Creates a new enrolment file for a registered node: for one that was off for longer than its certificate
/// is valid, or whose machine was replaced. The present identity counts until the file is used.
async fn enrol(State(api): State<Api>, id: PathId) -> Result<Response, Refusal> {
    let id = NodeId(id.id(RESOURCE)?);
    let now = api.committer().now();
    let write = move |tx: &Transaction<'_>| {
        let Registration { name, .. } = find(tx, id.0.into())?;
        Ok::<_, Refusal>((name, enrolment::issue(tx, id, now)?))
    };
    let (name, token) = api.committer().store().write(write).await?;
    tracing::info!(
        node = id.0,
        name,
        "a new enrolment file was made; what the node has counts until it is used"
    );
    Ok(enrolment_file(&api, id, &name, token))
}

/// The answer with the enrolment file, which is given only this once.
fn enrolment_file(api: &Api, id: NodeId, name: &str, token: String) -> Response {
    let file = api.context.nodes.file(name, token).to_text();
    let headers = [
        (header::LOCATION, location(LIST, id)),
        (header::CONTENT_TYPE, header::HeaderValue::from_static("application/toml")),
    ];
    (StatusCode::CREATED, headers, file).into_response()
}

async fn put(api: State<Api>, id: PathId, body: Fields) -> Result<StatusCode, Refusal> {
    update(api, id, body).await.map(|()| StatusCode::NO_CONTENT)
}

async fn patch(api: State<Api>, id: PathId, body: Fields) -> Result<StatusCode, Refusal> {
    update(api, id, body).await.map(|()| StatusCode::ACCEPTED)
}

async fn update(State(api): State<Api>, id: PathId, Fields(body): Fields) -> Result<(), Refusal> {
    let id = NodeId(id.id(RESOURCE)?);
    let write = move |tx: &Transaction<'_>, fleet: &Fleet, _: Time| {
        let kept = find(tx, id.0.into())?;
        // A field that is not given must not undo the change of another request.
        let operator = fleet.nodes().get(id).and_then(|node| node.operator_maintenance.clone());
        let held = Maintenance { operator };
        let (registration, maintenance) = read(tx, &body, Some(&kept), &held)?;
        if registration != kept {
            store(tx, &registration)?;
        }
        let mut events = Vec::new();
        if registration.name != kept.name || registration.duty() != kept.duty() {
            let (name, duty) = (registration.name.clone(), registration.duty());
            events.push(Event::NodeChanged { id, name, duty });
        }
        if maintenance != held {
            events.push(Event::Maintenance { id, operator: maintenance.operator });
        }
        Ok::<_, Refusal>((events, ()))
    };
    api.committer().change(write).await
}

async fn remove(State(api): State<Api>, id: PathId) -> Result<StatusCode, Refusal> {
    let id = NodeId(id.id(RESOURCE)?);
    let write = move |tx: &Transaction<'_>, _: Time| {
        if tx.execute("DELETE FROM worker_vm WHERE id = ?1", [id.0])? == 0 {
            return Err(Refusal::no_such(RESOURCE, id));
        }
        enrolment::forget(tx, id)?;
        Ok(())
    };
    api.committer().apply_with(Event::NodeRemoved { id }, write).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads a registration from a request, with the stored values as defaults.
fn read(
    tx: &Transaction<'_>,
    body: &Map<String, Value>,
    kept: Option<&Registration>,
    maintenance: &Maintenance,
) -> Result<(Registration, Maintenance), Refusal> {
    let mut draft = Draft::of(body);
    let details = details(&mut draft, kept.map(|kept| &kept.details));
    let on = draft.boolean("maintenance_mode", maintenance.operator.is_some());
    let registration = Registration {
        id: kept.map_or(0, |kept| kept.id),
        name: draft.text("name", Shape::FileName(32), kept.map(|kept| kept.name.as_str())),
        system_location: draft.relation(
            "system_location",
            system_location::LIST,
            kept.map(|kept| kept.system_location),
        ),
        details,
    };
    unique(tx, &registration, &mut draft.errors)?;
    draft.errors.into_result(RESOURCE)?;
    let operator = on.then(|| registration.details.maintenance_mode_reason.clone());
    Ok((registration, Maintenance { operator }))
}

fn details(draft: &mut Draft<'_>, kept: Option<&Details>) -> Details {
    let of = |field: fn(&Details) -> &str| kept.map(field);
    let or = |field: fn(&Details) -> &str, default: &'static str| kept.map_or(default, field);
    Details {
        hostname: draft.text("hostname", Shape::Hostname, of(|d| &d.hostname)),
        domain: draft.text("domain", Shape::Domain, of(|d| &d.domain)),
        address: canonical(&draft.text("address", Shape::Address, of(|d| &d.address))),
        netmask: draft.text("netmask", Shape::Netmask, of(|d| &d.netmask)),
        gateway: canonical(&draft.text("gateway", Shape::Address, of(|d| &d.gateway))),
        node_type: draft.choice("node_type", &NODE_TYPES, or(|d| &d.node_type, NODE_TYPES[0])),
        cloud_bursting: draft.boolean("cloud_bursting", kept.is_some_and(|kept| kept.cloud_bursting)),
        maintenance_mode_reason: {
            let reason = or(|d| &d.maintenance_mode_reason, "");
            draft.text("maintenance_mode_reason", TEXT, Some(reason))
        },
        description: draft.text("description", TEXT, Some(or(|d| &d.description, ""))),
        deployment_type: {
            let default = or(|d| &d.deployment_type, DEPLOYMENT_TYPES[0]);
            draft.choice("deployment_type", &DEPLOYMENT_TYPES, default)
        },
    }
}

/// The canonical text of an address, so that the same one is not registered twice.
fn canonical(address: &str) -> String {
    address.parse().map_or_else(|_| address.to_string(), |address: IpAddr| address.to_string())
}

fn unique(tx: &Transaction<'_>, wanted: &Registration, errors: &mut FieldErrors) -> Result<(), Refusal> {
    let Registration { id, name, system_location, details } = wanted;
    if number(tx, "SELECT id FROM worker_vm WHERE name = ?1 AND id <> ?2", &[name, id])?.is_some() {
        errors.add("name", "A Conferencing Node with this name exists already.");
    }
    let same = "SELECT id FROM worker_vm WHERE lower(body ->> 'hostname') = lower(?1) AND id <> ?2";
    if number(tx, same, &[&details.hostname, id])?.is_some() {
        errors.add("hostname", "A Conferencing Node with this host name exists already.");
    }
    let same = "SELECT id FROM worker_vm WHERE body ->> 'address' = ?1 AND id <> ?2";
    if number(tx, same, &[&details.address, id])?.is_some() {
        errors.add("address", "A Conferencing Node with this address exists already.");
    }
    let there = "SELECT id FROM system_location WHERE id = ?1";
    if *system_location != 0 && number(tx, there, &[system_location])?.is_none() {
        errors.add("system_location", "There is no such system location.");
    }
    Ok(())
}

fn insert(tx: &Transaction<'_>, registration: &Registration) -> Result<i64, Refusal> {
    let Registration { id: _, name, system_location, details } = registration;
    let body = serde_json::to_string(details)?;
    tx.execute(
        "INSERT INTO worker_vm (name, system_location, body) VALUES (?1, ?2, ?3)",
        params![name, system_location, body],
    )?;
    Ok(tx.last_insert_rowid())
}

fn store(tx: &Transaction<'_>, registration: &Registration) -> Result<(), Refusal> {
    let Registration { id, name, system_location, details } = registration;
    let body = serde_json::to_string(details)?;
    tx.execute(
        "UPDATE worker_vm SET name = ?2, system_location = ?3, body = ?4 WHERE id = ?1",
        params![id, name, system_location, body],
    )?;
    Ok(())
}

/// All registrations, in the order of their ids.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Registration>, Refusal> {
    let sql = "SELECT id, name, system_location, body FROM worker_vm ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], raw)?;
    rows.map(|row| registration(row?)).collect()
}

/// One registration.
pub(crate) fn find(connection: &Connection, id: i64) -> Result<Registration, Refusal> {
    let sql = "SELECT id, name, system_location, body FROM worker_vm WHERE id = ?1";
    let found = connection.prepare_cached(sql)?.query_row([id], raw).optional()?;
    registration(found.ok_or_else(|| Refusal::no_such(RESOURCE, id))?)
}

type Raw = (i64, String, Option<i64>, String);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn registration((id, name, system_location, body): Raw) -> Result<Registration, Refusal> {
    let details = serde_json::from_str(&body)?;
    Ok(Registration { id, name, system_location: system_location.unwrap_or(0), details })
}

impl Registration {
    fn duty(&self) -> Duty {
        if self.details.cloud_bursting { Duty::Bursting } else { Duty::AlwaysOn }
    }
}

fn node_id(id: i64) -> Result<NodeId, Refusal> {
    u32::try_from(id).map(NodeId).map_err(|_| full())
}

/// The nodes in the operator's maintenance mode.
fn operators_nodes(api: &Api) -> BTreeSet<i64> {
    api.committer().read(|fleet, _| {
        let held = fleet.nodes().iter().filter(|(_, node)| node.operator_maintenance.is_some());
        held.map(|(id, _)| i64::from(id.0)).collect()
    })
}

fn shown(registration: &Registration, in_maintenance: &BTreeSet<i64>) -> Value {
    let Registration { id, name, system_location, details } = registration;
    json!({
        "id": id,
        "name": name,
        "hostname": details.hostname,
        "domain": details.domain,
        "address": details.address,
        "netmask": details.netmask,
        "gateway": details.gateway,
        "system_location": format!("{}{system_location}/", system_location::LIST),
        "node_type": details.node_type,
        "cloud_bursting": details.cloud_bursting,
        "maintenance_mode": in_maintenance.contains(id),
        "maintenance_mode_reason": details.maintenance_mode_reason,
        "description": details.description,
        "deployment_type": details.deployment_type,
        "resource_uri": format!("{LIST}{id}/"),
    })
}

fn full() -> Refusal {
    Refusal::new(
        Kind::Conflict,
        format!("there are {NODES_AT_MOST} Conferencing Nodes, no more are allowed"),
        "delete those that are not in use",
    )
}
