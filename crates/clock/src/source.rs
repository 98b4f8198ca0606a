//! The clocks of a machine, as the trait that the program's clock reads them through, and their readings.

use fleet::time::{Span, Wall};
use serde::{Deserialize, Serialize};

/// Whether a wall clock is known to be correct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// A time daemon has set it since the machine started.
    Synchronised,
    /// Not known.
    #[default]
    Unknown,
}

/// The readings of a machine's clocks at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readings {
    /// The wall clock, which may jump.
    pub wall: Wall,
    /// The boot id of the machine; empty when it is not known.
    pub boot: String,
    /// The time since the machine started, including suspended time.
    pub uptime: Span,
    /// Whether the wall clock is known to be correct.
    #[serde(default)]
    pub trust: Trust,
}

/// A source of clock readings.
pub trait Source: std::fmt::Debug + Send + Sync {
    /// The wall clock.
    fn wall(&self) -> Wall;
    /// The time since the machine started. It never goes back.
    fn uptime(&self) -> Span;
    /// The boot id of the machine; empty when it is not known.
    fn boot(&self) -> String;
    /// Whether the wall clock is known to be correct.
    fn trust(&self) -> Trust;
}
