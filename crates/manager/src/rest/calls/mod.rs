//! Live calls: `status/v1/conference/`, `conference_shard/` and `participant/`, and the commands to them.
//!
//! What is shown is in memory and was said by nodes; a command goes to the node that has the call, and its answer waits
//! for what has become of it there.

mod commands;
mod dial;
mod status;

use axum::Router;
use rusqlite::{Connection, Row};

use super::Api;
use super::error::Refusal;
use crate::view::{Place, Places};

pub(super) fn routes() -> Router<Api> {
    status::routes().merge(commands::routes()).merge(dial::routes())
}

/// The addresses and system locations of all nodes.
async fn places(api: &Api) -> Result<Places, Refusal> {
    let read = |connection: &Connection| {
        let sql = "SELECT worker_vm.id, worker_vm.body ->> 'address', system_location.name FROM worker_vm
                   LEFT JOIN system_location ON system_location.id = worker_vm.system_location";
        let mut statement = connection.prepare_cached(sql)?;
        let place = |row: &Row<'_>| {
            let (address, location): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
            let place =
                Place { address: address.unwrap_or_default(), location: location.unwrap_or_default() };
            Ok((fleet::node::NodeId(row.get(0)?), place))
        };
        let places: Places = statement.query_map([], place)?.collect::<Result<_, _>>()?;
        Ok::<_, Refusal>(places)
    };
    api.committer().store().read(read).await
}
