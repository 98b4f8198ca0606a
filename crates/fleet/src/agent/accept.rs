//! Which desired states a node takes.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{Agent, AgentFact, Memory};
use crate::desired::{Depth, Desired, Generation};
use crate::time::Time;
use crate::version::{Release, Sha256};

/// Why a node does not take a desired state. It changes nothing.
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
    /// It says something else than what was accepted under the same generation.
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
        let accepted = &self.memory.accepted;
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
        self.memory.held_until = desired.intent.owners.run.map(|hold| now + hold);
        self.memory.let_go = false;
        self.memory.accepted = desired;
        let after = self.owners();
        Ok(if before == after { Vec::new() } else { alloc::vec![AgentFact::Owners(after)] })
    }
}

/// What became of the slot that was selected, now that a release has started.
pub(super) fn settle_selection(memory: &mut Memory, release: Release, fell_back: Option<(Sha256, String)>) {
    if let (Some(selected), Some((manifest, why))) = (memory.selected, fell_back)
        && selected.manifest == manifest
        && selected.release != release
    {
        memory.rejected = Some((selected, why));
    }
    memory.selected = memory.selected.filter(|selected| selected.release == release);
}
