//! Everything that can happen to a node, beside a desired state that arrives.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Agent;
use crate::desired::{Assignment, Owners};
use crate::observed::{Admission, Calls, ReleaseState};
use crate::time::Time;
use crate::version::Sha256;

/// Everything that can happen to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// The call engine has counted its calls.
    Calls(Calls),
    /// The call engine has begun or ceased to take new calls.
    Admission(Admission),
    /// The package is under way.
    Fetching {
        /// The package.
        manifest: Sha256,
        /// How much has arrived, in percent.
        percent: u8,
    },
    /// A complete, verified release lies in the inactive slot.
    Staged {
        /// The package.
        manifest: Sha256,
    },
    /// The software cannot be taken: fetching, verifying, unpacking, its own check or selecting has failed
    /// for good.
    Rejected {
        /// The software.
        software: Assignment,
        /// What happened, in a sentence.
        why: String,
    },
    /// The node leaves for the software that [`Agent::wanted`] lets it leave for.
    Leaving {
        /// The software.
        software: Assignment,
    },
    /// The release that runs has confirmed itself.
    Confirmed,
    /// The node has found itself fit or not fit to take calls.
    Fitness {
        /// Why it is not fit.
        unfit: Option<String>,
    },
    /// The node has checked whether its machine would start again.
    StartChecked {
        /// Why it would not.
        fault: Option<String>,
    },
    /// The time of [`Agent::next_deadline`] has come.
    DeadlinePassed,
}

/// Something that has happened on a node: a line of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentFact {
    /// The owners of its maintenance mode have changed.
    Owners(Owners),
    /// It was cut off, and went back to service by itself.
    LetGo,
    /// The release lies staged.
    Staged(Sha256),
    /// It could not take the release.
    Rejected(String),
    /// It restarts into the slot that it selected.
    Leaving(Assignment),
    /// Its release has confirmed itself.
    Confirmed,
    /// It is not fit to take calls.
    Unfit(String),
    /// A restart of the machine would fail.
    StartFault(String),
    /// A restart of the machine would succeed again.
    StartFaultOver,
}

impl fmt::Display for AgentFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owners(owners) if owners.is_empty() => f.write_str("out of maintenance mode"),
            Self::Owners(owners) => write!(f, "in maintenance mode by: {owners}"),
            Self::LetGo => f.write_str(
                "cut off from the Management Node for longer than the drain limit; back to service",
            ),
            Self::Staged(manifest) => write!(f, "package {manifest} is staged"),
            Self::Rejected(why) => write!(f, "the release cannot be taken: {why}"),
            Self::Leaving(software) => write!(f, "restarting into {}", software.release),
            Self::Confirmed => f.write_str("the release has confirmed itself"),
            Self::Unfit(why) => write!(f, "not fit to take calls: {why}"),
            Self::StartFault(why) => write!(f, "a restart of this machine would fail: {why}"),
            Self::StartFaultOver => f.write_str("a restart of this machine would succeed again"),
        }
    }
}

impl Agent {
    /// Takes in what has happened. It never fails; what makes no sense has no effect.
    pub fn apply(&mut self, now: Time, event: AgentEvent) -> Vec<AgentFact> {
        let mut facts = Vec::new();
        match event {
            AgentEvent::Calls(calls) => {
                self.live.calls = calls;
                self.live.counted_at = now;
            }
            AgentEvent::Admission(admission) => self.live.admission = admission,
            AgentEvent::Fetching { manifest, percent } => self.fetching(manifest, percent),
            AgentEvent::Staged { manifest } => self.staged(manifest, &mut facts),
            AgentEvent::Rejected { software, why } => self.rejected(software, why, &mut facts),
            AgentEvent::Leaving { software } => self.leaving(software, &mut facts),
            AgentEvent::Confirmed => self.confirmed(&mut facts),
            AgentEvent::Fitness { unfit } => self.fitness(unfit, &mut facts),
            AgentEvent::StartChecked { fault } => self.start_checked(fault, &mut facts),
            AgentEvent::DeadlinePassed => self.let_go_if_cut_off(now, &mut facts),
        }
        facts
    }

    /// In steps of ten, so that a transfer is ten reports and not ten thousand.
    fn fetching(&mut self, manifest: Sha256, percent: u8) {
        self.live.fetching = Some((manifest, percent.min(100) / 10 * 10));
        // Staging begins with clearing the inactive slot.
        self.live.staged = None;
    }

    fn staged(&mut self, manifest: Sha256, facts: &mut Vec<AgentFact>) {
        self.live.fetching = None;
        self.live.staged = Some(manifest);
        facts.push(AgentFact::Staged(manifest));
    }

    fn rejected(&mut self, software: Assignment, why: String, facts: &mut Vec<AgentFact>) {
        self.live.fetching = None;
        if self.live.release_state == ReleaseState::Leaving {
            self.live.release_state = ReleaseState::Confirmed;
            self.persistent.selected = None;
        }
        facts.push(AgentFact::Rejected(why.clone()));
        self.persistent.rejected = Some((software, why));
    }

    fn leaving(&mut self, software: Assignment, facts: &mut Vec<AgentFact>) {
        if self.wanted().leave != Some(software) {
            return;
        }
        self.persistent.selected = Some(software);
        self.live.release_state = ReleaseState::Leaving;
        facts.push(AgentFact::Leaving(software));
    }

    fn confirmed(&mut self, facts: &mut Vec<AgentFact>) {
        if self.live.release_state == ReleaseState::Trying {
            self.live.release_state = ReleaseState::Confirmed;
            self.persistent.selected = None;
            facts.push(AgentFact::Confirmed);
        }
    }

    fn fitness(&mut self, unfit: Option<String>, facts: &mut Vec<AgentFact>) {
        if let Some(why) = &unfit
            && self.live.unfit.as_ref() != Some(why)
        {
            facts.push(AgentFact::Unfit(why.clone()));
        }
        self.live.unfit = unfit;
    }

    /// It changes nothing of what the node does: the process that runs keeps what it has read.
    fn start_checked(&mut self, fault: Option<String>, facts: &mut Vec<AgentFact>) {
        if fault != self.live.start_fault {
            facts.push(fault.clone().map_or(AgentFact::StartFaultOver, AgentFact::StartFault));
            self.live.start_fault = fault;
        }
    }

    /// A node that is cut off goes back to service by itself, unless it has selected its new slot.
    fn let_go_if_cut_off(&mut self, now: Time, facts: &mut Vec<AgentFact>) {
        if self.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.persistent.let_go = true;
            facts.push(AgentFact::LetGo);
        }
    }
}
