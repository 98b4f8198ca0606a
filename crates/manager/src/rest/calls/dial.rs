//! `command/v1/participant/dial/`: a node calls somebody into a conference. Which node: the one that is named, or one of
//! a system location, or any; of several the one that holds the conference, else the one with the fewest calls.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use fleet::node::{Contact, Node, NodeId};
use fleet::observed::{Admission, Calls};
use serde_json::{Map, Value, json};
use wire::live::Action;

use super::commands::{carry_out, name_of, success};
use super::places;
use crate::rest::Api;
use crate::rest::error::{FieldErrors, Kind, Refusal};
use crate::rest::request::Fields;
use crate::rest::route::both;
use crate::view::Places;

const DIAL: &str = "/api/admin/command/v1/participant/dial/";

const RESOURCE: &str = "dial";
/// The longest values, in characters.
const TEXT: usize = 250;

/// What may be asked for in the compatible API and is not done here: a call that is made without it would not be the one
/// that was wanted. The values that change nothing are taken.
const NOT_DONE: [(&str, &[&str]); 5] = [
    ("dtmf_sequence", &[""]),
    ("presentation_url", &[""]),
    ("custom_sip_headers", &[""]),
    ("streaming", &["", "false"]),
    ("protocol", &["", "sip", "auto"]),
];

pub(super) fn routes() -> Router<Api> {
    both(DIAL, post(dial))
}

/// What is asked for.
struct Asked {
    alias: String,
    destination: String,
    display_name: Option<String>,
    node: Option<String>,
    location: Option<String>,
}

async fn dial(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    let asked = read(&body)?;
    let room = room_of(&api, &asked.alias)?;
    let node = choose(&api, &places(&api).await?, &asked, &room)?;
    let Asked { destination, display_name, .. } = asked;
    let participant = carry_out(&api, node, Action::Dial { room, destination, display_name }).await?;
    let ids: Vec<_> = participant.into_iter().collect();
    Ok(success(&json!({"participant_id": participant, "participant_ids": ids})))
}

fn read(body: &Map<String, Value>) -> Result<Asked, Refusal> {
    let mut errors = FieldErrors::default();
    let mut text = |field: &'static str| match body.get(field) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.chars().count() <= TEXT => Some(text.trim().to_string()),
        Some(_) => {
            errors.add(field, format!("Enter a text of {TEXT} characters at most."));
            None
        }
    };
    let [alias, destination, display_name, node, location] =
        ["conference_alias", "destination", "remote_display_name", "node", "system_location"].map(&mut text);
    for (field, allowed) in NOT_DONE {
        let given = match body.get(field) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.to_lowercase(),
            Some(other) => other.to_string(),
        };
        if !allowed.contains(&given.as_str()) {
            errors.add(field, "This release cannot do that; leave the field out.");
        }
    }
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut required = |field: &'static str, text: Option<String>| {
        let text = given(text);
        if text.is_none() {
            errors.add(field, "This field is required.");
        }
        text.unwrap_or_default()
    };
    let (alias, destination) = (required("conference_alias", alias), required("destination", destination));
    errors.into_result(RESOURCE)?;
    let (display_name, node, location) = (given(display_name), given(node), given(location));
    Ok(Asked { alias, destination, display_name, node, location })
}

/// The Virtual Meeting Room with this alias, or this name.
fn room_of(api: &Api, alias: &str) -> Result<String, Refusal> {
    let rooms = api.committer().rooms();
    let wanted = alias.to_lowercase();
    let by_alias = rooms.rooms.iter().find(|room| room.aliases.iter().any(|it| it.to_lowercase() == wanted));
    let room = by_alias.or_else(|| rooms.rooms.iter().find(|room| room.name.to_lowercase() == wanted));
    room.map(|room| room.name.clone()).ok_or_else(|| {
        let message = "There is no Virtual Meeting Room with this alias.";
        FieldErrors::one("conference_alias", message).refusal(RESOURCE, Kind::Invalid)
    })
}

