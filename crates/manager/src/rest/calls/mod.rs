//! Live calls: `status/v1/conference/`, `conference_shard/` and `participant/`, and the commands to them. Past calls:
//! `history/v1/conference/` and `participant/`.
//!
//! What is shown is in memory and was reported by nodes; a command goes to the node that has the call, and its answer waits
//! for what has become of it there.

mod commands;
mod dial;
mod past;
mod status;

use super::Api;
use super::error::Refusal;
use crate::store::locations;
use crate::view::{Place, Places};
pub(super) use commands::success;

use axum::Router;

pub(super) fn routes() -> Router<Api> {
    status::routes().merge(past::routes()).merge(commands::routes()).merge(dial::routes())
}

/// The addresses and system locations of all nodes.
async fn places(api: &Api) -> Result<Places, Refusal> {
    let stored = api.committer().store().read(locations::places).await?;
    Ok(stored.into_iter().map(|(id, (address, location))| (id, Place { address, location })).collect())
}
