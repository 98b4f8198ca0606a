//! The faults: the target of each, the phases it applies to, whether it ends calls, and how long it lasts.
//!
//! Pure data; `inject` does the injection.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::phase::Phase;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub enum Fault {
    /// A Conferencing Node loses its power.
    NodeKilled,
    /// A Conferencing Node's program is suspended.
    NodeHung,
    /// A Conferencing Node's management link is cut.
    NodeCutOff,
    /// The Management Node loses its power.
    ManagerKilled,
    /// The Management Node's link is cut.
    ManagerCutOff,
    /// The disk of the machine that is in the phase is full.
    DiskFull,
    /// The disk of the machine that is in the phase fails every write.
    WriteError,
    /// The management link of the machine that is in the phase is slow.
    SlowLink,
    /// The package is damaged in transfer.
    DamagedTransfer,
}

/// The machine that a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The Management Node.
    Manager,
    /// The Conferencing Node that is in the phase, with calls on it.
    Node,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NodeKilled,
        Self::NodeHung,
        Self::NodeCutOff,
        Self::ManagerKilled,
        Self::ManagerCutOff,
        Self::DiskFull,
        Self::WriteError,
        Self::SlowLink,
        Self::DamagedTransfer,
    ];

    /// Why the fault does not apply to a phase; `None` if it does.
    pub fn not_applicable_in(self, phase: Phase) -> Option<&'static str> {
        match (self, phase) {
            (
                Self::DamagedTransfer,
                Phase::Prepares
                | Phase::Waits
                | Phase::Installs
                | Phase::Reboots
                | Phase::Returns
                | Phase::Ends,
            ) => Some("the package is on every node already"),
            (
                Self::DamagedTransfer
                | Self::NodeKilled
                | Self::NodeHung
                | Self::NodeCutOff
                | Self::ManagerKilled
                | Self::ManagerCutOff
                | Self::DiskFull
                | Self::WriteError
                | Self::SlowLink,
                _,
            ) => None,
        }
    }

    /// The machine that it hits.
    pub(crate) fn target(self, phase: Phase) -> Target {
        match self {
            Self::NodeKilled | Self::NodeHung | Self::NodeCutOff => Target::Node,
            Self::ManagerKilled | Self::ManagerCutOff | Self::DamagedTransfer => Target::Manager,
            Self::DiskFull | Self::WriteError | Self::SlowLink => match phase {
                Phase::ManagerStages | Phase::ManagerRestarts | Phase::Ends => Target::Manager,
                Phase::NodeStages
                | Phase::Prepares
                | Phase::Waits
                | Phase::Installs
                | Phase::Reboots
                | Phase::Returns => Target::Node,
            },
        }
    }

    /// Whether it ends the calls of its target: without power, or suspended, a node sends no media.
    pub(crate) fn ends_calls(self) -> bool {
        match self {
            Self::NodeKilled | Self::NodeHung => true,
            Self::NodeCutOff
            | Self::ManagerKilled
            | Self::ManagerCutOff
            | Self::DiskFull
            | Self::WriteError
            | Self::SlowLink
            | Self::DamagedTransfer => false,
        }
    }

    /// Whether it lasts until the run has ended, rather than until the run has reported why it waits. The run goes on
    /// without a node that it has not taken yet (R11), and with a slow link.
    pub(crate) fn outlasts_the_run(self, phase: Phase) -> bool {
        let untouched = match phase {
            Phase::ManagerStages | Phase::ManagerRestarts | Phase::NodeStages | Phase::Ends => true,
            Phase::Prepares | Phase::Waits | Phase::Installs | Phase::Reboots | Phase::Returns => false,
        };
        match self {
            Self::NodeKilled | Self::NodeHung | Self::NodeCutOff => untouched,
            Self::SlowLink => true,
            Self::ManagerKilled
            | Self::ManagerCutOff
            | Self::DiskFull
            | Self::WriteError
            | Self::DamagedTransfer => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NodeKilled => "node killed",
            Self::NodeHung => "node hung",
            Self::NodeCutOff => "node cut off",
            Self::ManagerKilled => "manager killed",
            Self::ManagerCutOff => "manager cut off",
            Self::DiskFull => "disk full",
            Self::WriteError => "write error",
            Self::SlowLink => "slow link",
            Self::DamagedTransfer => "damaged transfer",
        })
    }
}
