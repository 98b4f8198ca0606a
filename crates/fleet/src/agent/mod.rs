//! The state machine of a node: keeps the desired state that it accepted last, guards the node's calls, and decides
//! what the node does next. It relies on its shell to perform effects and to report events. It never installs while
//! the node admits calls or holds any, whatever the Management Node asks for.

mod accept;
mod event;
mod reconciler;

use alloc::string::String;

pub use accept::Refusal;
pub use event::{AgentEvent, AgentFact};
pub use reconciler::{Durability, Effect, Outcome, Reconciler, ReleaseCheck, Selection, StagingOutcome};

use crate::desired::{Assignment, Depth, Desired, Generation, Owners};
use crate::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use crate::time::Time;
use crate::version::{Release, Sha256};

/// The state of a node that outlives restarts and upgrades. It is stored outside the slots, and is valid again
/// before the node's SIP socket opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersistentState {
    /// The desired state that was accepted last, owners of maintenance mode included.
    pub accepted: Desired,
    /// Until when the node keeps the run's maintenance mode by itself.
    pub held_until: Option<Time>,
    /// The run's maintenance mode does not hold: it has lapsed while the node was cut off, or the node had found
    /// before that it cannot take the release.
    pub let_go: bool,
    /// The software that it left for, until that has confirmed itself or fallen back.
    pub selected: Option<Assignment>,
    /// The software that it could not take, and why.
    pub rejected: Option<(Assignment, String)>,
    /// When the last fall-back happened that the node has drawn its conclusion from.
    pub fell_back_at: Option<u64>,
}

/// A release that was tried and left again, as the slot record has it until another is selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FallBack {
    /// The package.
    pub manifest: Sha256,
    /// When, by the machine's wall clock in milliseconds. It distinguishes one fall-back from another.
    pub at: u64,
    /// Why, in a sentence.
    pub why: String,
}

/// What is true of the node just now. It is learned anew at every start.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Live {
    release: Release,
    release_state: ReleaseState,
    admission: Admission,
    calls: Calls,
    counted_at: Time,
    staged: Option<Sha256>,
    fetching: Option<(Sha256, u8)>,
    unfit: Option<String>,
    start_fault: Option<String>,
    /// Something else was wanted of it under the generation that it has accepted.
    contradicted: bool,
}

/// The state machine of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    persistent: PersistentState,
    live: Live,
}

/// What the node's shell found when it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The release that runs.
    pub release: Release,
    /// Whether it has confirmed itself.
    pub confirmed: bool,
    /// The complete release in the inactive slot.
    pub staged: Option<Sha256>,
    /// The last fall-back, as long as no release was selected since.
    pub fell_back: Option<FallBack>,
}

/// What is wanted of the node's shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentWants {
    /// Whether new calls are to be taken; when not, for whom they are refused.
    pub refuse_calls: Option<Refuse>,
    /// The software to fetch, verify and unpack into the inactive slot.
    pub stage: Option<Assignment>,
    /// The software that the node may leave for now: apply [`AgentEvent::Leaving`], so that the persistent state
    /// says why the node restarts.
    pub leave: Option<Assignment>,
    /// The node is leaving: select the slot of this software and restart.
    pub restart: Option<Assignment>,
}

/// Why new calls are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refuse {
    /// Maintenance mode, with its owners.
    Maintenance(Owners),
    /// The release that runs has not confirmed itself, so a call could be cut by its fall-back.
    Unconfirmed,
    /// The node is about to restart.
    Leaving,
}

impl Agent {
    /// A node that starts with this persistent state.
    pub fn new(mut persistent: PersistentState, start: Start) -> Self {
        let Start { release, confirmed, staged, fell_back } = start;
        accept::settle_selection(&mut persistent, release, fell_back);
        let live = Live {
            release,
            release_state: if confirmed { ReleaseState::Confirmed } else { ReleaseState::Trying },
            admission: Admission::Refusing,
            calls: Calls::Unknown,
            counted_at: Time::default(),
            staged,
            fetching: None,
            unfit: None,
            start_fault: None,
            contradicted: false,
        };
        Self { persistent, live }
    }

    /// What must be durable before anything wanted is done.
    pub fn persistent_state(&self) -> &PersistentState {
        &self.persistent
    }

    /// What is wanted of the shell now.
    pub fn wanted(&self) -> AgentWants {
        AgentWants {
            refuse_calls: self.refuse_calls(),
            stage: self.to_stage(),
            leave: self.to_leave_for(),
            restart: self.to_restart_into(),
        }
    }

    fn to_stage(&self) -> Option<Assignment> {
        self.to_take().map(|(software, _)| software).filter(|software| !self.has_staged(software))
    }

