//! The status of a node in every state, and what it waits for.

use fleet::node::{Contact, Node};
use fleet::observed::{Calls, Observed, ReleaseState, Staging};
use fleet::policy::Policy;
use fleet::progress::{Ending, Failure, Phase, Progress};
use fleet::run::{ManagerStep, Run};
use fleet::status::{Status, Waits};
use fleet::time::{Span, Time};

use crate::kit::{
    FIRST, NOW, UNTIL, attempt, bursting, copied, draining, fleet, in_phase, in_run, lost, node, node_with,
};
use crate::kit::{observed, package, pending, platform, run, staged};

/// What is shown of a node while it can be contacted, and when it cannot.
fn shown(node: Node) -> [Status; 2] {
    [node.clone(), lost(node)].map(|node| fleet(platform(1), [node]).status(FIRST).unwrap())
}

#[test]
fn every_state_has_one_of_the_eight_statuses_whether_or_not_the_node_can_be_contacted() {
    use Status::{CouldNotCommunicate, NoUpgradeInProgress, Preparing, Rebooting, UpgradeInProgress};
    use Status::{TimeoutWaitingForCallsToClear, UpgradePending, WaitingForCallsToClear};
    let failed = |why| Progress::Failed { why, at: NOW };
    let rejected = || Failure::Rejected("the disk is full".into());
    let pending = |tried| Progress::Pending { tried, rests_until: None };
    let releasing = |ending| in_phase(Phase::Releasing { ending });
    for (progress, heard, lost) in [
        (Progress::Idle, NoUpgradeInProgress, NoUpgradeInProgress),
        (Progress::Upgraded { at: NOW }, NoUpgradeInProgress, NoUpgradeInProgress),
        (failed(Failure::Unreachable), NoUpgradeInProgress, CouldNotCommunicate),
        (failed(Failure::Lost), NoUpgradeInProgress, CouldNotCommunicate),
        (failed(rejected()), NoUpgradeInProgress, NoUpgradeInProgress),
        (pending(0), UpgradePending, CouldNotCommunicate),
        (pending(1), TimeoutWaitingForCallsToClear, CouldNotCommunicate),
        (in_phase(Phase::Starting { until: UNTIL }), UpgradePending, UpgradePending),
        (in_phase(Phase::Preparing { until: UNTIL }), Preparing, CouldNotCommunicate),
        (in_phase(Phase::Draining { until: UNTIL }), WaitingForCallsToClear, CouldNotCommunicate),
        (
            in_phase(Phase::Installing { drain_until: UNTIL, stuck_at: UNTIL }),
            UpgradeInProgress,
            CouldNotCommunicate,
        ),
        (in_phase(Phase::Rebooting { stuck_at: UNTIL }), Rebooting, CouldNotCommunicate),
        (releasing(Ending::TimedOut), TimeoutWaitingForCallsToClear, CouldNotCommunicate),
        (releasing(Ending::Upgraded), NoUpgradeInProgress, CouldNotCommunicate),
        (releasing(Ending::Failed(rejected())), NoUpgradeInProgress, CouldNotCommunicate),
        (releasing(Ending::Stopped), NoUpgradeInProgress, CouldNotCommunicate),
    ] {
        let found = shown(Node { progress: progress.clone(), ..node(0) });
        assert_eq!(found, [heard, lost], "{progress:?}");
    }
}

/// It is powered off, as it is to be (R7).
#[test]
fn bursting_node_in_the_queue_is_pending_although_it_cannot_be_contacted() {
    assert_eq!(shown(bursting(pending(node(0)))), [Status::UpgradePending; 2]);
    let tried = Progress::Pending { tried: 1, rests_until: None };
    let expected = [Status::TimeoutWaitingForCallsToClear, Status::UpgradePending];
    assert_eq!(shown(bursting(Node { progress: tried, ..node(0) })), expected);
}

#[test]
fn node_on_a_release_that_may_fall_back_is_rebooting_unless_its_run_knows_better() {
    for (release_state, idle, draining) in [
        (ReleaseState::Confirmed, Status::NoUpgradeInProgress, Status::WaitingForCallsToClear),
        (ReleaseState::Trying, Status::Rebooting, Status::WaitingForCallsToClear),
        (ReleaseState::Leaving, Status::Rebooting, Status::WaitingForCallsToClear),
    ] {
        let node = node_with(Observed { release_state, ..observed(1) });
        assert_eq!(shown(node.clone())[0], idle, "{release_state:?}");
        assert_eq!(shown(node.clone())[1], Status::NoUpgradeInProgress, "{release_state:?}");
        let progress = in_phase(Phase::Draining { until: UNTIL });
        assert_eq!(shown(Node { progress, ..node })[0], draining, "{release_state:?}");
    }
}

fn ago(milliseconds: u64) -> Time {
    Time(NOW.0 - milliseconds)
}

/// What the first of these nodes waits for, in a run.
fn waits(run: Run, nodes: impl IntoIterator<Item = Node>) -> Option<Waits> {
    in_run(run, nodes).waits(FIRST, NOW)
}

