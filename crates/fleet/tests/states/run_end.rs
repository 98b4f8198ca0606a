//! The end of a run (R8), and the promises whose violation halts it.

use fleet::desired::{Assignment, RunId};
use fleet::node::Node;
use fleet::observed::{Admission, Observed, Staging};
use fleet::platform::{Event, Fleet, Platform};
use fleet::policy::Policy;
use fleet::progress::{AttemptResult, Ending, Failure, Phase, Progress};
use fleet::run::{Lock, ManagerStep, Outcome, Run};

use crate::kit::{
    FIRST, LATER, NOW, UNTIL, attempt, bursting, copied, draining, ended, fleet, in_phase, in_run, lost,
};
use crate::kit::{node, observed, outcome, package, pending, platform, progress, report, run};

/// A run that is at its limit now.
fn at_its_limit(manager: ManagerStep) -> Run {
    let limit = NOW.since(run().started_at);
    Run { manager, policy: Policy { run_limit: limit, ..Policy::standard() }, ..run() }
}

const STAGING: ManagerStep = ManagerStep::Staging { since: NOW };
const DONE: ManagerStep = ManagerStep::Confirmed { at: NOW };

#[test]
fn end_of_a_run_says_why_a_node_in_the_queue_was_not_taken() {
    let failed = |why| Progress::Failed { why, at: NOW };
    for (manager, node, expected) in [
        (DONE, node(0), Progress::Idle),
        (DONE, copied(node(0)), failed(Failure::Duplicate)),
        (DONE, lost(node(0)), failed(Failure::Unreachable)),
        (DONE, bursting(node(0)), Progress::Idle),
        (DONE, bursting(lost(node(0))), Progress::Idle),
        // Nothing was asked of any node.
        (STAGING, node(0), Progress::Idle),
        (STAGING, copied(node(0)), Progress::Idle),
        (STAGING, lost(node(0)), Progress::Idle),
    ] {
        let mut fleet = in_run(at_its_limit(manager), [pending(node)]);
        fleet.apply(NOW, Event::DeadlinePassed);
        assert_eq!(outcome(&fleet), Some(&Outcome::LimitReached));
        assert_eq!(progress(&fleet, FIRST), &expected);
    }
}

#[test]
fn end_of_a_run_releases_every_node_that_does_not_restart_r8() {
    let stopped = || in_phase(Phase::Releasing { ending: Ending::Stopped });
    let back = in_phase(Phase::Releasing { ending: Ending::TimedOut });
    let rebooting = in_phase(Phase::Rebooting { stuck_at: UNTIL });
    let failed = Progress::Failed { why: Failure::NotStarted, at: NOW };
    let upgraded = Progress::Upgraded { at: NOW };
    for (before, after) in [
        (in_phase(Phase::Starting { until: UNTIL }), Progress::Idle),
        (in_phase(Phase::Preparing { until: UNTIL }), stopped()),
        (in_phase(Phase::Draining { until: UNTIL }), stopped()),
        (in_phase(Phase::Installing { drain_until: UNTIL, stuck_at: UNTIL }), stopped()),
        (rebooting.clone(), rebooting),
        (back.clone(), back),
        (failed.clone(), failed),
        (upgraded.clone(), upgraded),
        (Progress::Idle, Progress::Idle),
    ] {
        let mut fleet = in_run(at_its_limit(DONE), [Node { progress: before.clone(), ..draining() }]);
        fleet.apply(NOW, Event::DeadlinePassed);
        assert_eq!(progress(&fleet, FIRST), &after, "from {before:?}");
        assert_eq!(fleet.check(), []);
    }
}

