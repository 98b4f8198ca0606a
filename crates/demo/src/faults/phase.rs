//! The phases of a run, in their order.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A phase of a run in which a fault is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub enum Phase {
    /// The Management Node unpacks the release into its inactive slot.
    ManagerStages,
    /// The Management Node tries the new release, which has not confirmed itself.
    ManagerRestarts,
    /// The package is on its way to the Conferencing Nodes.
    NodeStages,
    /// A node is asked into maintenance mode and has not said that it is there.
    Prepares,
    /// A node waits for its calls to clear.
    Waits,
    /// A node whose calls have cleared is asked to install.
    Installs,
    /// A node tries the new release, which has not confirmed itself.
    Reboots,
    /// A node's new release has confirmed itself, and the next node's turn comes.
    Returns,
    /// Nothing is left to do but to give absent nodes a grace.
    Ends,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ManagerStages,
        Self::ManagerRestarts,
        Self::NodeStages,
        Self::Prepares,
        Self::Waits,
        Self::Installs,
        Self::Reboots,
        Self::Returns,
        Self::Ends,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ManagerStages => "the manager stages",
            Self::ManagerRestarts => "the manager restarts",
            Self::NodeStages => "the nodes stage",
            Self::Prepares => "Preparing to upgrade",
            Self::Waits => "Waiting for calls to clear",
            Self::Installs => "Upgrade in progress",
            Self::Reboots => "Rebooting",
            Self::Returns => "back in service",
            Self::Ends => "the end of the run",
        })
    }
}