#[test]
fn node_in_the_queue_says_what_it_waits_for() {
    let manager = ManagerStep::Staging { since: NOW };
    assert_eq!(waits(Run { manager, ..run() }, [staged()]), Some(Waits::Manager));
    let fetching = Staging::Fetching { manifest: package(1).manifest, percent: 40 };
    let of_another = Staging::Staged { manifest: package(9).manifest };
    for (staging, percent) in [(Staging::Nothing, 0), (fetching, 40), (of_another, 0)] {
        let node = pending(node_with(Observed { staging, ..observed(0) }));
        assert_eq!(waits(run(), [node]), Some(Waits::Staging { percent }));
    }
    let rests_until = Some(Time(NOW.0 + 5_000));
    let rests = Node { progress: Progress::Pending { tried: 1, rests_until }, ..staged() };
    assert_eq!(waits(run(), [rests]), Some(Waits::Rest { ends_in: Span::seconds(5) }));
    assert_eq!(waits(run(), [bursting(lost(staged()))]), Some(Waits::AlwaysOnNodes));
    assert_eq!(waits(run(), [bursting(staged())]), Some(Waits::Queue { taken: 0, places: 10 }));
}

#[test]
fn node_in_the_queue_is_shown_the_lost_nodes_only_when_they_hold_every_place() {
    let places = |nodes_at_once| {
        let policy = Policy { nodes_at_once, ..run().policy };
        Run { policy, ..run() }
    };
    let (heard, silent) = (draining(), lost(draining()));
    for (nodes_at_once, holders, expected) in [
        (2, vec![silent.clone(), silent.clone()], Waits::LostNodes { nodes: 2 }),
        (2, vec![silent.clone(), heard.clone()], Waits::Queue { taken: 2, places: 2 }),
        (2, vec![heard.clone(), heard], Waits::Queue { taken: 2, places: 2 }),
        (2, vec![silent.clone()], Waits::Queue { taken: 1, places: 2 }),
        (2, vec![silent; 3], Waits::LostNodes { nodes: 3 }),
        (2, vec![], Waits::Queue { taken: 0, places: 2 }),
    ] {
        let nodes = [vec![staged()], holders].concat();
        assert_eq!(waits(places(nodes_at_once), nodes), Some(expected));
    }
}

#[test]
fn node_in_an_attempt_says_what_it_waits_for() {
    let limit_in = NOW.until(UNTIL);
    let since = Span::seconds(9);
    let of = |phase| {
        let mut node = attempt(phase);
        if let Progress::Attempt(attempt) = &mut node.progress {
            attempt.since = ago(since.0);
        }
        node
    };
    let calls = Calls::Known { count: 2, oldest: Some(Span::seconds(30)) };
    let reported =
        |node| Node { observed: Some(Observed { calls, ..observed(0) }), reported_at: ago(4_000), ..node };
    // The oldest call has grown older since the report.
    let oldest = Some(Span::seconds(34));
    let waits_for_calls = Waits::Calls { calls: Calls::Known { count: 2, oldest }, oldest, limit_in };
    for (node, expected) in [
        (of(Phase::Starting { until: UNTIL }), Waits::StartUp { limit_in }),
        (of(Phase::Preparing { until: UNTIL }), Waits::Answer { since }),
        (reported(of(Phase::Draining { until: UNTIL })), waits_for_calls),
        (
            of(Phase::Installing { drain_until: UNTIL, stuck_at: UNTIL }),
            Waits::Restart { since, stuck: false },
        ),
        (of(Phase::Rebooting { stuck_at: UNTIL }), Waits::Restart { since, stuck: false }),
        (of(Phase::Releasing { ending: Ending::TimedOut }), Waits::Return { since }),
    ] {
        assert_eq!(waits(run(), [node]), Some(expected));
    }
    let mut away = attempt(Phase::Rebooting { stuck_at: UNTIL });
    let stuck_after = run().policy.stuck_after;
    for (since, stuck) in [(Span(stuck_after.0 - 1), false), (stuck_after, true)] {
        if let Progress::Attempt(attempt) = &mut away.progress {
            attempt.since = ago(since.0);
        }
        assert_eq!(waits(run(), [away.clone()]), Some(Waits::Restart { since, stuck }));
    }
}

#[test]
fn node_that_has_left_its_run_says_why_also_while_it_is_on_its_way_back() {
    let why = Failure::Rejected("the disk is full".into());
    let failed = Some(Waits::Failed { why: why.clone(), text: "the disk is full".into() });
    let left = Progress::Failed { why: why.clone(), at: NOW };
    for progress in [left, in_phase(Phase::Releasing { ending: Ending::Failed(why) })] {
        assert_eq!(waits(run(), [Node { progress, ..node(0) }]), failed);
    }
    for progress in [Progress::Idle, Progress::Upgraded { at: NOW }] {
        assert_eq!(waits(run(), [Node { progress, ..node(0) }]), None);
    }
}

#[test]
fn node_that_cannot_be_contacted_says_for_how_long() {
    let silent = |contact| Some(Node { contact, ..pending(node(0)) });
    let since = ago(7_000);
    for (node, silent) in
        [(silent(Contact::Lost { since }), Some(Span::seconds(7))), (silent(Contact::Never), None)]
    {
        assert_eq!(waits(run(), node), Some(Waits::Contact { silent }));
    }
}

#[test]
fn operator_is_named_when_nothing_else_is_waited_for() {
    let operator_maintenance = Some(String::from("new fans"));
    let held = Node { operator_maintenance, ..node(1) };
    let reason = String::from("new fans");
    assert_eq!(waits(run(), [held.clone()]), Some(Waits::Operator { reason }));
    let two = *copied(node(1)).duplicate().unwrap();
    assert_eq!(waits(run(), [copied(held)]), Some(Waits::Duplicate { two }));
}
