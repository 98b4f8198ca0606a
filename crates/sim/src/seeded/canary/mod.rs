//! Rules that are broken on purpose, in the simulation only, to test the oracle: the input or output of the state
//! machines is altered, and a named promise must notice it within a number of seeds. The names stand in kept files.

mod alterations;

use crate::seeded::oracle::attempts::DOUBT;

const PLACES: &str = "never more machines really out of service than allowed (R2, R6)";
const LIVING_CALLS: &str = "no machine restarts while a call lives (R4)";
const REFUSES: &str = "a node in maintenance mode takes no calls (R3)";
const HOLD: &str = "no node is kept in the run's maintenance mode for longer than the hold (R8)";
const MANAGER_FIRST: &str = "the nodes' turn begins when the Management Node runs the release (R1)";
const SAID: &str = "what a node has said is true of its machine";
const ENDS: &str = "a run ends when everything has healed";

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// A place counts as free as soon as its node restarts, not when the node has reported that it is back.
    PlaceFreedTooEarly,
    /// A node restarts as soon as it is held and the release is staged, with calls or without.
    GuardSkipped,
    /// A node accepts a desired state that is older than the accepted one.
    StaleAccepted,
    /// A node loses the operator's maintenance mode at a restart.
    OperatorForgotten,
    /// A node loses its persistent state at a restart.
    MemoryLost,
    /// A node that is cut off never goes back to service by itself.
    HoldNeverLapses,
    /// A call engine goes on taking calls in maintenance mode.
    CallsTakenInMaintenance,
    /// A call engine that does not know its calls counts as idle.
    UnknownIsIdle,
    /// A node that was tried goes to the front of the queue.
    TriedTwiceAtOnce,
    /// The nodes' turn begins before the Management Node is upgraded.
    NodesBeforeManager,
    /// More nodes are taken out of service than the operator allowed.
    LimitIgnored,
    /// The generation stays when the desired state changes.
    GenerationKept,
    /// Reports are ordered by arrival, not by the time when they were made.
    LateReportCounts,
    /// A node is never sent that it may go back to service.
    ReleaseNeverSent,
    /// A node acts on a state whose write has failed.
    FailedWriteCounts,
    /// The Management Node acts on a commit that has failed.
    FailedCommitCounts,
    /// The Management Node's time goes back with its wall clock.
    TimeGoesBack,
    /// A release that was not unpacked completely counts as complete.
    TornReleaseSelected,
    /// The run ends, but every node waits for a drain limit before it is installed.
    RunDawdles,
    /// The fact that a node is in touch again is withheld.
    FactWithheld,
    /// A fact reports a node that waits for its calls as installing.
    FactInvented,
    /// A node that waits for its calls is shown as installing.
    StatusAhead,
    /// A node reports that it takes calls when it does not.
    AdmissionMisreported,
    /// A node sends no changed report once everything has healed.
    NewsKeptBack,
    /// A silent node counts as lost after a second.
    SilenceShownEarly,
    /// A silent node counts as lost only half a day later.
    SilenceShownLate,
    /// A node's clock is slow, so that it keeps the run's maintenance mode for too long.
    ClockSlow,
    /// A node that would not start again leaves service nevertheless.
    StartFaultIgnored,
    /// A run goes on whatever number of nodes fail.
    FailuresIgnored,
    /// Whatever epoch a node claims becomes the platform's, up to a bound above which reports are dropped.
    EpochAdopted,
    /// A duplicate node counts as upgraded.
    CopyCounted,
}

impl Canary {
    /// All of them, each with the promise that must notice it, and the number of seeds within which it must.
    pub const ALL: [(Self, &str, u64); 31] = [
        (Self::PlaceFreedTooEarly, PLACES, 60),
        (Self::GuardSkipped, LIVING_CALLS, 60),
        (Self::StaleAccepted, "a stale or contradictory command has no effect", 60),
        (
            Self::OperatorForgotten,
            "the operator's maintenance mode stays until the operator lets go (R12)",
            60,
        ),
        (Self::MemoryLost, REFUSES, 60),
        (Self::HoldNeverLapses, HOLD, 60),
        (Self::CallsTakenInMaintenance, REFUSES, 20),
        (Self::UnknownIsIdle, SAID, 60),
        (Self::TriedTwiceAtOnce, "every node is tried once before any is tried twice (R5)", 60),
        (Self::NodesBeforeManager, MANAGER_FIRST, 20),
        (Self::LimitIgnored, PLACES, 60),
        (Self::GenerationKept, ENDS, 60),
        (Self::LateReportCounts, "what is held of a node is the newest that it said", 60),
        (Self::ReleaseNeverSent, ENDS, 60),
        (Self::FailedWriteCounts, "a node acts on nothing that it would forget", 60),
        (Self::FailedCommitCounts, "a node is sent nothing that is not stored", 60),
        (Self::TimeGoesBack, "the time of the Management Node never goes back", 400),
        (Self::TornReleaseSelected, "every node can always start a complete release", 200),
        (Self::RunDawdles, ENDS, 60),
        (Self::FactWithheld, "facts and state agree", 20),
        (Self::FactInvented, "facts and state agree", 20),
        (Self::StatusAhead, "what the statuses say is true", 20),
        (Self::AdmissionMisreported, SAID, 20),
        (Self::NewsKeptBack, "news of a node is known as soon as no message is lost", 60),
        (
            Self::SilenceShownEarly,
            "no node is shown as lost before it was silent for as long as allowed (R11)",
            60,
        ),
        (Self::SilenceShownLate, "a node that is gone for longer than is allowed is shown as such (R11)", 60),
        (Self::ClockSlow, HOLD, 200),
        (
            Self::StartFaultIgnored,
            "a node that would not start again is not taken out of service by a run",
            400,
        ),
        (Self::FailuresIgnored, DOUBT, 400),
        (
            Self::EpochAdopted,
            "no claim of a node raises the platform's epoch above what a clock could have given",
            100,
        ),
        (Self::CopyCounted, "a run is not complete while one of two machines of a node is behind", 400),
    ];

    /// The canary of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().map(|(canary, _, _)| canary).find(|canary| format!("{canary:?}") == name)
    }
}
