//! The node's clock: the one of crate `clock`, which all programs share.

pub use ::clock::{Clock, Stamp};
