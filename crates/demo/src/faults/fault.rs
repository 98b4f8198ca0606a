//! The faults, whom each strikes, and where one means nothing.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::phase::Phase;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
pub enum Fault {
    /// A Conferencing Node loses its power.
    NodeKilled,
    /// A Conferencing Node's program stands still.
    NodeHung,
    /// A Conferencing Node's management line is cut.
    NodeCutOff,
    /// The Management Node loses its power.
    ManagerKilled,
    /// The Management Node's line is cut.
    ManagerCutOff,
    /// The disk of the machine whose phase it is has no byte left.
    DiskFull,
    /// The disk of the machine whose phase it is refuses every change.
    WriteError,
    /// The line of the machine whose phase it is has become slow.
    SlowLink,
    /// The package is damaged on its way.
    DamagedTransfer,
}

/// Who is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The Management Node.
    Manager,
    /// The Conferencing Node whose phase it is, with calls on it.
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

    /// Why the fault means nothing in a phase, if so.
    pub fn means_nothing_in(self, phase: Phase) -> Option<&'static str> {
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

    /// Whom it strikes.
    pub(crate) fn victim(self, phase: Phase) -> Victim {
        match self {
            Self::NodeKilled | Self::NodeHung | Self::NodeCutOff => Victim::Node,
            Self::ManagerKilled | Self::ManagerCutOff | Self::DamagedTransfer => Victim::Manager,
            Self::DiskFull | Self::WriteError | Self::SlowLink => match phase {
                Phase::ManagerStages | Phase::ManagerRestarts | Phase::Ends => Victim::Manager,
                Phase::NodeStages
                | Phase::Prepares
                | Phase::Waits
                | Phase::Installs
                | Phase::Reboots
                | Phase::Returns => Victim::Node,
            },
        }
    }

    /// Whether it ends the calls of the node that it strikes: no program can speak without power.
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

    /// Whether it lasts until the run has ended, rather than until the run has said why it waits. A node
    /// that was not touched yet does not hold up the others (R11), and a slow line holds up nobody.
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
