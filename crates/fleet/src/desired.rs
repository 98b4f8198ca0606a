//! What the platform wants of one node: a single desired state with a generation. Lost, doubled and
//! late messages are all the same case: compare the generation and sync again.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::version::{Release, Sha256};

/// Orders the desired states of one node. A node refuses whatever is older than what it accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation {
    /// Rises when the manager's memory may have gone back: after its fall-back or restore.
    pub epoch: u32,
    /// Rises whenever what is wanted of the node changes.
    pub n: u64,
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.n)
    }
}

/// Names a run; rises with every start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u32);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The software that a run brings to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Assignment {
    /// The run that brings it. A node that could not take a release tries again for another run.
    pub run: RunId,
    /// The release.
    pub release: Release,
    /// The package: the hash of its manifest.
    pub manifest: Sha256,
}

/// Who holds a node in maintenance mode (R12). It ends when the last owner lets go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owners {
    /// The operator, with the reason that was given.
    pub operator: Option<String>,
    /// The run; with how long the node keeps it by itself when it is cut off.
    pub run: Option<Span>,
    /// The platform: the node is not fit to take calls, and why.
    pub platform: Option<String>,
}

impl Owners {
    /// Whether nobody holds the node in maintenance mode.
    pub fn is_empty(&self) -> bool {
        let Self { operator, run, platform } = self;
        operator.is_none() && run.is_none() && platform.is_none()
    }
}

impl fmt::Display for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, run, platform } = self;
        let names = [
            operator.as_ref().map(|_| "operator"),
            run.as_ref().map(|_| "run"),
            platform.as_ref().map(|_| "platform"),
        ];
        let mut link = "";
        for name in names.into_iter().flatten() {
            write!(f, "{link}{name}")?;
            link = ", ";
        }
        Ok(())
    }
}

/// How far a node is to go with the software that it was assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Fetch, verify and unpack into the inactive slot. Allowed while calls live (G7).
    Stage,
    /// Select the slot and restart. The node itself refuses while it admits calls or holds any.
    Install,
}

/// What is wanted of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// The owners of its maintenance mode; none, and it is to take calls.
    pub owners: Owners,
    /// The software it is to have.
    pub software: Option<(Assignment, Depth)>,
}

/// What is wanted of a node, and since which generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// The generation of this intent.
    pub generation: Generation,
    /// The intent.
    pub intent: Intent,
}
