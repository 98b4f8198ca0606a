//! The status of a node that restarts into another release, also when some of its reports were lost.

mod support;

use fleet::fact::{Fact, NodeFact};
use fleet::node::Duty;
use fleet::observed::{Admission, Calls, ReleaseState};
use fleet::platform::{Applied, Event, Fleet};
use fleet::policy::Policy;
use fleet::progress::Phase;
use fleet::status::{Status, Waits};
use fleet::time::{Span, Time};

use support::{NODE, NodeState, package, progress, release};

fn report(
    fleet: &mut Fleet,
    at: u64,
    runs: u16,
    release_state: ReleaseState,
    admission: Admission,
) -> Applied {
    support::report(fleet, NODE, at, NodeState { runs, release_state, admission, calls: Calls::NONE })
}

/// A node without calls, asked to restart into 34.1.
fn installing() -> Fleet {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    fleet.apply(Time(0), Event::NodeAdded { id: NODE, name: "node1".into(), duty: Duty::AlwaysOn });
    report(&mut fleet, 1, 0, ReleaseState::Confirmed, Admission::Admitting);
    fleet.start(package(1), Policy::standard(), Time(2)).unwrap();
    fleet.apply(Time(3), Event::ManagerStaged);
    fleet.apply(Time(4), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    report(&mut fleet, 5, 0, ReleaseState::Confirmed, Admission::Admitting);
    report(&mut fleet, 6, 0, ReleaseState::Confirmed, Admission::Refusing);
    assert_eq!(fleet.status(NODE), Some(Status::UpgradeInProgress));
    fleet
}

#[test]
fn node_on_an_unconfirmed_release_is_rebooting_although_its_last_report_was_lost() {
    let mut fleet = installing();
    let tries = report(&mut fleet, 7, 1, ReleaseState::Trying, Admission::Refusing);
    assert_eq!(fleet.status(NODE), Some(Status::Rebooting));
    let rebooting = |fact: &Fact| matches!(fact, Fact::Node { what: NodeFact::Rebooting, .. });
    assert!(tries.facts.iter().any(rebooting), "{:?}", tries.facts);
    report(&mut fleet, 8, 1, ReleaseState::Confirmed, Admission::Refusing);
    report(&mut fleet, 9, 1, ReleaseState::Confirmed, Admission::Admitting);
    assert_eq!(fleet.status(NODE), Some(Status::NoUpgradeInProgress));
}

#[test]
fn node_on_an_unconfirmed_release_unknown_to_this_manager_is_rebooting() {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    fleet.apply(Time(0), Event::NodeAdded { id: NODE, name: "node1".into(), duty: Duty::AlwaysOn });
    report(&mut fleet, 1, 1, ReleaseState::Trying, Admission::Refusing);
    assert_eq!(fleet.status(NODE), Some(Status::Rebooting));
    let waits = Waits::Restart { since: Span(2), stuck: false };
    assert_eq!(fleet.waits(NODE, Time(3)), Some(waits), "from its report on");
    report(&mut fleet, 4, 0, ReleaseState::Confirmed, Admission::Admitting);
    assert_eq!(fleet.status(NODE), Some(Status::NoUpgradeInProgress));
}

#[test]
fn node_that_was_given_up_and_tries_its_release_after_all_is_rebooting_r27() {
    let mut fleet = installing();
    fleet.apply(Time(7), Event::LinkDown { id: NODE });
    while let Some(deadline) = fleet.next_deadline().filter(|_| fleet.platform.run.is_some()) {
        fleet.apply(deadline, Event::DeadlinePassed);
    }
    assert!(matches!(progress(&fleet).phase(), Some(Phase::Releasing { .. })), "{:?}", progress(&fleet));
    assert_eq!(fleet.status(NODE), Some(Status::CouldNotCommunicate));
    let at = 100_000_000;
    report(&mut fleet, at, 1, ReleaseState::Trying, Admission::Refusing);
    assert_eq!(fleet.status(NODE), Some(Status::Rebooting));
    assert!(matches!(fleet.waits(NODE, Time(at)), Some(Waits::Restart { .. })));
    report(&mut fleet, at + 1, 1, ReleaseState::Confirmed, Admission::Refusing);
    report(&mut fleet, at + 2, 1, ReleaseState::Confirmed, Admission::Admitting);
    assert_eq!(fleet.status(NODE), Some(Status::NoUpgradeInProgress));
}
