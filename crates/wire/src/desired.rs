//! The desired state of a node as it is sent. Responsible for the form of the message; what is wanted is decided in
//! the core, which has types of its own ([`fleet::desired`]), and the conversions in both directions are here and
//! nowhere else. Never decides anything.

use fleet::desired::{self, Generation, RunId};
use fleet::time::Span;
use fleet::version::{Release, Sha256};
use serde::{Deserialize, Serialize};

/// What is wanted of a node, and since which generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// The generation of this intent. Since protocol 1.
    pub generation: Generation,
    /// The intent. Since protocol 1.
    pub intent: Intent,
}

/// What is wanted of a node. Since protocol 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The owners of its maintenance mode. Without an owner it is to take calls. Since protocol 1.
    pub owners: Owners,
    /// The software it is to have, and how far it is to go with it. Since protocol 1.
    pub software: Option<(Assignment, Depth)>,
}

/// Who holds a node in maintenance mode (R12). Since protocol 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// The operator, with the reason that was given. Since protocol 1.
    pub operator: Option<String>,
    /// The run, with the lease: how long the node stays in maintenance mode by itself when it is cut off. Since
    /// protocol 1.
    pub run: Option<Span>,
    /// The platform, because the node is not fit to take calls, with the reason. Since protocol 1.
    pub platform: Option<String>,
}

/// The software that a run brings to a node. Since protocol 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The name of the run. Since protocol 1.
    pub run: RunId,
    /// The release. Since protocol 1.
    pub release: Release,
    /// The package: the hash of its manifest. Since protocol 1.
    pub manifest: Sha256,
}

/// How far a node is to go with the software. Since protocol 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Fetch, verify and unpack it.
    Stage,
    /// Select its slot and restart.
    Install,
}

impl From<desired::Desired> for Desired {
    fn from(desired: desired::Desired) -> Self {
        let desired::Desired { generation, intent: desired::Intent { owners, software } } = desired;
        let software = software.map(|(software, depth)| (software.into(), depth.into()));
        Self { generation, intent: Intent { owners: owners.into(), software } }
    }
}

impl From<Desired> for desired::Desired {
    fn from(desired: Desired) -> Self {
        let Desired { generation, intent: Intent { owners, software } } = desired;
        let software = software.map(|(software, depth)| (software.into(), depth.into()));
        Self { generation, intent: desired::Intent { owners: owners.into(), software } }
    }
}

impl From<desired::Owners> for Owners {
    fn from(owners: desired::Owners) -> Self {
        let desired::Owners { operator, run, platform } = owners;
        Self { operator, run, platform }
    }
}

impl From<Owners> for desired::Owners {
    fn from(owners: Owners) -> Self {
        let Owners { operator, run, platform } = owners;
        Self { operator, run, platform }
    }
}

impl From<desired::Assignment> for Assignment {
    fn from(software: desired::Assignment) -> Self {
        let desired::Assignment { run, release, manifest } = software;
        Self { run, release, manifest }
    }
}

impl From<Assignment> for desired::Assignment {
    fn from(software: Assignment) -> Self {
        let Assignment { run, release, manifest } = software;
        Self { run, release, manifest }
    }
}

impl From<desired::Depth> for Depth {
    fn from(depth: desired::Depth) -> Self {
        match depth {
            desired::Depth::Stage => Self::Stage,
            desired::Depth::Install => Self::Install,
        }
    }
}

impl From<Depth> for desired::Depth {
    fn from(depth: Depth) -> Self {
        match depth {
            Depth::Stage => Self::Stage,
            Depth::Install => Self::Install,
        }
    }
}
