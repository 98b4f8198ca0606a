//! Which node of the queue is taken next (R5, R6, R7), and for which the run does not wait (R11).

use fleet::node::{Contact, Duty, Node, NodeId};
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::progress::{Ending, Failure, Phase, Progress};
use fleet::run::{ManagerStep, Outcome, Run};
use fleet::time::Time;

use crate::kit::{
    FIRST, NOW, UNTIL, attempt, bursting, copied, draining, in_run, lost, node, outcome, pending, progress,
    run, staged,
};

const SECOND: NodeId = NodeId(2);

/// A node that has been tried once and could be taken again.
fn tried_once() -> Node {
    Node { progress: Progress::Pending { tried: 1, rests_until: None }, ..staged() }
}

#[test]
fn node_waits_for_one_before_it_in_the_queue_no_longer_than_a_drain_may_take() {
    let mut fleet = in_run(run(), [pending(node(0)), tried_once()]);
    let taken = |fleet: &Fleet| progress(fleet, SECOND).holds_place();
    fleet.apply(NOW, Event::DeadlinePassed);
    assert!(!taken(&fleet), "the first was not tried yet");
    let until = NOW + run().policy.drain_limit;
    assert_eq!(fleet.next_deadline(), Some(until));
    fleet.apply(Time(until.0 - 1), Event::DeadlinePassed);
    assert!(!taken(&fleet));
    fleet.apply(until, Event::DeadlinePassed);
    assert!(taken(&fleet));
    assert!(!progress(&fleet, FIRST).holds_place());
}

#[test]
fn run_waits_for_no_node_that_cannot_be_contacted_and_for_no_duplicate() {
    let releasing = || attempt(Phase::Releasing { ending: Ending::TimedOut });
    for (node, absent) in [
        (pending(node(0)), false),
        (pending(lost(node(0))), true),
        (pending(copied(node(0))), true),
        // It is started when it is its turn (R7).
        (bursting(pending(lost(node(0)))), false),
        (releasing(), false),
        (lost(releasing()), true),
        (bursting(lost(releasing())), true),
        // It may restart, and is given up when that takes too long.
        (lost(draining()), false),
        (copied(draining()), false),
    ] {
        let (progress, contact) = (node.progress.clone(), node.contact);
        let fleet = in_run(run(), [node]);
        assert_eq!(fleet.nodes().absent().contains(&FIRST), absent, "{progress:?}, {contact:?}");
        assert_eq!(fleet.nodes().working(), u32::from(!absent), "{progress:?}, {contact:?}");
    }
}

#[test]
fn node_is_taken_while_a_place_is_free_and_the_manager_is_upgraded_r1_r2() {
    let staging = ManagerStep::Staging { since: NOW };
    for (manager, nodes_at_once, holders, taken) in [
        (run().manager, 2, 0, true),
        (run().manager, 2, 1, true),
        (run().manager, 2, 2, false),
        (staging, 2, 0, false),
    ] {
        let policy = Policy { nodes_at_once, ..Policy::standard() };
        let nodes = std::iter::once(staged()).chain(std::iter::repeat_n(draining(), holders));
        let mut fleet = in_run(Run { policy, manager, ..run() }, nodes);
        fleet.apply(NOW, Event::DeadlinePassed);
        assert_eq!(progress(&fleet, FIRST).holds_place(), taken, "{holders} of {nodes_at_once} places taken");
        assert!(fleet.platform.run.is_some());
    }
}

/// R11, R23. A Management Node that was restored learns only by reports what its nodes run.
#[test]
fn run_ends_when_nothing_is_left_to_do_and_waits_for_a_grace_for_nodes_that_it_does_not_hear() {
    let started_at = Time(NOW.0 - 1_000);
    let policy = run().policy;
    let silent = |node: Node, reported_at| {
        let contact = Contact::Silent { since: started_at, lost_at: UNTIL };
        Node { contact, reported_at, ..node }
    };
    let lost = |node: Node, reported_at| Node { reported_at, ..lost(node) };
    let (before, since) = (Time(started_at.0 - 1), started_at);
    let failed = Progress::Failed { why: Failure::NotStarted, at: NOW };
    let left = Node { progress: failed, ..node(0) };
    let never = Node::new("node".into(), Duty::AlwaysOn);
    let (at_once, later) = (NOW, NOW + policy.absent_grace);
    let (complete, incomplete) = (Outcome::Complete, Outcome::Incomplete);
    for (node, ends) in [
        (node(1), Some((at_once, &complete))),
        (pending(node(0)), None),
        // Its upgrade has failed.
        (left, Some((at_once, &incomplete))),
        (pending(lost(node(0), since)), Some((later, &incomplete))),
        // It may still report to this manager, and then run another release.
        (silent(node(1), before), None),
        (silent(node(1), since), Some((at_once, &complete))),
        // It has not reported to this manager, and cannot be contacted.
        (lost(node(1), before), Some((later, &incomplete))),
        (lost(node(1), since), Some((at_once, &complete))),
        (bursting(lost(node(1), before)), Some((at_once, &complete))),
        (never, Some((later, &incomplete))),
        (copied(node(1)), Some((at_once, &incomplete))),
    ] {
        let case = format!("{:?}, {:?}, reported at {:?}", node.progress, node.contact, node.reported_at);
        let mut fleet = in_run(run(), [node]);
        fleet.platform.started_at = started_at;
        for now in [NOW, Time(later.0 - 1), later] {
            fleet.apply(now, Event::DeadlinePassed);
            let ended = ends.filter(|(at, _)| *at <= now).map(|(_, outcome)| outcome);
            assert_eq!(outcome(&fleet), ended, "{case}, at {now:?}");
        }
    }
}
