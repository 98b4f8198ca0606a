//! The outcomes that a world must reach, so that its promises are not kept by standing still.

use fleet::desired::RunId;
use fleet::node::Node;
use fleet::progress::{Ending, Failure, Phase, Progress};
use fleet::run::Outcome;
use stateright::Property;

use super::state::State;
use super::worlds::SmallWorld;

/// An outcome that a world must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Complete,
    Incomplete,
    TimedOut,
    TriedTwice,
    FellBack,
    ManagerFellBack,
    ManagerRejected,
    Lost,
    Full,
    OperatorsNodeUpgraded,
    RepeatComplete,
    Replaced,
    OverallLimit,
    Paused,
    Stopped,
}

impl Reached {
    pub(crate) fn property(self) -> Property<SmallWorld> {
        let name = match self {
            Self::Complete => "a run is complete",
            Self::Incomplete => "a run ends without some node",
            Self::TimedOut => "a node's calls have not cleared in time",
            Self::TriedTwice => "a node is upgraded after calls that had not cleared in time",
            Self::FellBack => "a node falls back",
            Self::ManagerFellBack => "the Management Node falls back",
            Self::ManagerRejected => "the Management Node cannot take the release",
            Self::Lost => "a node is not heard again after its restart",
            Self::Full => "as many machines are out of service as are allowed",
            Self::OperatorsNodeUpgraded => "a node is upgraded and stays in the operator's maintenance mode",
            Self::RepeatComplete => "a repeat is complete",
            Self::Replaced => "a run is started in the place of another",
            Self::OverallLimit => "a run stops at the overall limit",
            Self::Paused => "a run is paused while a node is out of service",
            Self::Stopped => "the operator has stopped a run",
        };
        Property::sometimes(
            name,
            match self {
                Self::Complete => |_, state| outcome(state) == Some(&Outcome::Complete),
                Self::Incomplete => |_, state| outcome(state) == Some(&Outcome::Incomplete),
                Self::TimedOut => |_, state| state.machines.iter().any(|machine| machine.timeouts > 0),
                Self::TriedTwice => |_, state| {
                    let again = state.machines.iter().any(|machine| machine.timeouts > 0 && machine.trying);
                    again && state.manager.fleet.platform.run.is_some()
                },
                Self::FellBack => |_, state| state.machines.iter().any(|machine| machine.fell_back.is_some()),
                Self::ManagerFellBack => {
                    |_, state| matches!(outcome(state), Some(Outcome::ManagerFellBack { .. }))
                }
                Self::ManagerRejected => {
                    |_, state| matches!(outcome(state), Some(Outcome::ManagerRejected { .. }))
                }
                Self::Lost => |_, state| {
                    let lost = Ending::Failed(Failure::Lost);
                    any(
                        state,
                        |node| matches!(node.progress.phase(), Some(Phase::Releasing { ending }) if *ending == lost),
                    )
                },
                Self::Full => |world, state| {
                    let out = state.machines.iter().filter(|machine| machine.is_out_for_a_run()).count();
                    out == world.places as usize
                },
                Self::OperatorsNodeUpgraded => |_, state| {
                    let upgraded = |node: &Node| matches!(node.progress, Progress::Upgraded { .. });
                    any(state, |node| upgraded(node) && node.operator_maintenance.is_some())
                },
                Self::RepeatComplete => |_, state| {
                    let last = state.manager.fleet.platform.last_run.as_ref();
                    last.is_some_and(|last| last.id == RunId(2) && last.outcome == Outcome::Complete)
                },
                Self::Replaced => |_, state| outcome(state) == Some(&Outcome::Replaced),
                Self::OverallLimit => |_, state| outcome(state) == Some(&Outcome::LimitReached),
                Self::Paused => |_, state| {
                    let run = state.manager.fleet.platform.run.as_ref();
                    let out = state.machines.iter().any(|machine| machine.is_out_for_a_run());
                    out && run.is_some_and(|run| run.paused.is_some())
                },
                Self::Stopped => |_, state| matches!(outcome(state), Some(Outcome::Stopped { .. })),
            },
        )
    }
}

fn outcome(state: &State) -> Option<&Outcome> {
    state.manager.fleet.platform.last_run.as_ref().map(|last| &last.outcome)
}

fn any(state: &State, is: impl Fn(&Node) -> bool) -> bool {
    state.manager.fleet.nodes().iter().any(|(_, node)| is(node))
}
