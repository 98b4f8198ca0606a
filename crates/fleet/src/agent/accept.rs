//! Which desired states a node takes.

use alloc::vec::Vec;
use core::fmt;

use super::{Agent, AgentFact, FallBack, PersistentState};
use crate::desired::{Assignment, Depth, Desired, Generation};
use crate::observed::ReleaseState;
use crate::time::Time;
use crate::version::Release;

/// Why a node does not take a desired state. It changes nothing of what the node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is older than what the node has accepted: a late message, or a manager whose memory has
    /// gone back.
    Stale {
        /// What came.
        came: Generation,
        /// What was accepted before.
        accepted: Generation,
    },
    /// It says something else than what was accepted under the same generation: two Management Nodes have issued
    /// it, one of which was restored to a time before the other.
    Contradiction {
        /// The generation.
        generation: Generation,
    },
    /// It asks for an install without maintenance mode.
    InstallInService {
        /// The generation.
        generation: Generation,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { came, accepted } => {
                write!(f, "generation {came} is older than {accepted}, which this node has accepted")
            }
            Self::Contradiction { generation } => {
                write!(f, "generation {generation} says something else than it did before")
            }
            Self::InstallInService { generation } => {
                write!(f, "generation {generation} asks for an install without maintenance mode")
            }
        }
    }
}

impl core::error::Error for Refusal {}

impl Agent {
    /// Takes a desired state, if it is newer than the one before. What follows from it comes from
    /// [`Agent::wanted`] alone.
    ///
    /// # Errors
    /// Why it is not taken; then nothing has changed.
    pub fn accept(&mut self, now: Time, desired: Desired) -> Result<Vec<AgentFact>, Refusal> {
        let accepted = &self.persistent.accepted;
        let came = desired.generation;
        if came < accepted.generation {
            return Err(Refusal::Stale { came, accepted: accepted.generation });
        }
        if came == accepted.generation {
            let same = desired.intent == accepted.intent;
            return if same { Ok(Vec::new()) } else { Err(Refusal::Contradiction { generation: came }) };
        }
        let installs = matches!(desired.intent.software, Some((_, Depth::Install)));
        if installs && desired.intent.owners.is_empty() {
            return Err(Refusal::InstallInService { generation: came });
        }
        let before = self.owners();
        // A node that has found that it cannot take the release is not taken out of service for it.
        self.persistent.let_go = self.asks_for_rejected_release(&desired);
        let hold = desired.intent.owners.run.filter(|_| !self.persistent.let_go);
        self.persistent.held_until = hold.map(|hold| now + hold);
        self.persistent.accepted = desired;
        self.live.contradicted = false;
        let after = self.owners();
        Ok(if before == after { Vec::new() } else { alloc::vec![AgentFact::Owners(after)] })
    }

    /// Takes note of a desired state that was not taken. After a contradiction the node reports a later generation
    /// than it has accepted, so that the Management Node issues one above that: neither would ever move on
    /// otherwise.
    pub fn refused(&mut self, refusal: Refusal) {
        self.live.contradicted |= matches!(refusal, Refusal::Contradiction { .. });
    }

    /// The software for which this desired state would take the node out of service: whether it can start
    /// here is to be found out before the desired state is accepted. None when the node is out of service for
    /// a run already, or would take nothing.
    pub fn would_leave_service_for(&self, desired: &Desired) -> Option<Assignment> {
        let newer = desired.generation > self.persistent.accepted.generation;
        let (software, _) = desired.intent.software.filter(|_| newer && self.enters_for_run(desired))?;
        let takes =
            self.live.release_state == ReleaseState::Confirmed && self.live.release != software.release;
        (takes && !self.has_rejected(&software)).then_some(software)
    }

    fn asks_for_rejected_release(&self, desired: &Desired) -> bool {
        let rejected = desired.intent.software.is_some_and(|(software, _)| self.has_rejected(&software));
        rejected && self.enters_for_run(desired)
    }

    fn enters_for_run(&self, desired: &Desired) -> bool {
        desired.intent.owners.run.is_some() && !self.keeps_for_run()
    }
}

/// What became of the slot that was selected, now that a release has started. A fall-back that was known before is
/// one of an earlier attempt: the node was interrupted after it had noted that it leaves, and before it selected
/// the slot.
pub(super) fn settle_selection(state: &mut PersistentState, release: Release, fell_back: Option<FallBack>) {
    let known = fell_back.as_ref().is_some_and(|fell_back| state.fell_back_at == Some(fell_back.at));
    state.fell_back_at = fell_back.as_ref().map(|fell_back| fell_back.at);
    if let (Some(selected), Some(FallBack { manifest, at: _, why })) = (state.selected, fell_back)
        && selected.manifest == manifest
        && selected.release != release
        && !known
    {
        state.rejected = Some((selected, why));
    }
    state.selected = state.selected.filter(|selected| selected.release == release);
}
