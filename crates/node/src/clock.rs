//! The node's clock, which is the one of all our programs, and the wall clock of its machine.

use ::clock::{Machine, Source as _};

pub use ::clock::{Clock, Stamp};

/// Milliseconds since 1970-01-01 UTC by the wall clock.
pub fn wall() -> u64 {
    Machine.wall().0
}
