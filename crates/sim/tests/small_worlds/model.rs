//! A small world as the model checker sees it: its actions, its transitions and its properties.

use std::sync::atomic::Ordering;

use stateright::{Model, Property};

use super::promises::Promise;
use super::state::State;
use super::step::{AtManager, AtNode, Step};
use super::transition::{Output, Transition};
use super::worlds::{Overtaken, SmallWorld};

/// One step, and which of the messages that it overtakes is delayed instead of lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) step: Step,
    pub(crate) holds_up: Option<usize>,
}

impl Model for SmallWorld {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.begin()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for step in state.possible().into_iter().filter(|step| self.has_callers_for(*step)) {
            let overtakes = if self.held_up == 0 { 0 } else { self.overtakes_at_most(step) };
            actions.push(Action { step, holds_up: None });
            actions.extend((0..overtakes).map(|which| Action { step, holds_up: Some(which) }));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let transition = self.apply(state, action)?;
        if let Step::LateArrives(_) = action.step {
            self.late.fetch_add(1, Ordering::Relaxed);
            let refused = transition.outputs.iter().any(|output| matches!(output, Output::Refused(..)));
            self.refused.fetch_add(usize::from(refused), Ordering::Relaxed);
        }
        Some(transition.state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        match self.canary {
            Some(canary) => vec![promise(canary.breaks())],
            None => {
                let reached = self.reaches.iter().map(|reached| reached.property());
                Promise::ALL.into_iter().map(promise).chain(reached).collect()
            }
        }
    }
}

impl SmallWorld {
    /// The transition of an action; `None` if its step does not overtake as many messages.
    pub(crate) fn apply(&self, state: &State, action: Action) -> Option<Transition<'_>> {
        let mut transition = Transition::new(self, state);
        transition.apply(action.step);
        match action.holds_up {
            Some(which) => transition.hold_up(which).then_some(transition),
            None => Some(transition),
        }
    }

    fn has_callers_for(&self, step: Step) -> bool {
        match step {
            Step::Node(id, AtNode::CallBegins) => id.0 <= self.called,
            Step::Node(..) | Step::Manager(_) | Step::LateArrives(_) | Step::TimePasses => true,
        }
    }

    /// How many messages a step may overtake: a node its own report, the Management Node its desired state of each
    /// node.
    fn overtakes_at_most(&self, step: Step) -> usize {
        let everybody = self.nodes as usize;
        let own = usize::from(self.overtaken == Overtaken::All);
        match step {
            Step::LateArrives(_) => everybody,
            Step::TimePasses => 0,
            Step::Manager(what) => match what {
                AtManager::Selects | AtManager::Stores | AtManager::LosesPower => 0,
                AtManager::Staged
                | AtManager::Rejects
                | AtManager::Boots
                | AtManager::FallsBack
                | AtManager::Due
                | AtManager::OperatorPauses
                | AtManager::OperatorResumes
                | AtManager::OperatorStops
                | AtManager::OperatorStarts => everybody,
            },
            Step::Node(_, what) => match what {
                AtNode::ReportArrives | AtNode::LinkDown | AtNode::OperatorHolds | AtNode::OperatorLetsGo => {
                    everybody
                }
                AtNode::LosesPower | AtNode::FallsBack | AtNode::ConfirmsAndLosesPower => 0,
                AtNode::DesiredArrives
                | AtNode::CallBegins
                | AtNode::CallEnds
                | AtNode::Staged
                | AtNode::Rejects
                | AtNode::Selects
                | AtNode::Boots
                | AtNode::Confirms
                | AtNode::Due => own,
            },
        }
    }
}

/// A promise, for the model checker.
fn promise(promise: Promise) -> Property<SmallWorld> {
    macro_rules! kept {
        ($($name:ident)*) => {
            match promise {
                Promise::Recovers => Property::always(promise.sentence(), SmallWorld::recovers),
                $(Promise::$name => Property::always(promise.sentence(), |_, state: &State| {
                    !state.broken.contains(Promise::$name)
                }),)*
            }
        };
    }
    kept!(Places LivingCalls ManagerFirst StaleCommands LateReports OnceBeforeTwice EndedRun OperatorsMode
        Unconfirmed Complete PlatformState Deadlines SaysWhy Paused)
}
