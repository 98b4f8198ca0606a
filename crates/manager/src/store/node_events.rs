//! What has happened to nodes, for `history/v1/workervm_status_event/`: a row for each fact of the core that changes the
//! status of a node, written in the transaction of the fact.

use fleet::fact::{Fact, NodeFact};
use fleet::node::NodeId;
use fleet::time::Wall;
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde_json::json;

use super::{StoreError, signed};

/// How many rows are kept, of some 300 bytes: a run over 10,000 nodes writes 30,000.
const EVENTS: i64 = 50_000;

/// After how many rows the oldest are deleted, so that this is not done at every one.
const CUT_EVERY: i64 = 100;

/// Writes the facts that change the status of nodes.
///
/// # Errors
/// The database reports an error.
pub(super) fn append(tx: &Transaction<'_>, at: Wall, facts: &[Fact]) -> Result<(), StoreError> {
    for fact in facts {
        if let Fact::Node { node, name, what } = fact
            && let Some(event) = event_type(what)
        {
            write(tx, at, (*node, name), event, &what.to_string())?;
        }
    }
    Ok(())
}

fn write(
    tx: &Transaction<'_>,
    at: Wall,
    (node, name): (NodeId, &str),
    event: &str,
    details: &str,
) -> Result<(), StoreError> {
    let (address, location) = place(tx, node)?;
    let body = json!({
        "details": details,
        "workervm_address": address,
        "workervm_configuration_location_name": location,
        "workervm_configuration_name": name,
    });
    let sql = "INSERT INTO workervm_status_event (event_type, time_changed, workervm_configuration_id, body)
               VALUES (?1, ?2, ?3, ?4)";
    let at = signed(at.0);
    tx.prepare_cached(sql)?.execute(params![event, at, node.0, body.to_string()])?;
    let written = tx.last_insert_rowid();
    if written % CUT_EVERY == 0 {
        tx.prepare_cached("DELETE FROM workervm_status_event WHERE id <= ?1")?.execute([written - EVENTS])?;
    }
    Ok(())
}

/// The address and the system location of a node; of one that was just deleted, those of its last event.
fn place(tx: &Transaction<'_>, node: NodeId) -> Result<(String, String), StoreError> {
    let registered = "SELECT coalesce(worker_vm.body ->> 'address', ''), coalesce(system_location.name, '')
                      FROM worker_vm LEFT JOIN system_location ON system_location.id = worker_vm.system_location
                      WHERE worker_vm.id = ?1";
    let before = "SELECT body ->> 'workervm_address', body ->> 'workervm_configuration_location_name'
                  FROM workervm_status_event WHERE workervm_configuration_id = ?1 ORDER BY id DESC LIMIT 1";
    for sql in [registered, before] {
        let found =
            tx.prepare_cached(sql)?.query_row([node.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Ok((String::new(), String::new()))
}

/// The token of a fact that changes the status of a node. It never changes. Facts at a rate that a node sets are left out,
/// so that they displace no others.
fn event_type(what: &NodeFact) -> Option<&'static str> {
    match what {
        NodeFact::Added => Some("workervm_added"),
        NodeFact::Removed => Some("workervm_removed"),
        NodeFact::ContactMade { .. } => Some("workervm_contact_made"),
        NodeFact::ContactLost => Some("workervm_contact_lost"),
        NodeFact::ContactRestored { .. } => Some("workervm_contact_restored"),
        NodeFact::OperatorMaintenanceOn { .. } => Some("workervm_maintenance_on"),
        NodeFact::OperatorMaintenanceOff => Some("workervm_maintenance_off"),
        NodeFact::Upgraded { .. } => Some("workervm_upgraded"),
        NodeFact::Renamed { .. }
        | NodeFact::DutyChanged(_)
        | NodeFact::Unfit { .. }
        | NodeFact::Fit
        | NodeFact::StartFault { .. }
        | NodeFact::StartFaultOver
        | NodeFact::ClockOff { .. }
        | NodeFact::ClockRight
        | NodeFact::OutOfDate { .. }
        | NodeFact::OutOfDateOver
        | NodeFact::Duplicated(_)
        | NodeFact::DuplicateOver
        | NodeFact::Power(_)
        | NodeFact::Queued
        | NodeFact::Staged { .. }
        | NodeFact::Preparing
        | NodeFact::Draining { .. }
        | NodeFact::DrainTimedOut { .. }
        | NodeFact::Installing
        | NodeFact::Rebooting
        | NodeFact::Returned
        | NodeFact::GivenUp { .. }
        | NodeFact::Failed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn facts_that_change_the_status_of_a_node_are_kept_with_its_place_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = super::super::open(&dir.path().join("store.db"), &mut || {}).unwrap();
        let tx = connection.transaction().unwrap();
        let sql =
            "INSERT INTO worker_vm (id, name, body) VALUES (1, 'oslo-1', '{\"address\":\"192.0.2.1\"}')";
        tx.execute(sql, []).unwrap();
        let fact = |what| Fact::Node { node: NodeId(1), name: "oslo-1".into(), what };
        append(&tx, Wall(7), &[fact(NodeFact::ContactLost), fact(NodeFact::Queued)]).unwrap();
        tx.execute("DELETE FROM worker_vm", []).unwrap();
        append(&tx, Wall(8), &[Fact::ClockSteady, fact(NodeFact::Removed)]).unwrap();
        let rows = |connection: &Connection| -> Vec<(String, i64, String)> {
            let sql =
                "SELECT event_type, time_changed, body ->> 'workervm_address' FROM workervm_status_event";
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let of = |event: &str, at| (event.to_string(), at, "192.0.2.1".to_string());
        assert_eq!(rows(&tx), [of("workervm_contact_lost", 7), of("workervm_removed", 8)]);
    }
}
