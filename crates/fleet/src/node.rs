//! A Conferencing Node as the platform knows it. What stands here outlives every run, save its
//! place in the run.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::desired::{Assignment, Depth, Desired, Generation, Intent, Owners};
use crate::observed::{Admission, Footing, Observed, Staging};
use crate::progress::{AttemptResult, Phase, Progress};
use crate::starts::{Duplicate, Starts};
use crate::time::{Offset, Span, Time};
use crate::version::{Release, Version};
use crate::wall;

/// How long a node reports an earlier version than it has reached until it is kept out of service. Two
/// processes that live name each other in their second requests at the latest, and both ask every ten seconds.
const WENT_BACK_FOR: Span = Span::minutes(1);

/// Names a node: the integer id of the management API. Ids are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// When a node is powered on. The order is the order of the queue (R7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// It always runs.
    AlwaysOn,
    /// It is started when the platform needs capacity, and rests otherwise.
    Bursting,
}

/// Whether the node can be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// It has never reported.
    #[default]
    Never,
    /// It is in touch.
    Heard,
    /// Its link is down, for no longer than is allowed.
    Silent {
        /// Since when.
        since: Time,
        /// When it counts as not reachable.
        lost_at: Time,
    },
    /// It cannot be contacted (R11).
    Lost {
        /// Since when its link is down.
        since: Time,
    },
}

impl Contact {
    /// Whether the node cannot be contacted.
    pub fn is_lost(self) -> bool {
        match self {
            Self::Never | Self::Lost { .. } => true,
            Self::Heard | Self::Silent { .. } => false,
        }
    }
}

/// Whether the machine of a bursting node is to run (R7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Start it.
    On,
    /// Let it go back to rest.
    Rest,
}

/// A registered Conferencing Node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name, unique on the platform.
    pub name: String,
    /// When it is powered on.
    pub duty: Duty,
    /// The operator's maintenance mode, with its reason (R12). No run ever takes it away.
    pub operator_maintenance: Option<String>,
    /// The generation of what is wanted of it.
    pub generation: Generation,
    /// Whether it can be heard.
    pub contact: Contact,
    /// Its last report.
    pub observed: Option<Observed>,
    /// When that report came in, by the manager's clock.
    pub reported_at: Time,
    /// The software that a run brings to it.
    pub assigned: Option<Assignment>,
    /// Where it is in the run.
    pub progress: Progress,
    /// A bursting node that the run has started, and that goes back to rest afterwards.
    pub woken: bool,
    /// How long it keeps the run's maintenance mode by itself when it is cut off.
    pub hold: Span,
    /// When its last call ended, in the attempt that it is in or that upgraded it.
    pub cleared_at: Option<Time>,
    /// How far its wall clock is ahead of the Management Node's, when that is worth an alarm.
    #[serde(default)]
    pub clock_off: Option<Offset>,
    /// What its attempt in the newest run said of the release.
    #[serde(default)]
    pub result: Option<AttemptResult>,
    /// Whether its attempt in the run before failed: of those that may be taken it is the last.
    #[serde(default)]
    pub failed_before: bool,
    /// Why the platform keeps it out of service until it is upgraded: its machine was brought back on another
    /// version (R20, R29).
    #[serde(default)]
    pub out_of_date: Option<String>,
    /// The version that it ran last without having gone back to it.
    #[serde(default)]
    pub reached: Option<Version>,
    /// Since when it reports an earlier version than it has reached.
    #[serde(default)]
    pub went_back_at: Option<Time>,
    /// The processes that report as this node.
    #[serde(default)]
    pub starts: Starts,
}

impl Node {
    /// A node that has not reported yet.
    pub fn new(name: String, duty: Duty) -> Self {
        Self {
            name,
            duty,
            operator_maintenance: None,
            generation: Generation::default(),
            contact: Contact::Never,
            observed: None,
            reported_at: Time::default(),
            assigned: None,
            progress: Progress::Idle,
            woken: false,
            hold: Span::ZERO,
            cleared_at: None,
            clock_off: None,
            result: None,
            failed_before: false,
            out_of_date: None,
            reached: None,
            went_back_at: None,
            starts: Starts::default(),
        }
    }

    /// What is held of its wall clock when it was measured to be so far ahead of the Management Node's.
    pub fn clock_judged(&self, measured: Offset) -> Option<Offset> {
        wall::judged(self.clock_off, measured)
    }

    /// The owners of its maintenance mode. The run's part follows from the node's place in the run,
    /// so a run that has ended owns nothing.
    pub fn owners(&self) -> Owners {
        let unfit = self.observed.as_ref().and_then(|observed| observed.unfit.clone());
        Owners {
            operator: self.operator_maintenance.clone(),
            run: self.progress.holds_maintenance().then_some(self.hold),
            platform: unfit.or_else(|| self.out_of_date.clone()),
        }
    }

