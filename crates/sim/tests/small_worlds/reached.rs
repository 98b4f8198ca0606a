//! What must be reached in a world, so that its promises are not kept by standing still.

use fleet::desired::RunId;
use fleet::node::Node;
use fleet::progress::{Ending, Failure, Progress};
use fleet::run::Outcome;
use stateright::Property;

use super::moment::Moment;
use super::worlds::SmallWorld;

/// Something that a world must come to.
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
        };
        Property::sometimes(
            name,
            match self {
                Self::Complete => |_, moment| outcome(moment) == Some(&Outcome::Complete),
                Self::Incomplete => |_, moment| outcome(moment) == Some(&Outcome::Incomplete),
                Self::TimedOut => |_, moment| moment.machines.iter().any(|machine| machine.timeouts > 0),
                Self::TriedTwice => |_, moment| {
                    let again = moment.machines.iter().any(|machine| machine.timeouts > 0 && machine.trying);
                    again && moment.manager.fleet.platform.run.is_some()
                },
                Self::FellBack => {
                    |_, moment| moment.machines.iter().any(|machine| machine.fell_back.is_some())
                }
                Self::ManagerFellBack => {
                    |_, moment| matches!(outcome(moment), Some(Outcome::ManagerFellBack { .. }))
                }
                Self::ManagerRejected => {
                    |_, moment| matches!(outcome(moment), Some(Outcome::ManagerRejected { .. }))
                }
                Self::Lost => |_, moment| {
                    let lost = Ending::Failed(Failure::Lost);
                    any(
                        moment,
                        |node| matches!(&node.progress, Progress::Releasing { ending, .. } if *ending == lost),
                    )
                },
                Self::Full => |world, moment| {
                    let out = moment.machines.iter().filter(|machine| machine.is_out_for_a_run()).count();
                    out == world.places as usize
                },
                Self::OperatorsNodeUpgraded => |_, moment| {
                    let upgraded = |node: &Node| matches!(node.progress, Progress::Upgraded { .. });
                    any(moment, |node| upgraded(node) && node.operator_maintenance.is_some())
                },
                Self::RepeatComplete => |_, moment| {
                    let last = moment.manager.fleet.platform.last_run.as_ref();
                    last.is_some_and(|last| last.id == RunId(2) && last.outcome == Outcome::Complete)
                },
                Self::Replaced => |_, moment| outcome(moment) == Some(&Outcome::Replaced),
                Self::OverallLimit => |_, moment| outcome(moment) == Some(&Outcome::LimitReached),
            },
        )
    }
}

fn outcome(moment: &Moment) -> Option<&Outcome> {
    moment.manager.fleet.platform.last_run.as_ref().map(|last| &last.outcome)
}

fn any(moment: &Moment, is: impl Fn(&Node) -> bool) -> bool {
    moment.manager.fleet.nodes().iter().any(|(_, node)| is(node))
}
