//! The Management Node: store, links to the nodes, management API, and the upgrade of itself.
//!
//! It relies on `fleet` for every decision, and acts on what that wants. There is no global state: several
//! Management Nodes may run in one process.

mod bounded;
pub mod certificate;
pub mod layout;
pub mod own_machine;
mod per_source_limit;
pub mod preflight;
pub mod presence;
mod token_bucket;

mod disk_space;
mod held_certificates;
mod node_certificates;

pub mod store;

mod alarms;
mod calls;
mod licences;

pub mod driver;

pub mod enrolment;
pub mod packages;
mod registration;

pub mod auth;
pub mod authority;
pub mod backups;
pub mod gate;
pub mod link;
pub mod operator_certificate;
pub mod trust;

pub mod context;
mod policy;
mod resources;
pub mod rest;
pub mod settings;
pub mod start;
mod view;

#[cfg(test)]
mod testing;