    fn to_leave_for(&self) -> Option<Assignment> {
        let (software, depth) = self.to_take().filter(|_| self.may_leave())?;
        (depth == Depth::Install && self.has_staged(&software)).then_some(software)
    }

    fn to_restart_into(&self) -> Option<Assignment> {
        self.persistent.selected.filter(|_| self.live.release_state == ReleaseState::Leaving)
    }

    /// Why the node is not fit to take calls, when it is not.
    pub fn unfit(&self) -> Option<&str> {
        self.live.unfit.as_deref()
    }

    fn admission(&self) -> Admission {
        self.live.admission
    }

    /// The calls that were counted last, by now.
    fn calls(&self, now: Time) -> Calls {
        self.live.calls.older_by(now.since(self.live.counted_at))
    }

    /// The report of the node. The link adds which process it is of.
    pub fn observed(&self, now: Time) -> Observed {
        Observed {
            at: now,
            generation: self.reported_generation(),
            release: self.live.release,
            release_state: self.live.release_state,
            admission: self.live.admission,
            calls: self.calls(now),
            staging: self.staging(),
            unfit: self.live.unfit.clone(),
            start_fault: self.live.start_fault.clone(),
            process: None,
        }
    }

    /// The generation that it has accepted, or the next one if that was issued twice: the Management Node answers a
    /// generation that it does not know with one above it.
    fn reported_generation(&self) -> Generation {
        let Generation { epoch, n } = self.persistent.accepted.generation;
        Generation { epoch, n: n.saturating_add(self.live.contradicted.into()) }
    }

    /// When [`AgentEvent::DeadlinePassed`] is to be applied, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Time> {
        self.persistent
            .held_until
            .filter(|_| self.keeps_for_run() && self.live.release_state == ReleaseState::Confirmed)
    }

    /// The owners of the node's maintenance mode, as the node itself keeps them.
    pub fn owners(&self) -> Owners {
        let Owners { operator, run, platform: _ } = self.persistent.accepted.intent.owners.clone();
        Owners { operator, run: run.filter(|_| !self.persistent.let_go), platform: self.live.unfit.clone() }
    }

    fn keeps_for_run(&self) -> bool {
        self.owners().run.is_some()
    }

    fn refuse_calls(&self) -> Option<Refuse> {
        match self.live.release_state {
            ReleaseState::Leaving => Some(Refuse::Leaving),
            ReleaseState::Trying => Some(Refuse::Unconfirmed),
            ReleaseState::Confirmed => {
                let owners = self.owners();
                (!owners.is_empty()).then_some(Refuse::Maintenance(owners))
            }
        }
    }

    /// The assigned software, while the node neither runs it nor has found that it cannot take it. One that is not
    /// later than what it runs is none (R20): a Management Node that was restored while the node left for a later
    /// release assigns the earlier one before it has heard of that, and the inactive slot may hold it.
    fn to_take(&self) -> Option<(Assignment, Depth)> {
        let (software, depth) = self.persistent.accepted.intent.software?;
        let takes =
            self.live.release_state == ReleaseState::Confirmed && self.live.release < software.release;
        (takes && !self.has_rejected(&software)).then_some((software, depth))
    }

    /// The assigned software, while it lies staged and the node waits for its turn to take it.
    pub fn staged_to_take(&self) -> Option<Assignment> {
        self.to_take().map(|(software, _)| software).filter(|software| self.has_staged(software))
    }

    fn has_rejected(&self, software: &Assignment) -> bool {
        self.persistent.rejected.as_ref().is_some_and(|(rejected, _)| rejected == software)
    }

    fn has_staged(&self, software: &Assignment) -> bool {
        self.live.staged == Some(software.manifest)
    }

    /// The node's own guard: no install while it admits calls or holds any, and unknown is busy.
    fn may_leave(&self) -> bool {
        self.live.admission == Admission::Refusing && self.live.calls.cleared() && !self.owners().is_empty()
    }

    fn staging(&self) -> Staging {
        let assigned = self.persistent.accepted.intent.software.map(|(software, _)| software);
        match (&self.persistent.rejected, self.live.fetching, self.live.staged) {
            (Some((rejected, why)), _, _) if Some(*rejected) == assigned => {
                Staging::Rejected { run: rejected.run, manifest: rejected.manifest, why: why.clone() }
            }
            // A package that is not wanted any more is not under way, whatever its fetching still does.
            (_, Some((manifest, percent)), _)
                if assigned.is_some_and(|software| software.manifest == manifest) =>
            {
                Staging::Fetching { manifest, percent }
            }
            (_, _, Some(manifest)) => Staging::Staged { manifest },
            (_, _, None) => Staging::Nothing,
        }
    }
}
