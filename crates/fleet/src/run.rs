//! A run: one upgrade of the platform from Start to its end.

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::desired::{Assignment, RunId};
use crate::path::{OffPath, Path};
use crate::policy::Policy;
use crate::time::Time;
use crate::version::{Release, Sha256, Version};

/// A verified upgrade package, as far as a run needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The release that it brings.
    pub release: Release,
    /// Its name: the hash of its manifest.
    pub manifest: Sha256,
    /// The versions that it may be installed on (R15).
    pub path: Path,
}

impl Package {
    /// Checks that the package may be installed on this release (R15).
    ///
    /// # Errors
    /// What stands in the way.
    pub fn admits(&self, from: Release) -> Result<(), OffPath> {
        self.path.admits_release(from, self.release)
    }
}

/// Whether another run may be started (R10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Not while this run is under way.
    Held,
    /// The Management Node was restarted by somebody: a new start ends this run and begins another.
    Lifted,
}

/// Where the Management Node is with its own upgrade (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagerStep {
    /// The package is unpacked into its inactive slot.
    Staging {
        /// Since when.
        since: Time,
    },
    /// It selects the new slot, restarts, migrates its store and confirms itself.
    Installing {
        /// Since when.
        since: Time,
    },
    /// It runs the new release: the nodes' turn.
    Confirmed {
        /// Since when.
        at: Time,
    },
}

/// What tells a run from every other, those of a forgotten past included. A Management Node that was restored gives
/// the number of a forgotten run once more, and a node that could not take the release in that one would not try it
/// in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunTag(pub u32);

impl RunTag {
    /// The tag of a run that starts now in this epoch. Epochs alone do not tell two pasts apart before the nodes
    /// have been heard, when the clock was set back between them; the millisecond does.
    pub(crate) fn of(now: Time, epoch: u32) -> Self {
        let milliseconds = now.0.wrapping_add(epoch.into());
        Self(u32::try_from(milliseconds & u64::from(u32::MAX)).unwrap_or_default())
    }
}

fn name(id: RunId, tag: Option<RunTag>) -> RunId {
    tag.map_or(id, |RunTag(tag)| RunId(tag))
}

/// A run under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// What it brings.
    pub package: Package,
    /// What the platform ran before.
    pub source: Release,
    /// How it treats the nodes.
    pub policy: Policy,
    /// When Start was pressed.
    pub started_at: Time,
    /// Whether another may be started.
    pub lock: Lock,
    /// The Management Node's own upgrade.
    pub manager: ManagerStep,
    /// Since when nothing but absent nodes is left to wait for.
    pub idle_since: Option<Time>,
    /// Since when a node that could be taken waits for one before it in the queue although a place is free. It
    /// stays until a node is taken in its turn: what has held up others for long holds up nobody more (decision 25).
    #[serde(default)]
    pub held_up_since: Option<Time>,
    /// What names it to the nodes; its number where a Management Node of release 34 has started it.
    #[serde(default)]
    pub tag: Option<RunTag>,
    /// The versions that the nodes ran when it was started: what it leaves behind is of these and of its own.
    #[serde(default)]
    pub sources: BTreeSet<Version>,
    /// How many nodes ran its release when it was started.
    #[serde(default)]
    pub on_target: u32,
}

impl Run {
    /// When the run stops, complete or not (R8).
    pub fn limit(&self) -> Time {
        self.started_at + self.policy.run_limit
    }

    /// What nodes know it by: no other run that they may remember has this name.
    pub fn name(&self) -> RunId {
        name(self.id, self.tag)
    }

    /// What it brings to each node.
    pub fn assignment(&self) -> Assignment {
        Assignment { run: self.name(), release: self.package.release, manifest: self.package.manifest }
    }

    /// Whether the nodes may be touched (R1).
    pub fn manager_is_done(&self) -> bool {
        match self.manager {
            ManagerStep::Confirmed { .. } => true,
            ManagerStep::Staging { .. } | ManagerStep::Installing { .. } => false,
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every node is on the new release (R23).
    Complete,
    /// Nothing is left to do, and some nodes are not on the new release; a repeat takes them (R24).
    Incomplete,
    /// The overall limit came first (R8).
    LimitReached,
    /// Too many of the nodes that were taken did not take the release, so no more were taken (G8).
    TooManyFailures {
        /// How many did not.
        failed: u32,
        /// How many attempts had ended, with or without the release.
        ended: u32,
    },
    /// The release could not be staged or selected on the Management Node; nothing was touched.
    ManagerRejected {
        /// What happened.
        why: String,
    },
    /// The new release did not come up on the Management Node; no node was touched.
    ManagerFellBack {
        /// What happened.
        why: String,
    },
    /// Another run was started in its place (R10).
    Replaced,
    /// The core found that a promise is broken and began nothing further.
    Halted {
        /// The promise.
        why: String,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete, every node is on the new release"),
            Self::Incomplete => f.write_str(
                "ended with nodes that are not upgraded; start the same package again to take only those",
            ),
            Self::LimitReached => f.write_str(
                "stopped at the overall limit; every node keeps the release it has; start the same package again \
                 to take the rest",
            ),
            Self::TooManyFailures { failed, ended } => write!(
                f,
                "stopped by itself, because the release failed on {failed} of {ended} nodes; every node keeps the \
                 release it has; see why it failed, then start the same package again to go on with the rest, or a \
                 later one"
            ),
            Self::ManagerRejected { why } => {
                write!(f, "the Management Node did not take the release, and nothing was touched: {why}")
            }
            Self::ManagerFellBack { why } => {
                write!(f, "the Management Node went back to its old release and no node was touched: {why}")
            }
            Self::Replaced => f.write_str("ended, because another run was started in its place"),
            Self::Halted { why } => write!(f, "halted, calls are untouched; contact support: {why}"),
        }
    }
}

/// A run that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedRun {
    /// Its number.
    pub id: RunId,
    /// What it brought.
    pub package: Package,
    /// What the platform ran before.
    pub source: Release,
    /// When it was started.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// How it ended.
    pub outcome: Outcome,
    /// What named it to the nodes.
    #[serde(default)]
    pub tag: Option<RunTag>,
    /// The versions that the nodes ran when it was started.
    #[serde(default)]
    pub sources: BTreeSet<Version>,
}

impl EndedRun {
    /// What nodes knew it by.
    pub fn name(&self) -> RunId {
        name(self.id, self.tag)
    }
}
