//! From every state the platform recovers: when nothing goes wrong any more, messages arrive and calls end, the run
//! ends within a computed bound and every node serves. Recovery from a state is deterministic, so each part of its path
//! is followed once and remembered.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, PoisonError};

use fleet::policy::Policy;
use fleet::time::{Span, Time};

use super::state::{Budget, State};
use super::step::{AtManager, AtNode, Step};
use super::transition::Transition;
use super::worlds::SmallWorld;

/// The most steps of a recovery. The longest that was observed has some sixty; a loop would never end.
pub(crate) const STEPS: usize = 400;

/// The budget when everything has healed: time may pass at every step, and the operator lets a paused run go on.
const HEALED: Budget = Budget { time: 1, faults: 0, operator: 0, orders: 1 };

/// The states from which recovery is known, with its duration.
#[derive(Debug, Default)]
pub(crate) struct Healed(Mutex<HashMap<u64, Span>>);

impl Healed {
    fn get(&self, state: u64) -> Option<Span> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&state).copied()
    }

    fn extend(&self, way: Vec<(u64, Time)>, end: Time, rest: Span) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(way.into_iter().map(|(state, at)| (state, end.since(at) + rest)));
    }
}

/// How long a run may take from now on: the sum of all waits of the policy.
fn bound(policy: &Policy) -> Span {
    let Policy { drain_limit, rest, silent_after, reboot_silent_after, stuck_after, absent_grace, .. } =
        policy;
    [drain_limit, rest, silent_after, reboot_silent_after, stuck_after, absent_grace]
        .into_iter()
        .fold(Span::ZERO, |sum, wait| sum + *wait)
}

impl SmallWorld {
    /// Whether the platform recovers from a state in time.
    pub(crate) fn recovers(&self, state: &State) -> bool {
        let (began, mut state, mut way) = (state.now, healed(state), Vec::new());
        let rest = loop {
            let name = name(&state);
            if let Some(rest) = self.healed.get(name) {
                break rest;
            }
            way.push((name, state.now));
            match self.next_recovery_step(&state) {
                Some(_) if way.len() > STEPS => return false,
                Some((_, transition)) => state = transition.state,
                None if is_recovered(&state) => break Span::ZERO,
                None => return false,
            }
        };
        let in_time = state.now.since(began) + rest <= bound(&self.policy());
        if in_time {
            self.healed.extend(way, state.now, rest);
        }
        in_time
    }

    /// The next step when nothing goes wrong. Time passes if no other step is possible.
    pub(crate) fn next_recovery_step(&self, state: &State) -> Option<(Step, Transition<'_>)> {
        let steps = state.possible().into_iter().filter_map(|step| Some((priority_of(step)?, step)));
        let (_, step) = steps.min_by_key(|(transition, _)| *transition)?;
        let mut transition = Transition::new(self, state);
        transition.apply(step);
        transition.state.budget = HEALED;
        Some((step, transition))
    }
}

/// The same state, in which nothing goes wrong any more.
pub(crate) fn healed(state: &State) -> State {
    State { budget: HEALED, held_up: Vec::new(), ..state.clone() }
}

fn name(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash_situation(&mut hasher);
    hasher.finish()
}

/// The order of steps during recovery; `None` for faults.
fn priority_of(step: Step) -> Option<u8> {
    match step {
        Step::Manager(AtManager::Boots) | Step::Node(_, AtNode::Boots) => Some(0),
        Step::Manager(AtManager::Stores | AtManager::Due | AtManager::OperatorResumes)
        | Step::Node(_, AtNode::Due) => Some(1),
        Step::Node(_, AtNode::ReportArrives | AtNode::DesiredArrives) => Some(2),
        Step::Manager(AtManager::Staged | AtManager::Selects)
        | Step::Node(_, AtNode::Staged | AtNode::Selects | AtNode::Confirms) => Some(3),
        Step::Node(_, AtNode::CallEnds) => Some(4),
        Step::TimePasses => Some(5),
        Step::LateArrives(_)
        | Step::Manager(
            AtManager::Rejects
            | AtManager::LosesPower
            | AtManager::FallsBack
            | AtManager::OperatorStarts
            | AtManager::OperatorPauses
            | AtManager::OperatorStops,
        )
        | Step::Node(
            _,
            AtNode::LinkDown
            | AtNode::CallBegins
            | AtNode::Rejects
            | AtNode::LosesPower
            | AtNode::FallsBack
            | AtNode::ConfirmsAndLosesPower
            | AtNode::OperatorHolds
            | AtNode::OperatorLetsGo,
        ) => None,
    }
}

/// Whether the run has ended, no place is taken, and every node takes calls except one that the operator holds.
fn is_recovered(state: &State) -> bool {
    let fleet = &state.manager.fleet;
    let serves = state.machines.iter().all(|machine| machine.admits() == machine.operator_since.is_none());
    fleet.platform.run.is_none() && fleet.nodes().places().is_empty() && serves
}