    /// What is wanted of it: a function of its record alone.
    pub fn intent(&self) -> Intent {
        let depth = match self.progress.phase() {
            Some(Phase::Installing { .. } | Phase::Rebooting { .. }) => Depth::Install,
            Some(
                Phase::Starting { .. }
                | Phase::Preparing { .. }
                | Phase::Draining { .. }
                | Phase::Releasing { .. },
            )
            | None => Depth::Stage,
        };
        let owners = self.owners();
        // A node does not keep itself out of service for what the platform holds against it; one that is brought
        // back on an older release must, and its program may be of release 34. What it obeys is the operator's mode.
        let operator = owners.operator.or_else(|| self.out_of_date.clone());
        let software = self.assigned.map(|assignment| (assignment, depth));
        Intent { owners: Owners { operator, ..owners }, software }
    }

    /// What the node is sent.
    pub fn desired(&self) -> Desired {
        Desired { generation: self.generation, intent: self.intent() }
    }

    /// Whether the node has said, of what is wanted of it now, that it takes no calls.
    pub fn refuses_calls(&self) -> bool {
        self.current().is_some_and(|observed| observed.admission == Admission::Refusing)
    }

    /// Whether the node has said, of what is wanted of it now, that it takes calls.
    pub fn admits_calls(&self) -> bool {
        self.current().is_some_and(|observed| observed.admission == Admission::Admitting)
    }

    /// Whether the node has said, of what is wanted of it now, that it does as it should: it takes
    /// calls, or somebody other than the run keeps it in maintenance mode.
    pub fn is_back(&self) -> bool {
        let owners = Owners { run: None, ..self.owners() };
        self.current().is_some_and(|observed| {
            observed.footing == Footing::Confirmed
                && (observed.admission == Admission::Admitting) == owners.is_empty()
        })
    }

    /// Its last report, when that acts on what is wanted of it now.
    pub(crate) fn current(&self) -> Option<&Observed> {
        self.observed.as_ref().filter(|observed| observed.generation == self.generation)
    }

    /// Whether it has said that it runs a release, and that this has confirmed itself.
    pub fn runs(&self, release: Release) -> bool {
        self.observed
            .as_ref()
            .is_some_and(|observed| observed.release == release && observed.footing != Footing::Trying)
    }

    /// The two processes that report as this node, when there are two: a copied machine, or a stolen key.
    pub fn duplicate(&self) -> Option<&Duplicate> {
        self.starts.duplicate()
    }

    /// Whether it counts as upgraded to a release: it is one machine, and runs it.
    pub fn is_on(&self, release: Release) -> bool {
        self.duplicate().is_none() && self.runs(release)
    }

    /// Whether it runs the release that it was assigned, confirmed.
    pub fn runs_assigned(&self) -> bool {
        match (&self.observed, &self.assigned) {
            (Some(observed), Some(assigned)) => {
                observed.release == assigned.release && observed.footing == Footing::Confirmed
            }
            (None, _) | (_, None) => false,
        }
    }

    /// Whether it has said that it restarts into another release, or tries it.
    pub fn restarts(&self) -> bool {
        self.observed.as_ref().is_some_and(|observed| match observed.footing {
            Footing::Leaving | Footing::Trying => true,
            Footing::Confirmed => false,
        })
    }

    /// Whether the assigned release lies complete in its inactive slot.
    pub fn has_staged(&self) -> bool {
        match (self.observed.as_ref().map(|observed| &observed.staging), &self.assigned) {
            (Some(Staging::Staged { manifest }), Some(assigned)) => *manifest == assigned.manifest,
            (
                Some(
                    Staging::Nothing
                    | Staging::Fetching { .. }
                    | Staging::Rejected { .. }
                    | Staging::Staged { .. },
                )
                | None,
                _,
            ) => false,
        }
    }

    /// Why it did not take the release of the present run, if it said so.
    pub fn rejection(&self) -> Option<&str> {
        match (self.observed.as_ref().map(|observed| &observed.staging), &self.assigned) {
            (Some(Staging::Rejected { run, manifest, why }), Some(assigned))
                if *run == assigned.run && *manifest == assigned.manifest =>
            {
                Some(why)
            }
            (
                Some(
                    Staging::Nothing
                    | Staging::Fetching { .. }
                    | Staging::Rejected { .. }
                    | Staging::Staged { .. },
                )
                | None,
                _,
            ) => None,
        }
    }

    /// Whether its machine is to run, for a bursting node that a run has started.
    pub fn power(&self) -> Option<Power> {
        self.woken.then(|| if self.progress.holds_place() { Power::On } else { Power::Rest })
    }

    /// Whether it is kept out of service when it reports an earlier version than it has reached once more. A copy
    /// of its machine from before an upgrade is noticed before that, and takes nothing from the original.
    pub(crate) fn has_gone_back(&self, now: Time) -> bool {
        self.out_of_date.is_none() && self.went_back_at.is_some_and(|since| now >= since + WENT_BACK_FOR)
    }

    /// When it must be looked at again, if nothing is heard before.
    pub fn deadline(&self) -> Option<Time> {
        let contact = match self.contact {
            Contact::Silent { lost_at, .. } => Some(lost_at),
            Contact::Never | Contact::Heard | Contact::Lost { .. } => None,
        };
        [contact, self.progress.deadline()].into_iter().flatten().min()
    }
}
