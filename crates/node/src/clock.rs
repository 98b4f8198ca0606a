//! The node's clock, which is the one of all our programs.

pub use ::clock::{Clock, Stamp};
