//! The driver: applies events to the core, commits the result, and acts on what the core wants.
//!
//! It relies on `fleet` for every decision and on `store` for durability. It never decides itself.

pub(crate) mod alarms;
mod certificates;
mod committer;
mod log;
mod notifier;
mod past_calls;
mod rooms;
mod wall;

mod run;

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod tests;

pub use committer::{Committer, NodeRuntime, Started};
pub(crate) use past_calls::{restore as restore_calls, store_all as store_past_calls};
pub(crate) use rooms::RoomsToSend;
pub use run::{Driver, Ended};
