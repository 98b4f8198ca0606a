//! What a node says of itself.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::desired::{Generation, RunId};
use crate::starts::Process;
use crate::time::{Span, Time};
use crate::version::{Release, Sha256};

/// The calls that a node holds. Unknown is treated as busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// The call engine has not said, or cannot say.
    #[default]
    Unknown,
    /// As counted by the call engine from signalling and media.
    Known {
        /// How many calls live.
        count: u32,
        /// How long the oldest has lasted.
        oldest: Option<Span>,
    },
}

impl Calls {
    /// No call lives, and the node knows it.
    pub const NONE: Self = Self::Known { count: 0, oldest: None };

    /// The same calls, some time later.
    pub fn older_by(self, span: Span) -> Self {
        match self {
            Self::Known { count, oldest } => Self::Known { count, oldest: oldest.map(|age| age + span) },
            Self::Unknown => Self::Unknown,
        }
    }

    /// Whether it is known that no call lives.
    pub fn cleared(self) -> bool {
        match self {
            Self::Known { count, oldest: _ } => count == 0,
            Self::Unknown => false,
        }
    }
}

/// Whether new calls are taken: what the call engine does, not what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// New calls are taken.
    Admitting,
    /// New calls are refused: maintenance mode (R3).
    Refusing,
}

/// How the node stands with the release it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Footing {
    /// It runs a confirmed release.
    Confirmed,
    /// It runs a release that has not confirmed itself yet.
    Trying,
    /// It has selected another slot and is about to restart. There is no way back from here but
    /// through boot.
    Leaving,
}

/// What became of the software that a node was assigned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Staging {
    /// Nothing is staged.
    #[default]
    Nothing,
    /// The package is under way.
    Fetching {
        /// The package.
        manifest: Sha256,
        /// How much has arrived, in percent, in steps of ten.
        percent: u8,
    },
    /// A complete, verified release lies in the inactive slot.
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
    /// When the report was made, by the node's own clock, which never goes backwards: a report that
    /// comes late is told by it.
    pub at: Time,
    /// The highest generation that the node has accepted.
    pub generation: Generation,
    /// The release that runs.
    pub release: Release,
    /// How it stands with that release.
    pub footing: Footing,
    /// Whether it takes calls.
    pub admission: Admission,
    /// The calls it holds.
    pub calls: Calls,
    /// What became of the assigned software.
    pub staging: Staging,
    /// Why the node is not fit to take calls, when it is not.
    pub unfit: Option<String>,
    /// Why a restart of the node's machine would fail, when it would. Since protocol 2.
    #[serde(default)]
    pub start_fault: Option<String>,
    /// Which process of the node says this; none in release 34. Since protocol 2.
    #[serde(default)]
    pub process: Option<Process>,
}

impl Observed {
    /// Whether this report says nothing of the node that `earlier` did not say. Which process says it is
    /// judged by [`crate::starts`].
    pub fn says_the_same_as(&self, earlier: &Self) -> bool {
        let Self {
            at: _,
            generation,
            release,
            footing,
            admission,
            calls,
            staging,
            unfit,
            start_fault,
            process: _,
        } = self;
        *generation == earlier.generation
            && *release == earlier.release
            && *footing == earlier.footing
            && *admission == earlier.admission
            && same_calls(*calls, earlier.calls)
            && *staging == earlier.staging
            && *unfit == earlier.unfit
            && *start_fault == earlier.start_fault
    }
}

/// The oldest call grows older between two reports; that alone is no news.
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
