//! The Conferencing Node's program: sockets, files and clock around [`fleet::agent::Reconciler`], which decides what
//! the node does. This crate performs it and never decides itself.
//!
//! In reading order: settings and state of the machine, the link to the Management Node, staging, and the event loop
//! that ties them together.

pub mod files;
pub mod settings;

pub mod clock;
pub mod persistent_state;
pub mod unconfirmed;

pub mod identity;

pub mod backoff;
pub mod http;
pub mod reason;
pub mod renewal;

pub mod bootstrap;
pub mod enrol;
mod held_request;
pub mod link;
pub mod live;
pub mod machine_facts;

pub mod preflight;
pub mod staging;

pub mod calls;
pub mod confirmation;
pub mod engine_probe;
pub mod operator_certificate;
pub mod web;

pub mod watchdog;

pub mod driver;

pub mod start;
