//! The observed state of a node, as it reports it, and when two reports are the same. What the platform concludes
//! from a report is in [`crate::platform`]. The message has types of its own; what is stored of a node contains these,
//! so a field that is added has a default.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::desired::{Generation, RunId};
use crate::starts::Process;
use crate::time::{Span, Time};
use crate::version::{Release, Sha256};

/// The calls of a node. Unknown is treated as busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// The call engine has not reported, or cannot know.
    #[default]
    Unknown,
    /// As counted by the call engine from signalling and media.
    Known {
        /// How many calls there are.
        count: u32,
        /// How long the oldest has lasted.
        oldest: Option<Span>,
    },
}

impl Calls {
    /// Known to be none.
    pub const NONE: Self = Self::Known { count: 0, oldest: None };

    /// The same calls after some time has passed.
    pub fn older_by(self, span: Span) -> Self {
        match self {
            Self::Known { count, oldest } => Self::Known { count, oldest: oldest.map(|age| age + span) },
            Self::Unknown => Self::Unknown,
        }
    }

    /// Whether it is known that there is no call.
    pub fn cleared(self) -> bool {
        match self {
            Self::Known { count, oldest: _ } => count == 0,
            Self::Unknown => false,
        }
    }
}

/// Whether new calls are taken: what the call engine does, not what is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// New calls are taken.
    Admitting,
    /// New calls are refused: maintenance mode (R3).
    Refusing,
}

/// The state of the release that a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// It runs a confirmed release.
    Confirmed,
    /// It runs a release that has not confirmed itself yet.
    Trying,
    /// It has selected another slot and is about to restart. From here only boot can bring the old release back.
    Leaving,
}

/// The state of the software that a node was assigned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Staging {
    /// Nothing is staged.
    #[default]
    Nothing,
    /// The package is being fetched.
    Fetching {
        /// The package.
        manifest: Sha256,
        /// How much has arrived, in percent, in steps of ten.
        percent: u8,
    },
    /// A complete, verified release is in the inactive slot.
    Staged {
        /// The package.
        manifest: Sha256,
    },
    /// The node could not take the release for this run: it could not be fetched, verified, unpacked
    /// or selected, or it was started and fell back.
    Rejected {
        /// The run that brought it.
        run: RunId,
        /// The package.
        manifest: Sha256,
        /// What happened, in a sentence.
        why: String,
    },
}

/// One report of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// When the report was made, by the node's own clock, which never goes backwards; it identifies late reports.
    pub at: Time,
    /// The highest generation that the node has accepted.
    pub generation: Generation,
    /// The release that runs.
    pub release: Release,
    /// The state of that release.
    #[serde(rename = "footing")]
    pub release_state: ReleaseState,
    /// Whether it takes calls.
    pub admission: Admission,
    /// Its calls.
    pub calls: Calls,
    /// The state of the assigned software.
    pub staging: Staging,
    /// Why the node is not fit to take calls; none if it is fit.
    pub unfit: Option<String>,
    /// Why a restart of the node's machine would fail; none if it would succeed.
    #[serde(default)]
    pub start_fault: Option<String>,
    /// Which process of the node reports; none in release 34.
    #[serde(default)]
    pub process: Option<Process>,
}

impl Observed {
    /// Whether this report describes the same state as `earlier`, whichever process made it: [`crate::starts`]
    /// handles processes.
    pub fn says_the_same_as(&self, earlier: &Self) -> bool {
        let Self {
            at: _,
            generation,
            release,
            release_state,
            admission,
            calls,
            staging,
            unfit,
            start_fault,
            process: _,
        } = self;
        *generation == earlier.generation
            && *release == earlier.release
            && *release_state == earlier.release_state
            && *admission == earlier.admission
            && same_calls(*calls, earlier.calls)
            && *staging == earlier.staging
            && *unfit == earlier.unfit
            && *start_fault == earlier.start_fault
    }
}

/// The oldest call grows older between two reports; that alone is no change.
fn same_calls(one: Calls, other: Calls) -> bool {
    match (one, other) {
        (Calls::Known { count: a, oldest: now }, Calls::Known { count: b, oldest: then }) => {
            a == b && now >= then
        }
        (Calls::Unknown, Calls::Unknown) => true,
        (Calls::Unknown, Calls::Known { .. }) | (Calls::Known { .. }, Calls::Unknown) => false,
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("an unknown number of calls"),
            Self::Known { count: 1, oldest: _ } => f.write_str("1 call"),
            Self::Known { count, oldest: _ } => write!(f, "{count} calls"),
        }
    }
}
