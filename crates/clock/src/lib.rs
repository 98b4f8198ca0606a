//! A program's time: the time that was stored last, plus the time that has passed since. It never goes back or
//! jumps when the wall clock is set, so no limit does.
//!
//! While the machine stays up, the time is counted by its uptime, which nobody can set. Downtime of the machine
//! is known from the wall clock alone, and is limited by [`believed`]. The crate decides nothing else; the wall
//! clock that operators are shown is a matter of [`fleet::wall`].

mod source;

mod machine;
mod program;
mod set;

pub use fleet::wall::BELIEVED;
pub use machine::Machine;
pub use program::{Clock, Stamp, believed};
pub use set::SetByHand;
pub use source::{Readings, Source, Trust};
