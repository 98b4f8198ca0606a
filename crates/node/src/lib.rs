//! The Conferencing Node's shell: it acts and does not decide. What to do comes from
//! [`fleet::agent::Agent`]; here are the sockets, the files and the clock around it.
//!
//! In reading order: what the machine is and remembers, how it speaks with the Management Node, how it
//! fetches a release, and the loop that ties them together.

pub mod files;
pub mod settings;

pub mod clock;
pub mod memory;
pub mod unconfirmed;

pub mod identity;

pub mod backoff;
pub mod http;
pub mod reason;
pub mod renewal;

pub mod enrol;
pub mod link;

pub mod preflight;
pub mod staging;

pub mod calls;
pub mod heartbeat;
pub mod probation;
pub mod web;

pub mod watchdog;

pub mod driver;

pub mod start;
