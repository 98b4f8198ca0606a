//! What the API has for upgrades alone: packages with their upload, and the start of a run.

mod admission;
mod companions;
mod held_packages;
mod obstacles;
mod orders;
mod policy;
mod precheck;
mod restore_point;
mod start;
mod upload;
mod upload_store;

use axum::Router;

use super::Api;

pub(super) use companions::of_the_platform as companion_warnings;
pub(super) use policy::shown as policy_shown;
pub(super) use upload_store::{IDLE, UploadLocks};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .merge(start::routes())
        .merge(orders::routes())
        .merge(held_packages::routes())
        .merge(upload::routes())
}
