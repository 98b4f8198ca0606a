//! The registration of nodes, and what a record says of its node.

use fleet::desired::Generation;
use fleet::fact::NodeFact;
use fleet::node::{Duty, Node, NodeId};
use fleet::observed::{Admission, Calls, Observed, ReleaseState};
use fleet::platform::{Event, Fleet};
use fleet::policy::Policy;
use fleet::progress::Phase;

use crate::kit::{
    FIRST, NOW, UNTIL, attempt, copied, draining, fleet, in_run, node, node_with, observed, of_nodes,
};
use crate::kit::{pending, platform, progress, release, report, run};

#[test]
fn node_is_registered_once_and_forgotten_when_it_is_removed() {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    assert!(fleet.nodes().is_empty());
    let add = |name: &str| Event::NodeAdded { id: FIRST, name: name.into(), duty: Duty::AlwaysOn };
    let added = fleet.apply(NOW, add("node1"));
    assert_eq!((of_nodes(&added.facts), added.changed), (vec![NodeFact::Added], [FIRST].into()));
    assert_eq!((fleet.nodes().len(), fleet.nodes().is_empty()), (1, false));
    let registered = fleet.clone();
    assert_eq!(fleet.apply(NOW, add("another")).facts, []);
    assert_eq!(fleet, registered, "a number is given once");
    let other = Event::NodeAdded { id: NodeId(2), name: "node2".into(), duty: Duty::AlwaysOn };
    fleet.apply(NOW, other);
    assert_eq!(fleet.nodes().len(), 2);
    let removed = fleet.apply(NOW, Event::NodeRemoved { id: FIRST });
    assert_eq!((of_nodes(&removed.facts), removed.changed), (vec![NodeFact::Removed], [FIRST].into()));
    assert_eq!((fleet.nodes().get(FIRST), fleet.nodes().len()), (None, 1));
}

/// A node that is removed leaves nothing behind in the run.
#[test]
fn place_of_a_removed_node_is_free() {
    let mut fleet = in_run(run(), [draining(), pending(node(0))]);
    fleet.apply(NOW, Event::NodeRemoved { id: FIRST });
    assert!(fleet.nodes().places().is_empty());
    assert_eq!(fleet.check(), []);
}

#[test]
fn what_a_node_says_of_its_calls_counts_only_for_what_is_wanted_of_it_now() {
    for (admission, refuses) in [(Admission::Refusing, true), (Admission::Admitting, false)] {
        let current = node_with(Observed { admission, ..observed(0) });
        assert_eq!((current.refuses_calls(), current.admits_calls()), (refuses, !refuses));
        let generation = Generation { epoch: 1, n: 2 };
        let wanted_since = Node { generation, ..current };
        assert_eq!((wanted_since.refuses_calls(), wanted_since.admits_calls()), (false, false));
    }
}

#[test]
fn node_that_was_asked_to_prepare_waits_for_calls_when_it_has_said_that_it_refuses_them_r3() {
    for (admission, drains) in [(Admission::Admitting, false), (Admission::Refusing, true)] {
        let mut fleet = in_run(run(), [attempt(Phase::Preparing { until: UNTIL })]);
        let calls = Calls::Known { count: 1, oldest: None };
        report(&mut fleet, FIRST, Observed { admission, calls, ..observed(0) });
        let phase = progress(&fleet, FIRST).phase().unwrap();
        assert_eq!(matches!(phase, Phase::Draining { .. }), drains, "{phase:?}");
    }
}

/// It takes calls, or another owner than the run keeps it out of service; and its release has confirmed itself.
#[test]
fn node_is_back_when_nobody_but_the_run_keeps_it_from_taking_calls() {
    let operator = |node: Node| Node { operator_maintenance: Some(String::new()), ..node };
    for (admission, release_state, back, back_if_held) in [
        (Admission::Admitting, ReleaseState::Confirmed, true, false),
        (Admission::Refusing, ReleaseState::Confirmed, false, true),
        (Admission::Admitting, ReleaseState::Trying, false, false),
        (Admission::Refusing, ReleaseState::Trying, false, false),
        (Admission::Refusing, ReleaseState::Leaving, false, false),
    ] {
        let node = node_with(Observed { admission, release_state, ..observed(0) });
        assert_eq!((node.is_back(), operator(node.clone()).is_back()), (back, back_if_held), "{node:?}");
        let held_by_run = Node { observed: node.observed, ..draining() };
        assert_eq!(held_by_run.is_back(), back, "{held_by_run:?}");
    }
}

#[test]
fn node_as_which_two_machines_report_is_on_no_release() {
    for (node, is_on) in [(node(1), true), (copied(node(1)), false), (node(0), false)] {
        let fleet = fleet(platform(0), [node]);
        assert_eq!(fleet.nodes().get(FIRST).unwrap().is_on(release(1)), is_on);
    }
}
