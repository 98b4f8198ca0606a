//! The phases of a run in which a fault is injected, in their order, with their names.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A phase of a run in which a fault is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub enum Phase {
    /// The Management Node unpacks the release into its inactive slot.
    ManagerStages,
    /// The Management Node runs the new release, which has not confirmed itself.
    ManagerRestarts,
    /// The Conferencing Nodes download the package.
    NodeStages,
    /// A node has been asked to enter maintenance mode and has not reported it.
    Prepares,
    /// A node waits for its calls to clear.
    Waits,
    /// A node whose calls have cleared is asked to install.
    Installs,
    /// A node runs the new release, which has not confirmed itself.
    Reboots,
    /// A node's new release has confirmed itself, and the next node is taken.
    Returns,
    /// The run only waits for nodes that do not report, until their grace period ends.
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
