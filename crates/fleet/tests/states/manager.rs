//! The Management Node's own upgrade, and the epochs that its starts begin.

use fleet::desired::Generation;
use fleet::fact::Fact;
use fleet::observed::Observed;
use fleet::platform::{Event, ManagerWants, Platform};
use fleet::policy::Policy;
use fleet::run::{ManagerStep, Outcome, Run};
use fleet::time::Time;
use fleet::version::Sha256;

use crate::kit::{
    FIRST, LATER, NOW, fleet, in_run, node, observed, outcome, package, pending, platform, release, run,
};

/// A run whose Management Node has this step before it.
fn before(manager: ManagerStep) -> Run {
    Run { manager, ..run() }
}

/// A start of the Management Node that is no result of its upgrade leaves the run where it is.
#[test]
fn start_of_the_manager_ends_its_own_upgrade_only_with_the_release_or_a_fall_back_of_the_package() {
    let (staging, installing) = (ManagerStep::Staging { since: NOW }, ManagerStep::Installing { since: NOW });
    let why = String::from("it did not confirm itself");
    let fell_back = |manifest: Sha256| Some((manifest, why.clone()));
    let (of_this, of_another) = (fell_back(package(1).manifest), fell_back(package(9).manifest));
    let goes_on = (false, None);
    let (upgraded, back) = ((true, None), (false, Some(Outcome::ManagerFellBack { why: why.clone() })));
    for (step, runs, fell_back, expected) in [
        (installing, 1, None, upgraded.clone()),
        (installing, 1, of_another.clone(), upgraded),
        (installing, 0, None, goes_on.clone()),
        (installing, 0, of_another, goes_on.clone()),
        (installing, 0, of_this.clone(), back),
        (staging, 0, of_this, goes_on.clone()),
        (staging, 1, None, goes_on),
    ] {
        let mut fleet = in_run(before(step), [pending(node(0))]);
        let started =
            Event::ManagerStarted { release: release(runs), fell_back: fell_back.clone(), wall: None };
        fleet.apply(NOW, started);
        let done = fleet.platform.run.as_ref().is_some_and(Run::manager_is_done);
        assert_eq!((done, outcome(&fleet).cloned()), expected, "{step:?}, {runs}, {fell_back:?}");
    }
}

#[test]
fn manager_is_asked_for_nothing_after_its_upgrade() {
    let assignment = run().assignment();
    for (step, wants) in [
        (ManagerStep::Staging { since: NOW }, ManagerWants::Stage(assignment)),
        (ManagerStep::Installing { since: NOW }, ManagerWants::Install(assignment)),
        (ManagerStep::Confirmed { at: NOW }, ManagerWants::Nothing),
    ] {
        assert_eq!(in_run(before(step), [node(0)]).manager_wants(), wants);
    }
}

/// Reports may raise the epoch to a million below the highest number; a clock leaves as many below that.
#[test]
fn clock_of_another_century_leaves_epochs_for_a_million_starts_below_what_a_report_may_raise() {
    let mut fleet = fleet(platform(0), [node(0)]);
    let started = || Event::ManagerStarted { release: release(0), fell_back: None, wall: None };
    fleet.apply(Time(u64::MAX), started());
    assert_eq!(fleet.platform.epoch, u32::MAX - 2 * (1 << 20));
    fleet.apply(Time(u64::MAX), started());
    assert_eq!(fleet.platform.epoch, u32::MAX - 2 * (1 << 20) + 1);
}

#[test]
fn every_start_of_a_run_begins_an_epoch_while_there_is_one_below_the_highest() {
    for (epoch, next) in [(1, 2), (u32::MAX - 2, u32::MAX - 1), (u32::MAX - 1, u32::MAX - 1)] {
        let mut fleet = fleet(Platform { epoch, ..platform(0) }, [node(0)]);
        fleet.start(package(1), Policy::standard(), NOW).unwrap();
        assert_eq!(fleet.platform.epoch, next, "after {epoch}");
    }
}

/// The nodes may have stored the names of runs that a restored Management Node does not know.
#[test]
fn runs_that_start_a_millisecond_apart_have_names_of_their_own_whatever_the_year() {
    for at in [0, u64::from(u32::MAX), 1_800_000_000_000] {
        let name = |at| {
            let mut fleet = fleet(platform(0), [node(0)]);
            fleet.start(package(1), Policy::standard(), Time(at)).unwrap();
            fleet.platform.run.unwrap().name()
        };
        assert_ne!(name(at), name(at + 1), "at {at}");
    }
}

/// An earlier state of this Management Node may have issued it, by a clock that was up to ten years ahead. Any other
/// is the claim of a faulty node, and raises its own generation alone.
#[test]
fn epoch_that_a_node_claims_raises_that_of_the_platform_if_a_clock_can_have_issued_it() {
    let (clock, years) = (u32::try_from(NOW.0 / 1_000).unwrap(), 10 * 366 * 24 * 3_600);
    for (claimed, raised) in
        [(0, None), (1, Some(2)), (clock + years, Some(clock + years + 1)), (clock + years + 1, None)]
    {
        let mut fleet = fleet(platform(0), [node(0)]);
        let generation = Generation { epoch: claimed, n: 9 };
        let observed = Observed { at: LATER, generation, ..observed(0) };
        let facts = fleet.apply(NOW, Event::Report { id: FIRST, observed }).facts;
        assert_eq!(
            facts,
            Vec::from_iter(raised.map(|epoch| Fact::EpochRaised { epoch })),
            "claimed {claimed}"
        );
        assert_eq!(fleet.platform.epoch, raised.unwrap_or(1), "claimed {claimed}");
        assert!(fleet.wanted(FIRST).unwrap().generation > generation);
    }
}
