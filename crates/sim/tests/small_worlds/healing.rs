//! From every moment there is a way out: when nothing goes wrong any more, messages arrive and calls end,
//! the run comes to its end within a computed bound and every node serves.
//!
//! The way out of a moment is one and the same whenever that comes up again, so each stretch is gone once.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, PoisonError};

use fleet::policy::Policy;
use fleet::time::{Span, Time};

use super::moment::{Left, Moment};
use super::step::{AtManager, AtNode, Step};
use super::turn::Turn;
use super::worlds::SmallWorld;

/// How many steps the way out may take. The longest that was seen has some sixty; one that goes round in
/// circles has no end.
pub(crate) const STEPS: usize = 400;

/// What may still happen when everything has healed: time passes, at every step anew.
const HEALED: Left = Left { time: 1, faults: 0, operator: 0 };

/// The moments from which the way out is known, with how long it takes.
#[derive(Debug, Default)]
pub(crate) struct Healed(Mutex<HashMap<u64, Span>>);

impl Healed {
    fn get(&self, moment: u64) -> Option<Span> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&moment).copied()
    }

    fn extend(&self, way: Vec<(u64, Time)>, end: Time, rest: Span) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(way.into_iter().map(|(moment, at)| (moment, end.since(at) + rest)));
    }
}

/// How long a run may take from now on: every wait that the policy allows, once.
fn bound(policy: &Policy) -> Span {
    let Policy { drain_limit, rest, silent_after, reboot_silent_after, stuck_after, absent_grace, .. } =
        policy;
    [drain_limit, rest, silent_after, reboot_silent_after, stuck_after, absent_grace]
        .into_iter()
        .fold(Span::ZERO, |sum, wait| sum + *wait)
}

impl SmallWorld {
    /// Whether there is a way out of a moment.
    pub(crate) fn comes_to_its_end(&self, moment: &Moment) -> bool {
        let (began, mut moment, mut way) = (moment.now, healed(moment), Vec::new());
        let rest = loop {
            let name = name(&moment);
            if let Some(rest) = self.healed.get(name) {
                break rest;
            }
            way.push((name, moment.now));
            match self.mend(&moment) {
                Some(_) if way.len() > STEPS => return false,
                Some((_, turn)) => moment = turn.moment,
                None if is_well(&moment) => break Span::ZERO,
                None => return false,
            }
        };
        let in_time = moment.now.since(began) + rest <= bound(&self.policy());
        if in_time {
            self.healed.extend(way, moment.now, rest);
        }
        in_time
    }

    /// What happens next when nothing goes wrong. Time passes when nothing else is left to happen.
    pub(crate) fn mend(&self, moment: &Moment) -> Option<(Step, Turn<'_>)> {
        let steps = moment.possible().into_iter().filter_map(|step| Some((turn_of(step)?, step)));
        let (_, step) = steps.min_by_key(|(turn, _)| *turn)?;
        let mut turn = Turn::new(self, moment);
        turn.take(step);
        turn.moment.left = HEALED;
        Some((step, turn))
    }
}

/// The same moment, but nothing goes wrong any more.
pub(crate) fn healed(moment: &Moment) -> Moment {
    Moment { left: HEALED, held_up: Vec::new(), ..moment.clone() }
}

fn name(moment: &Moment) -> u64 {
    let mut hasher = DefaultHasher::new();
    moment.hash_situation(&mut hasher);
    hasher.finish()
}

/// In which order things happen, those that go wrong excepted.
fn turn_of(step: Step) -> Option<u8> {
    match step {
        Step::Manager(AtManager::Boots) | Step::Node(_, AtNode::Boots) => Some(0),
        Step::Manager(AtManager::Stores | AtManager::Due) | Step::Node(_, AtNode::Due) => Some(1),
        Step::Node(_, AtNode::ReportArrives | AtNode::OrderArrives) => Some(2),
        Step::Manager(AtManager::Staged | AtManager::Selects)
        | Step::Node(_, AtNode::Staged | AtNode::Selects | AtNode::Confirms) => Some(3),
        Step::Node(_, AtNode::CallEnds) => Some(4),
        Step::TimePasses => Some(5),
        Step::LateArrives(_)
        | Step::Manager(
            AtManager::Rejects | AtManager::LosesPower | AtManager::FallsBack | AtManager::OperatorStarts,
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

/// The run has ended, no place is taken, and every node takes calls but the one that the operator holds.
fn is_well(moment: &Moment) -> bool {
    let fleet = &moment.manager.fleet;
    let serves = moment.machines.iter().all(|machine| machine.admits() == machine.operator_since.is_none());
    fleet.platform.run.is_none() && fleet.nodes().places().is_empty() && serves
}
