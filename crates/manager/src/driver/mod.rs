//! The driver: puts what happens to the core, commits what comes of it, and acts on what is wanted.
//! It never decides.

mod desk;
mod log;
mod news;
mod rooms;
mod wall;

mod own_upgrade;
mod run;

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod tests;

pub use desk::{Desk, Live, Started};
#[cfg(test)]
pub(crate) use own_upgrade::identity;
pub use own_upgrade::{Own, UpgradeError};
pub use rooms::{RoomsChanged, read_rooms};
pub use run::{Driver, Ended};
