//! A run that replaces another: how the attempts of the replaced run end does not count for it.

mod support;

use fleet::fact::{Fact, NodeFact};
use fleet::node::Duty;
use fleet::observed::{Admission, Calls, ReleaseState};
use fleet::platform::{Applied, Event, Fleet, ManagerWants};
use fleet::policy::Policy;
use fleet::progress::{Phase, Progress};
use fleet::time::Time;

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

fn manager_takes(fleet: &mut Fleet, at: u64, minor: u16) {
    fleet.apply(Time(at), Event::ManagerStaged);
    fleet.apply(Time(at + 1), Event::ManagerStarted { release: release(minor), fell_back: None, wall: None });
    assert_eq!(fleet.manager_wants(), ManagerWants::Nothing);
}

/// A bursting node restarts into 34.1 while the run that brings 34.2 takes the place of its own.
fn restarting_into_a_replaced_release() -> Fleet {
    let mut fleet = Fleet::new(release(0), Policy::standard());
    fleet.apply(Time(0), Event::NodeAdded { id: NODE, name: "node1".into(), duty: Duty::Bursting });
    report(&mut fleet, 1, 0, ReleaseState::Confirmed, Admission::Admitting);
    fleet.start(package(1), Policy::standard(), Time(2)).unwrap();
    manager_takes(&mut fleet, 3, 1);
    report(&mut fleet, 5, 0, ReleaseState::Confirmed, Admission::Admitting);
    report(&mut fleet, 6, 0, ReleaseState::Confirmed, Admission::Refusing);
    report(&mut fleet, 7, 0, ReleaseState::Leaving, Admission::Refusing);
    assert!(matches!(progress(&fleet).phase(), Some(Phase::Rebooting { .. })), "{:?}", progress(&fleet));
    // Somebody restarts the Management Node, so that another run may be started.
    fleet.apply(Time(8), Event::ManagerStarted { release: release(1), fell_back: None, wall: None });
    fleet.start(package(2), Policy::standard(), Time(9)).unwrap();
    manager_takes(&mut fleet, 10, 2);
    fleet
}

#[test]
fn node_on_the_release_of_a_replaced_run_is_still_to_be_upgraded() {
    let mut fleet = restarting_into_a_replaced_release();
    report(&mut fleet, 20, 1, ReleaseState::Confirmed, Admission::Refusing);
    let back = report(&mut fleet, 21, 1, ReleaseState::Confirmed, Admission::Admitting);
    let upgraded = |fact: &Fact| matches!(fact, Fact::Node { what: NodeFact::Upgraded { .. }, .. });
    assert!(back.facts.iter().any(upgraded), "it was upgraded to 34.1 all the same: {:?}", back.facts);
    assert_eq!(progress(&fleet), &Progress::Pending { tried: 0, rests_until: None });
    assert!(fleet.platform.run.is_some(), "the run is not complete");
    assert_eq!(fleet.check(), vec![]);
}

#[test]
fn node_that_did_not_take_the_release_of_a_replaced_run_is_not_asked_to_again() {
    let mut fleet = restarting_into_a_replaced_release();
    report(&mut fleet, 20, 0, ReleaseState::Confirmed, Admission::Refusing);
    report(&mut fleet, 21, 0, ReleaseState::Confirmed, Admission::Admitting);
    assert_eq!(progress(&fleet), &Progress::Pending { tried: 0, rests_until: None });
    let (software, _) = fleet.wanted(NODE).unwrap().intent.software.unwrap();
    assert_eq!(software.release, release(2));
}
