//! What follows from a change of a registration of a Conferencing Node: the fleet learns of it in the same transaction.
//!
//! Whether a node is in the operator's maintenance mode, the core alone knows; only the reason is stored in the row, too,
//! because it may be given before or after.

use crate::store::Transaction;
use fleet::node::{Duty, NodeId};
use fleet::platform::{Event, Fleet};

use super::audit::{self, Requester};
use super::perform::milliseconds;
use super::write::Change;
use crate::resources::configuration::worker_vm::{
    CLOUD_BURSTING, MAINTENANCE_MODE, MAINTENANCE_MODE_REASON, NAME, WORKER_VM,
};
use crate::resources::{CoreFacts, Object};
use crate::rest::Api;
use crate::rest::error::{Kind, Refusal};
use crate::store::enrolments;
use crate::store::objects;

/// What the state of the platform says about the registrations.
pub(super) fn facts(fleet: &Fleet) -> CoreFacts {
    let held = fleet.nodes().iter().filter(|(_, node)| node.operator_maintenance.is_some());
    CoreFacts { in_maintenance: held.map(|(id, _)| i64::from(id.0)).collect() }
}

/// The events that follow from a change.
pub(super) fn events(tx: &Transaction<'_>, fleet: &Fleet, change: &Change) -> Result<Vec<Event>, Refusal> {
    match change {
        Change::Created { object, children: _ } => {
            let id = node_id(object.id)?;
            let added = Event::NodeAdded { id, name: object.text(&NAME).into(), duty: duty(object) };
            Ok(std::iter::once(added).chain(maintenance(id, object, None)).collect())
        }
        Change::Changed { from, to, children: _ } => {
            let id = node_id(to.id)?;
            let held = fleet.nodes().get(id).and_then(|node| node.operator_maintenance.clone());
            let differs = to.get(&NAME) != from.get(&NAME) || duty(to) != duty(from);
            let changed = Event::NodeChanged { id, name: to.text(&NAME).into(), duty: duty(to) };
            Ok(differs.then_some(changed).into_iter().chain(maintenance(id, to, held)).collect())
        }
        Change::Removed { object, children: _ } => {
            let id = node_id(object.id)?;
            enrolments::forget(tx, id)?;
            Ok(vec![Event::NodeRemoved { id }])
        }
    }
}

fn duty(object: &Object) -> Duty {
    if object.is(&CLOUD_BURSTING) { Duty::Bursting } else { Duty::AlwaysOn }
}

/// The change of the operator's maintenance mode, if there is one.
fn maintenance(id: NodeId, object: &Object, held: Option<String>) -> Option<Event> {
    let operator = object.is(&MAINTENANCE_MODE).then(|| object.text(&MAINTENANCE_MODE_REASON).to_string());
    (operator != held).then_some(Event::Maintenance { id, operator })
}

/// Creates a new enrolment file for a registered node: for one that was off for longer than its certificate is valid, or
/// whose machine was replaced. The present identity counts until the file is used. Returns the name of the node and the
/// token.
pub(super) async fn enrol(api: &Api, by: Requester, id: i64) -> Result<(String, String), Refusal> {
    let node = node_id(id)?;
    let (now, wall) = (api.committer().now(), milliseconds(api));
    let write = move |tx: &Transaction<'_>| {
        let found = objects::find(tx, &WORKER_VM, id, &CoreFacts::default())?;
        let object = found.ok_or_else(|| Refusal::no_such(WORKER_VM.name, id))?;
        audit::asked(tx, &by, wall, "enrolment", &object)?;
        Ok::<_, Refusal>((object.text(&NAME).to_string(), enrolments::issue(tx, node, now)?))
    };
    let (name, token) = api.committer().store().write(write).await?;
    tracing::info!(
        node = id,
        name,
        "a new enrolment file was made; what the node has counts until it is used"
    );
    Ok((name, token))
}

/// The number of a node in the fleet.
pub(super) fn node_id(id: i64) -> Result<NodeId, Refusal> {
    let number = u32::try_from(id).map(NodeId);
    number.map_err(|_| {
        Refusal::new(Kind::NotFound, format!("worker_vm {id} not found"), "no node has such a number")
    })
}
