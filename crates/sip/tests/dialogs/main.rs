//! Dialogs: creation, routing, the order of requests, targets, 2xx and ACK, INVITEs that overlap, and the table.

mod kit;
#[path = "../support/mod.rs"]
#[allow(dead_code)] // The other tests need more of it.
mod support;

mod acknowledging;
mod creation;
mod ending;
mod export;
mod overlap;
mod provisional;
mod receiving;
mod routing;
mod sending;
mod table;
mod targets;