/// The run after it takes such a node last.
#[test]
fn failure_that_is_reported_after_the_end_of_its_run_counts() {
    let of_another = Assignment { run: RunId(3), ..run().assignment() };
    for (assigned, result) in [(run().assignment(), Some(AttemptResult::Failed)), (of_another, None)] {
        let last_run = Some(ended(run(), Outcome::LimitReached));
        let rebooting = attempt(Phase::Rebooting { stuck_at: UNTIL });
        let node = Node { assigned: Some(assigned), ..rebooting };
        let mut fleet = fleet(Platform { last_run, ..platform(1) }, [node]);
        let (run, manifest, why) = (assigned.run, assigned.manifest, String::from("it fell back"));
        let staging = Staging::Rejected { run, manifest, why };
        report(&mut fleet, FIRST, Observed { staging, admission: Admission::Refusing, ..observed(0) });
        let node = fleet.nodes().get(FIRST).unwrap();
        assert_eq!(node.result, result, "{:?}", node.progress);
    }
}

/// A node in maintenance mode for a run that was replaced.
fn of_another_run() -> Node {
    Node { assigned: Some(Assignment { run: RunId(3), ..run().assignment() }), ..draining() }
}

fn broken(fleet: &Fleet) -> Vec<String> {
    fleet.check().into_iter().map(|violation| violation.promise.into()).collect()
}

#[test]
fn run_halts_when_more_nodes_are_out_of_service_than_it_allows_r2_r6() {
    let promise = "never more nodes out of service than there are places (R2, R6)";
    for (nodes, holds) in [
        (vec![draining(), draining()], true),
        (vec![draining(), draining(), of_another_run()], true),
        (vec![draining(), draining(), draining()], false),
    ] {
        let policy = Policy { nodes_at_once: 2, ..Policy::standard() };
        let mut fleet = in_run(Run { policy, ..run() }, nodes);
        assert_eq!(broken(&fleet), if holds { vec![] } else { vec![promise.to_string()] });
        fleet.apply(NOW, Event::DeadlinePassed);
        let why = "3 nodes are out of service on behalf of the run, 2 are allowed".into();
        let halted = Outcome::Halted { why };
        assert_eq!(outcome(&fleet), (!holds).then_some(&halted));
        assert_eq!(fleet.check(), [], "it does not end well");
    }
}

#[test]
fn run_halts_when_a_node_is_out_of_service_before_the_manager_is_upgraded_r1() {
    let holds_place = "no node holds a place before the Management Node is upgraded (R1)";
    let touched = "no node is touched before the Management Node is upgraded (R1)";
    let queued = Node { assigned: None, ..pending(node(0)) };
    for (manager, node, promises, halts) in [
        (STAGING, queued, vec![], false),
        (STAGING, of_another_run(), vec![], false),
        (STAGING, draining(), vec![holds_place, touched], true),
        (STAGING, pending(node(0)), vec![touched], false),
        (DONE, draining(), vec![], false),
    ] {
        let mut fleet = in_run(Run { manager, ..run() }, [node]);
        assert_eq!(broken(&fleet), promises);
        fleet.apply(LATER, Event::DeadlinePassed);
        let why = "a node was touched before the Management Node was upgraded".into();
        let halted = Outcome::Halted { why };
        assert_eq!(outcome(&fleet), halts.then_some(&halted));
    }
}

#[test]
fn ended_run_that_keeps_a_node_is_a_broken_promise_r8() {
    let promise = "an ended run keeps no node in its queue, and none in its maintenance mode but one that restarts (R8)";
    for (node, holds) in [
        (node(0), true),
        (attempt(Phase::Rebooting { stuck_at: UNTIL }), true),
        (draining(), false),
        (pending(node(0)), false),
    ] {
        let fleet = fleet(platform(1), [node]);
        assert_eq!(broken(&fleet), if holds { vec![] } else { vec![promise.to_string()] });
    }
}

#[test]
fn lock_that_is_lifted_before_the_manager_is_upgraded_is_a_broken_promise_r10() {
    let promise = "a lifted lock belongs to a run whose manager is upgraded (R10)";
    for (lock, manager, holds) in [
        (Lock::Held, STAGING, true),
        (Lock::Held, DONE, true),
        (Lock::Lifted, DONE, true),
        (Lock::Lifted, STAGING, false),
    ] {
        let fleet = in_run(Run { lock, manager, package: package(1), ..run() }, [node(0)]);
        assert_eq!(broken(&fleet), if holds { vec![] } else { vec![promise.to_string()] });
    }
}