/// The node that dials.
fn choose(api: &Api, places: &Places, asked: &Asked, room: &str) -> Result<NodeId, Refusal> {
    if let Some(wanted) = &asked.node {
        let node = named(api, places, wanted)?;
        return admits(api, node).map(|()| node);
    }
    let candidates = within(api, places, asked.location.as_deref())?;
    let holding = holders(api, room);
    let best = api.committer().read(|fleet, _| {
        let known = candidates.iter().filter_map(|id| Some((*id, fleet.nodes().get(*id)?)));
        let ready = known.filter(|(_, node)| is_ready(node));
        ready.min_by_key(|(id, node)| (!holding.contains(id), calls_of(node), *id)).map(|(id, _)| id)
    });
    best.ok_or_else(|| {
        Refusal::new(
            Kind::Unreachable,
            "no Conferencing Node that could dial is in service; nothing was done",
            "look at `pitlane node list`; end a maintenance mode, or name another system location",
        )
    })
}

/// A node by its name, its address or its id.
fn named(api: &Api, places: &Places, wanted: &str) -> Result<NodeId, Refusal> {
    let end = wanted.trim_end_matches('/').rsplit('/').next().unwrap_or(wanted);
    let id = end.parse().ok().map(NodeId);
    let by_address = places.iter().find(|(_, place)| place.address == wanted).map(|(id, _)| *id);
    let found = api.committer().read(|fleet, _| {
        let mut nodes = fleet.nodes().iter();
        let by_name = nodes.find(|(_, node)| node.name.eq_ignore_ascii_case(wanted)).map(|(id, _)| id);
        by_name.or(by_address).or(id.filter(|id| fleet.nodes().get(*id).is_some()))
    });
    found.ok_or_else(|| {
        let message = "There is no Conferencing Node of this name or address.";
        FieldErrors::one("node", message).refusal(RESOURCE, Kind::Invalid)
    })
}

/// The nodes of a system location, or all.
fn within(api: &Api, places: &Places, location: Option<&str>) -> Result<BTreeSet<NodeId>, Refusal> {
    let Some(location) = location else {
        return Ok(api.committer().read(|fleet, _| fleet.nodes().ids().into_iter().collect()));
    };
    let is_there = |name: &str| name.to_lowercase() == location.to_lowercase();
    let nodes: BTreeSet<_> =
        places.iter().filter(|(_, place)| is_there(&place.location)).map(|(id, _)| *id).collect();
    if !nodes.is_empty() {
        return Ok(nodes);
    }
    let message = "There is no system location of this name with a Conferencing Node.";
    Err(FieldErrors::one("system_location", message).refusal(RESOURCE, Kind::Invalid))
}

/// The nodes that hold a part of the conference in a room.
fn holders(api: &Api, room: &str) -> BTreeSet<NodeId> {
    let committer = api.committer();
    committer.calls().read(committer.now(), |nodes| {
        let holds = nodes.iter().filter(|node| node.participants.values().any(|it| it.reported.room == room));
        holds.map(|node| node.node).collect()
    })
}

fn is_ready(node: &Node) -> bool {
    let admits = node.observed.as_ref().is_some_and(|observed| observed.admission == Admission::Admitting);
    node.contact == Contact::Heard && admits && node.owners().is_empty()
}

/// A call that is dialled is a new call: maintenance mode refuses it (R3).
fn admits(api: &Api, node: NodeId) -> Result<(), Refusal> {
    let in_maintenance = api.committer().read(|fleet, _| {
        fleet.nodes().get(node).is_some_and(|node| {
            let refuses = node.observed.as_ref().is_some_and(|it| it.admission == Admission::Refusing);
            refuses || !node.owners().is_empty()
        })
    });
    if !in_maintenance {
        return Ok(());
    }
    Err(Refusal::new(
        Kind::Conflict,
        format!("{} is in maintenance mode and makes no new calls; nothing was done", name_of(api, node)),
        "dial from another node, or end the maintenance mode first",
    ))
}

fn calls_of(node: &Node) -> u32 {
    match node.observed.as_ref().map(|observed| observed.calls) {
        Some(Calls::Known { count, .. }) => count,
        Some(Calls::Unknown) | None => u32::MAX,
    }
}
