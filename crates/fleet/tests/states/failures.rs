//! G8: when a run stops by itself, and which nodes go first.

use fleet::fact::Fact;
use fleet::node::Node;
use fleet::platform::{Event, Fleet, Platform};
use fleet::policy::Policy;
use fleet::progress::{AttemptResult, Ending, Failure, Phase, Progress};
use fleet::run::{Lock, Outcome, Run};
use fleet::status::Waits;

use crate::kit::{
    FIRST, NOW, UNTIL, draining, ended, fleet, in_phase, in_run, node, outcome, package, pending, platform,
};
use crate::kit::{release, run, staged};

/// What the nodes of a run have come to.
#[derive(Clone, Copy, Debug, Default)]
struct So {
    failed: u32,
    upgraded: u32,
    /// Nodes that ran the release before.
    on_target: u32,
    under_way: u32,
}

fn failed() -> Node {
    let why = Failure::Rejected("it fell back".into());
    Node { progress: Progress::Failed { why, at: NOW }, result: Some(AttemptResult::Failed), ..node(0) }
}

fn upgraded() -> Node {
    Node { progress: Progress::Upgraded { at: NOW }, result: Some(AttemptResult::Upgraded), ..node(1) }
}

/// A platform whose first node is this one, and whose others have come so far.
fn come_to(policy: Policy, so: So, first: Node) -> Fleet {
    let So { failed: failures, upgraded: upgrades, on_target, under_way } = so;
    let mut nodes = vec![first];
    for (count, node) in [(failures, failed()), (upgrades, upgraded()), (under_way, draining())] {
        nodes.extend((0..count).map(|_| node.clone()));
    }
    in_run(Run { policy, on_target, ..run() }, nodes)
}

fn policy(stop_at_failures: u32, stop_at_failure_percent: u32, first_nodes: u32) -> Policy {
    Policy { stop_at_failures, stop_at_failure_percent, first_nodes, ..Policy::standard() }
}

#[test]
fn run_stops_at_the_number_and_the_share_of_failures_or_when_all_have_failed() {
    let stops = |policy: Policy, so: So| {
        let mut fleet = come_to(policy, so, pending(node(0)));
        fleet.apply(NOW, Event::DeadlinePassed);
        match outcome(&fleet) {
            Some(Outcome::TooManyFailures { failed, ended }) => {
                assert_eq!((*failed, *ended), (so.failed, so.failed + so.upgraded), "{so:?}");
                true
            }
            other => {
                assert_eq!(other, None, "{so:?}");
                false
            }
        }
    };
    let so = |failed, upgraded, on_target, under_way| So { failed, upgraded, on_target, under_way };
    for (so, expected) in [
        // Three of twelve are a quarter, three of thirteen are not.
        (so(3, 9, 0, 0), true),
        (so(3, 9, 0, 5), true),
        (so(3, 10, 0, 0), false),
        // Nodes that ran the release before show that it works.
        (so(3, 8, 1, 0), true),
        (so(3, 9, 1, 0), false),
        // The share alone is not enough.
        (so(2, 1, 0, 0), false),
        // All that were taken have failed, and nothing is under way that may show something else.
        (so(1, 0, 0, 0), true),
        (so(1, 0, 0, 1), false),
        (so(1, 0, 1, 0), false),
        (so(1, 1, 0, 0), false),
        (so(0, 0, 0, 0), false),
    ] {
        assert_eq!(stops(policy(3, 25, 0), so), expected, "{so:?}");
        assert!(!stops(policy(0, 25, 0), so), "it stops although it never is to: {so:?}");
    }
}

/// A run that has only nodes left which restart goes on: to end it would keep nobody from the release.
#[test]
fn run_does_not_stop_when_no_node_would_be_spared_by_it() {
    let so = So { failed: 3, ..So::default() };
    let rebooting = Node { progress: in_phase(Phase::Rebooting { stuck_at: UNTIL }), ..draining() };
    for (first, stops) in [(rebooting, false), (draining(), true), (pending(node(0)), true)] {
        let progress = first.progress.clone();
        let mut fleet = come_to(policy(3, 25, 0), so, first);
        fleet.apply(NOW, Event::DeadlinePassed);
        assert_eq!(fleet.platform.run.is_none(), stops, "{progress:?}");
    }
}

#[test]
fn no_node_is_taken_before_the_first_ones_are_upgraded_and_none_on_a_doubtful_release() {
    let waits = |policy: Policy, so: So| {
        let fleet = come_to(policy, so, staged());
        let found = fleet.waits(FIRST, NOW);
        let waits = found == Some(Waits::FirstNodes { under_way: so.under_way });
        assert!(
            waits || found == Some(Waits::Queue { taken: so.under_way, places: 10 }),
            "{so:?}: {found:?}"
        );
        waits
    };
    let so = |failed, upgraded, on_target, under_way| So { failed, upgraded, on_target, under_way };
    for (policy, so, expected) in [
        (policy(3, 25, 0), so(0, 0, 0, 2), false),
        (policy(3, 25, 0), so(0, 0, 0, 0), false),
        // One has failed and none is known to run the release.
        (policy(3, 25, 0), so(1, 0, 0, 2), true),
        (policy(3, 25, 0), so(1, 1, 0, 2), false),
        (policy(3, 25, 0), so(1, 0, 1, 2), false),
        (policy(0, 25, 0), so(1, 0, 0, 2), false),
        // Two go first, and one of them is upgraded.
        (policy(3, 25, 2), so(0, 0, 0, 1), false),
        (policy(3, 25, 2), so(0, 0, 0, 2), true),
        (policy(3, 25, 2), so(0, 1, 0, 0), false),
        (policy(3, 25, 2), so(0, 1, 0, 1), true),
        (policy(3, 25, 2), so(0, 2, 0, 1), false),
    ] {
        assert_eq!(waits(policy, so), expected, "{so:?}");
    }
}

/// A node that goes back to service shows nothing of the release any more.
#[test]
fn node_that_is_released_is_not_waited_for_as_one_that_goes_first() {
    let releasing = Node { progress: in_phase(Phase::Releasing { ending: Ending::TimedOut }), ..draining() };
    let fleet = in_run(Run { policy: policy(3, 25, 1), ..run() }, [staged(), releasing]);
    assert!(matches!(fleet.waits(FIRST, NOW), Some(Waits::Queue { taken: 1, .. })));
}

#[test]
fn next_start_is_the_end_of_a_stop_after_too_many_failures_and_of_no_other_outcome() {
    for (outcome, stopped) in
        [(Outcome::TooManyFailures { failed: 3, ended: 3 }, true), (Outcome::LimitReached, false)]
    {
        let last_run = Some(ended(Run { lock: Lock::Lifted, ..run() }, outcome));
        let mut fleet = fleet(Platform { last_run, ..platform(1) }, [node(1)]);
        let facts = fleet.start(package(2), Policy::standard(), NOW).unwrap().facts;
        assert_eq!(facts.contains(&Fact::FailureStopOver { run: run().id }), stopped, "{facts:?}");
        assert_eq!(fleet.platform.run.as_ref().unwrap().package.release, release(2));
    }
}
