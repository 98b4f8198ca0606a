//! The core of Pitlane: the state machine of the platform and that of a node.
//!
//! Everything here is a function of values: no clock, no I/O, no randomness, no logging, no async. Time is an
//! argument, effects are returned as what is *wanted*, and the facts that an event returns are the log.
//!
//! Read [`platform`] for the manager's side and [`agent`] for the node's.
#![no_std]

extern crate alloc;

pub mod time;
pub mod version;
pub mod wall;

pub mod path;
pub mod policy;

pub mod desired;
pub mod observed;
pub mod starts;

pub mod node;
pub mod nodes;
pub mod progress;
pub mod run;
mod stored;

pub mod platform;

pub mod agent;

pub mod check;
pub mod fact;
pub mod status;
