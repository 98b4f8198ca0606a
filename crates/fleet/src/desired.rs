//! The desired state of one node, with its generation. Lost, duplicated and late messages are handled in the same
//! way: compare the generation and sync again. How it is computed is in [`crate::node`], how a node accepts it in
//! [`crate::agent`].

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::version::{Release, Sha256};

/// Orders the desired states of one node. A node refuses one that is older than the one it has accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Generation {
    /// Rises with every start of the manager, whose stored state may be older than what it has issued: after a
    /// fall-back or a restore.
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

/// Who holds a node in maintenance mode (R12). It ends when the last owner releases it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owners {
    /// The operator, with the reason that was given.
    pub operator: Option<String>,
    /// The run, with the lease: how long the node stays in maintenance mode by itself when it is cut off.
    pub run: Option<Span>,
    /// The platform, because the node is not fit to take calls, with the reason.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// Fetch, verify and unpack into the inactive slot. Allowed while the node has calls (G7).
    Stage,
    /// Select the slot and restart. The node itself refuses while it admits calls or has any.
    Install,
}

/// What is wanted of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Intent {
    /// The owners of its maintenance mode. Without an owner it is to take calls.
    pub owners: Owners,
    /// The software it is to have.
    pub software: Option<(Assignment, Depth)>,
}

/// What is wanted of a node, and since which generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// The generation of this intent.
    pub generation: Generation,
    /// The intent.
    pub intent: Intent,
}
