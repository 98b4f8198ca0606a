//! Rules that are broken on purpose, in the shells around the state machines only, to test the model: each must lead to
//! a state in which its promise is broken.

use fleet::agent::PersistentState;
use fleet::desired::{Desired, Generation};
use fleet::node::Node;
use fleet::observed::Observed;
use fleet::platform::Fleet;
use fleet::policy::Policy;
use fleet::progress::{Ending, Phase, Progress};
use fleet::run::ManagerStep;
use fleet::time::Time;

use super::promises::Promise;
use super::state::Budget;
use super::transition::Transition;
use super::worlds::{
    SmallWorld, calls_of_two_nodes, faults_of_one_node, faults_of_two_nodes, messages_of_one_node,
    messages_of_two_nodes, operator_of_one_node,
};

/// A rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canary {
    /// A desired state that is older than the accepted one counts as newer.
    StaleTaken,
    /// An overtaken report counts as the newest.
    LateReportCounts,
    /// A place is free as soon as its node's drain times out, not when the node has reported that it is back.
    PlaceFreedOnTimeout,
    /// A desired state is sent before it is stored, and lost with a loss of power.
    SentBeforeStored,
    /// A call engine reports no calls although one is in progress.
    CallsForgotten,
    /// A node loses the operator's maintenance mode at a restart.
    OperatorForgotten,
    /// The nodes' turn begins before the Management Node is upgraded.
    NodesBeforeManager,
    /// A node whose drain timed out goes to the front of the queue.
    TriedTwiceAtOnce,
    /// A node is never sent that it may go back to service.
    ReleaseNeverSent,
}

impl Canary {
    pub(crate) const ALL: [Self; 9] = [
        Self::StaleTaken,
        Self::LateReportCounts,
        Self::PlaceFreedOnTimeout,
        Self::SentBeforeStored,
        Self::CallsForgotten,
        Self::OperatorForgotten,
        Self::NodesBeforeManager,
        Self::TriedTwiceAtOnce,
        Self::ReleaseNeverSent,
    ];

    /// The world in which it must be found, with the smallest bounds that let it break its promise.
    pub(crate) fn world(self) -> SmallWorld {
        let budget = |time, faults, operator| Budget { time, faults, operator, orders: 0 };
        let bounds = match self {
            Self::StaleTaken => SmallWorld { called: 0, ..messages_of_two_nodes() },
            Self::LateReportCounts => messages_of_one_node(),
            Self::PlaceFreedOnTimeout => SmallWorld { budget: budget(1, 0, 0), ..calls_of_two_nodes() },
            Self::SentBeforeStored => SmallWorld { budget: budget(0, 1, 0), ..faults_of_two_nodes() },
            Self::TriedTwiceAtOnce => calls_of_two_nodes(),
            Self::OperatorForgotten => operator_of_one_node(),
            Self::CallsForgotten | Self::NodesBeforeManager | Self::ReleaseNeverSent => faults_of_one_node(),
        };
        bounds.with(self)
    }

    /// The promise that it breaks.
    pub(crate) fn breaks(self) -> Promise {
        match self {
            Self::StaleTaken | Self::PlaceFreedOnTimeout | Self::SentBeforeStored => Promise::Places,
            Self::LateReportCounts => Promise::LateReports,
            Self::CallsForgotten => Promise::LivingCalls,
            Self::OperatorForgotten => Promise::OperatorsMode,
            Self::NodesBeforeManager => Promise::ManagerFirst,
            Self::TriedTwiceAtOnce => Promise::OnceBeforeTwice,
            Self::ReleaseNeverSent => Promise::Recovers,
        }
    }
}

/// The desired state that arrives at a node.
pub(crate) fn alter_desired(canary: Option<Canary>, accepted: &Desired, mut came: Desired) -> Desired {
    let Generation { epoch, n } = accepted.generation;
    if canary == Some(Canary::StaleTaken) && came.generation < accepted.generation {
        came.generation = Generation { epoch, n: n + 1 };
    }
    came
}

/// The report that arrives at the manager.
pub(crate) fn alter_report(canary: Option<Canary>, last: Option<&Observed>, mut came: Observed) -> Observed {
    if canary == Some(Canary::LateReportCounts) {
        came.at = came.at.max(last.map_or(came.at, |last| last.at));
    }
    came
}

/// The persistent state that a node finds at its start.
pub(crate) fn alter_persistent_state(canary: Option<Canary>, state: &mut PersistentState) {
    if canary == Some(Canary::OperatorForgotten) {
        state.accepted.intent.owners.operator = None;
    }
}

/// Whether a desired state is not sent.
pub(crate) fn is_never_sent(canary: Option<Canary>, accepted: &Desired, desired: &Desired) -> bool {
    let releases = accepted.intent.owners.run.is_some() && desired.intent.owners.run.is_none();
    canary == Some(Canary::ReleaseNeverSent) && releases
}

/// The platform's state, after an event.
pub(crate) fn alter_platform(transition: &mut Transition<'_>) {
    match transition.world.canary {
        Some(Canary::PlaceFreedOnTimeout) => rewrite(transition, |node, now| {
            if let (Some(tried), Some(Phase::Releasing { ending: Ending::TimedOut })) =
                (node.progress.tried(), node.progress.phase())
            {
                let rest = Policy::standard().rest;
                node.progress = Progress::Pending { tried, rests_until: Some(now + rest) };
            }
        }),
        Some(Canary::TriedTwiceAtOnce) => rewrite(transition, |node, _| {
            if let Progress::Pending { tried, rests_until } = &mut node.progress
                && *tried > 0
            {
                (*tried, *rests_until) = (0, None);
            }
        }),
        Some(Canary::NodesBeforeManager) => {
            let at = transition.state.now;
            let Some(run) = &mut transition.manager_mut().fleet.platform.run else { return };
            run.manager = ManagerStep::Confirmed { at };
            let assignment = run.assignment();
            rewrite(transition, |node, _| {
                if let Progress::Pending { .. } = node.progress {
                    node.assigned = Some(assignment);
                }
            });
        }
        Some(
            Canary::StaleTaken
            | Canary::LateReportCounts
            | Canary::SentBeforeStored
            | Canary::CallsForgotten
            | Canary::OperatorForgotten
            | Canary::ReleaseNeverSent,
        )
        | None => {}
    }
}

fn rewrite(transition: &mut Transition<'_>, change: impl Fn(&mut Node, Time)) {
    let now = transition.state.now;
    let fleet = transition.fleet();
    let records = fleet.nodes().iter().map(|(id, node)| {
        let mut node = node.clone();
        change(&mut node, now);
        (id, node)
    });
    let altered = Fleet::restore(fleet.platform.clone(), records.collect());
    if altered != *fleet {
        transition.manager_mut().fleet = altered;
    }
}
