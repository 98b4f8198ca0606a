//! Commands to participants and conferences: `command/v1/participant/{disconnect,mute,unmute}/` and
//! `command/v1/conference/{disconnect,lock,unlock}/`, and how each gets to its node.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use fleet::node::{Contact, NodeId};
use fleet::starts::StartId;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use uuid::Uuid;
use wire::live::Action;

use crate::calls::{COMMAND_LIFE, CommandError, Withdrawn};
use crate::rest::Api;
use crate::rest::error::{FieldErrors, Kind, Refusal};
use crate::rest::json::Json;
use crate::rest::request::Fields;
use crate::rest::route::both;

const PARTICIPANT: &str = "/api/admin/command/v1/participant";
const CONFERENCE: &str = "/api/admin/command/v1/conference";

pub(super) fn routes() -> Router<Api> {
    let participant = |name: &str, methods| both(&format!("{PARTICIPANT}/{name}/"), methods);
    let conference = |name: &str, methods| both(&format!("{CONFERENCE}/{name}/"), methods);
    participant("disconnect", post(disconnect))
        .merge(participant("mute", post(mute)))
        .merge(participant("unmute", post(unmute)))
        .merge(conference("disconnect", post(disconnect_all)))
        .merge(conference("lock", post(lock)))
        .merge(conference("unlock", post(unlock)))
}

async fn disconnect(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    to_participant(&api, &body, |participant| Action::Disconnect { participant }).await
}

async fn mute(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    to_participant(&api, &body, |participant| Action::SetMuted { participant, muted: true }).await
}

async fn unmute(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    to_participant(&api, &body, |participant| Action::SetMuted { participant, muted: false }).await
}

async fn disconnect_all(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    to_conference(&api, &body, |room| Action::DisconnectAll { room }).await
}

async fn lock(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    to_conference(&api, &body, |room| Action::SetLocked { room, locked: true }).await
}

async fn unlock(State(api): State<Api>, Fields(body): Fields) -> Result<Response, Refusal> {
    to_conference(&api, &body, |room| Action::SetLocked { room, locked: false }).await
}

async fn to_participant(
    api: &Api,
    body: &Map<String, Value>,
    action: impl FnOnce(Uuid) -> Action,
) -> Result<Response, Refusal> {
    let id = id_of(body, "participant_id", "participant")?;
    let committer = api.committer();
    let node = committer.calls().read(committer.now(), |nodes| {
        nodes.iter().find(|node| node.participants.contains_key(&id)).map(|node| node.node)
    });
    let node = node.ok_or_else(|| Refusal::no_such("participant", id))?;
    carry_out(api, node, action(id)).await?;
    Ok(success(&Value::Null))
}

/// A command to a conference goes to every node that holds a part of it.
async fn to_conference(
    api: &Api,
    body: &Map<String, Value>,
    action: impl Fn(String) -> Action,
) -> Result<Response, Refusal> {
    let id = id_of(body, "conference_id", "conference")?;
    let committer = api.committer();
    let parts = committer.calls().read(committer.now(), |nodes| {
        let rooms = || {
            nodes.iter().flat_map(|node| node.participants.values().map(move |it| (node.node, &it.reported)))
        };
        let room = rooms()
            .find(|(_, reported)| reported.conference == id)
            .map(|(_, reported)| reported.room.clone())?;
        let at: std::collections::BTreeSet<NodeId> =
            rooms().filter(|(_, reported)| reported.room == room).map(|(node, _)| node).collect();
        Some((room, at))
    });
    let (room, nodes) = parts.ok_or_else(|| Refusal::no_such("conference", id))?;
    let all = nodes.into_iter().map(|node| carry_out(api, node, action(room.clone())));
    let outcomes = futures_util::future::join_all(all).await;
    outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(success(&Value::Null))
}

fn id_of(body: &Map<String, Value>, field: &'static str, what: &'static str) -> Result<Uuid, Refusal> {
    let wrong = |message: &str| FieldErrors::one(field, message).refusal(what, Kind::Invalid);
    match body.get(field) {
        None | Some(Value::Null) => Err(wrong("This field is required.")),
        Some(given) => given
            .as_str()
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| wrong("Enter the id that the status of calls shows.")),
    }
}

/// Has a node carry out a command, and waits for its outcome.
///
/// # Errors
/// It cannot be delivered, or is not carried out, or nothing is known of it within its life.
pub(super) async fn carry_out(api: &Api, node: NodeId, action: Action) -> Result<Option<Uuid>, Refusal> {
    let name = name_of(api, node);
    let start = reachable_process(api, node, &name)?;
    let calls = api.committer().calls();
    let given = calls.enqueue(node, start, action).map_err(|error| refused(&name, &error))?;
    api.committer().changes_of(node).notify_waiters();
    match timeout(COMMAND_LIFE, given.outcome).await {
        Ok(Ok(Ok(participant))) => Ok(participant),
        Ok(Ok(Err(error))) => Err(refused(&name, &error)),
        Ok(Err(_)) | Err(_) => Err(unanswered(&name, calls.withdraw(node, given.id))),
    }
}

/// The process that a command is for.
fn reachable_process(api: &Api, node: NodeId, name: &str) -> Result<StartId, Refusal> {
    let contact = api.committer().read(|fleet, _| fleet.nodes().get(node).map(|node| node.contact));
    match contact {
        Some(Contact::Heard) => {}
        Some(Contact::Never | Contact::Silent { .. } | Contact::Lost { .. }) | None => {
            return Err(Refusal::new(
                Kind::Unreachable,
                format!("{name} cannot be contacted; nothing was done"),
                "check that the node runs and reaches the Management Node (`pitlane node show`), then try again",
            ));
        }
    }
    api.committer().calls().process(node).ok_or_else(|| {
        Refusal::new(
            Kind::Conflict,
            format!("{name} runs a release that takes no commands; nothing was done"),
            "upgrade the node first",
        )
    })
}

pub(super) fn name_of(api: &Api, node: NodeId) -> String {
    let name = api.committer().read(|fleet, _| fleet.nodes().get(node).map(|node| node.name.clone()));
    name.unwrap_or_else(|| format!("node {node}"))
}

fn refused(name: &str, error: &CommandError) -> Refusal {
    let (kind, hint) = match error {
        CommandError::Missing(_) => (Kind::NotFound, "list what there is now, and use the id that is shown"),
        CommandError::Failed(_) => (Kind::Conflict, "do what the sentence says, or choose another node"),
        CommandError::Restarted | CommandError::Removed => {
            (Kind::Conflict, "its calls have ended with it; list what there is now")
        }
        CommandError::TooMany => (Kind::Unreachable, "wait until those have their outcome, then try again"),
    };
    Refusal::new(kind, format!("{name}: {error}"), hint)
}

fn unanswered(name: &str, withdrawn: Withdrawn) -> Refusal {
    let seconds = COMMAND_LIFE.as_secs();
    let error = match withdrawn {
        Withdrawn::Unsent => {
            format!("the command could not be delivered to {name} within {seconds} s; nothing was done")
        }
        Withdrawn::Sent => format!(
            "{name} has not said within {seconds} s whether it has carried out the command, which was sent to it"
        ),
    };
    let hint = "look at the status of the call and of the node, then try again";
    Refusal::new(Kind::Unanswered, error, hint)
}

/// 202 with the data of a command.
pub(in crate::rest) fn success(data: &Value) -> Response {
    (StatusCode::ACCEPTED, Json(json!({"status": "success", "data": data}))).into_response()
}
