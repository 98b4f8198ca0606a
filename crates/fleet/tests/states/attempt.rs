//! The attempt at a node: which report leads from which phase to which, with its deadlines and facts, and what the
//! loss of the link and a deadline that passes do.

use std::slice::from_ref;

use fleet::desired::{Assignment, RunId};
use fleet::fact::NodeFact;
use fleet::node::{Contact, Node, Power};
use fleet::observed::{Admission, Calls, Observed, ReleaseState, Staging};
use fleet::platform::{Event, Fleet, Platform};
use fleet::policy::Policy;
use fleet::progress::{Attempt, AttemptResult, Ending, Failure, Phase, Progress};
use fleet::run::Run;
use fleet::time::{Span, Time};

use crate::kit::{
    FIRST, LATER, NOW, PENDING, UNTIL, bursting, fleet, in_run, lost, node, node_with, observed, of_nodes,
};
use crate::kit::{package, pending, platform, progress, release, report, run, staged};

const STUCK_AT: Time = Time(UNTIL.0 + 7);
const ONE_CALL: Calls = Calls::Known { count: 1, oldest: None };

/// Limits that differ from each other. The run never stops by itself.
fn policy() -> Policy {
    Policy {
        drain_limit: Span::minutes(40),
        stuck_after: Span::minutes(50),
        stop_at_failures: 0,
        ..Policy::standard()
    }
}

fn this_run() -> Run {
    Run { policy: policy(), ..run() }
}

fn of_another_run() -> Assignment {
    Assignment { run: RunId(3), ..run().assignment() }
}

fn tried(tried: u32, since: Time, phase: Phase) -> Progress {
    Progress::Attempt(Attempt { tried, since, phase })
}

/// A node in this phase since [`NOW`], after two attempts that have ended. Its next report is news.
fn at(phase: Phase) -> Node {
    let before = node_with(Observed { calls: Calls::Unknown, ..observed(0) });
    Node { progress: tried(2, NOW, phase), assigned: Some(run().assignment()), ..before }
}

/// The same attempt in another phase, since the report.
fn then(phase: Phase) -> Progress {
    tried(2, LATER, phase)
}

/// The attempt has ended.
fn released(ending: Ending) -> Progress {
    tried(3, LATER, Phase::Releasing { ending })
}

fn rejected() -> Failure {
    Failure::Rejected("it fell back".into())
}

const STARTING: Phase = Phase::Starting { until: UNTIL };
const PREPARING: Phase = Phase::Preparing { until: UNTIL };
const DRAINING: Phase = Phase::Draining { until: UNTIL };
const INSTALLING: Phase = Phase::Installing { drain_until: UNTIL, stuck_at: STUCK_AT };
const REBOOTING: Phase = Phase::Rebooting { stuck_at: STUCK_AT };
const RELEASING: Phase = Phase::Releasing { ending: Ending::TimedOut };

/// A report of a node that takes no calls and has none.
fn refusing(runs: u16, release_state: ReleaseState) -> Observed {
    Observed { admission: Admission::Refusing, release_state, ..observed(runs) }
}

fn refuses() -> Observed {
    refusing(0, ReleaseState::Confirmed)
}

fn rejects(observed: Observed) -> Observed {
    let Assignment { run, manifest, .. } = run().assignment();
    Observed { staging: Staging::Rejected { run, manifest, why: "it fell back".into() }, ..observed }
}

/// The node beside another one in the queue, so that the run goes on.
fn beside_another(first: Node) -> Fleet {
    in_run(this_run(), [first, pending(node(0))])
}

/// Checks where a report leads from a state, and what is recorded of it.
fn check(before: Node, report: Observed, after: &Progress, facts: &[NodeFact]) {
    let mut fleet = beside_another(before.clone());
    check_in(&mut fleet, &before, report, after, facts);
}

fn check_in(fleet: &mut Fleet, before: &Node, said: Observed, after: &Progress, facts: &[NodeFact]) {
    let found = of_nodes(&report(fleet, FIRST, said.clone()));
    let node = fleet.nodes().get(FIRST).unwrap();
    assert_eq!((&node.progress, &found[..]), (after, facts), "from {:?} by {said:?}", before.progress);
    let takes = matches!(node.progress, Progress::Pending { .. } | Progress::Attempt(_));
    assert_eq!(node.assigned.is_some(), takes, "what {:?} is assigned", node.progress);
    assert_eq!(fleet.check(), []);
}

#[test]
fn node_is_led_by_its_reports_from_its_start_to_its_restart() {
    let (drain_until, stuck_at) = (LATER + policy().drain_limit, LATER + policy().stuck_after);
    let rebooting = then(Phase::Rebooting { stuck_at });
    let draining = |until| then(Phase::Draining { until });
    let manifest = package(1).manifest;
    let has_staged = Observed { staging: Staging::Staged { manifest }, ..observed(0) };
    let stays = |phase| tried(2, NOW, phase);
    let with_calls = |calls| Observed { calls, ..refuses() };
    let staged = NodeFact::Staged { release: release(1) };

    check(at(STARTING), observed(0), &stays(STARTING), &[]);
    let prepares = then(Phase::Preparing { until: drain_until });
    check(at(STARTING), has_staged, &prepares, &[staged, NodeFact::Preparing]);

    check(at(PREPARING), observed(0), &stays(PREPARING), &[]);
    let facts = [NodeFact::Draining { calls: ONE_CALL }];
    check(at(PREPARING), with_calls(ONE_CALL), &draining(drain_until), &facts);
    let trying = refusing(1, ReleaseState::Trying);
    check(at(PREPARING), trying.clone(), &rebooting, &[NodeFact::Rebooting]);

    check(at(DRAINING), with_calls(ONE_CALL), &stays(DRAINING), &[]);
    check(at(DRAINING), with_calls(Calls::Unknown), &stays(DRAINING), &[]);
    let installing = then(Phase::Installing { drain_until: UNTIL, stuck_at });
    check(at(DRAINING), refuses(), &installing, &[NodeFact::Installing]);
    check(at(DRAINING), refusing(0, ReleaseState::Leaving), &rebooting, &[NodeFact::Rebooting]);

    check(at(INSTALLING), refuses(), &stays(INSTALLING), &[]);
    let facts = [NodeFact::Draining { calls: ONE_CALL }];
    check(at(INSTALLING), with_calls(ONE_CALL), &draining(UNTIL), &facts);
    for state in [refusing(0, ReleaseState::Leaving), trying.clone()] {
        check(at(INSTALLING), state, &then(REBOOTING), &[NodeFact::Rebooting]);
    }
    check(at(REBOOTING), trying, &stays(REBOOTING), &[]);
    // It was restarted into its old slot and is asked again. How long it has been away counts from the beginning.
    let again = tried(2, NOW, Phase::Installing { drain_until: STUCK_AT, stuck_at: STUCK_AT });
    check(at(REBOOTING), refuses(), &again, &[NodeFact::Installing]);
}

#[test]
fn node_that_takes_calls_again_by_itself_has_timed_out() {
    for phase in [DRAINING, INSTALLING] {
        let facts = [NodeFact::DrainTimedOut { calls: Calls::NONE }];
        check(at(phase), observed(0), &released(Ending::TimedOut), &facts);
    }
}

#[test]
fn attempt_ends_when_the_node_has_or_cannot_take_the_release() {
    let failed = || released(Ending::Failed(rejected()));
    for phase in [STARTING, PREPARING, DRAINING, INSTALLING, REBOOTING] {
        let upgraded = refusing(1, ReleaseState::Confirmed);
        check(at(phase.clone()), upgraded, &released(Ending::Upgraded), &[]);
        check(at(phase), rejects(refuses()), &failed(), &[]);
    }
    // The attempt had ended already.
    let again = then(Phase::Releasing { ending: Ending::Upgraded });
    check(at(RELEASING), refusing(1, ReleaseState::Confirmed), &again, &[]);
    // It is known how it ended.
    for ending in [Ending::Upgraded, Ending::Failed(rejected())] {
        let phase = Phase::Releasing { ending: ending.clone() };
        let said = if ending == Ending::Upgraded {
            refusing(1, ReleaseState::Confirmed)
        } else {
            rejects(refuses())
        };
        check(at(phase.clone()), said, &tried(2, NOW, phase), &[]);
    }
}

#[test]
fn node_in_the_queue_that_has_or_cannot_take_the_release_is_done() {
    let upgraded = NodeFact::Upgraded { release: release(1), away: Span::ZERO };
    check(pending(node(0)), observed(1), &Progress::Upgraded { at: LATER }, &[upgraded]);
    let failed = Progress::Failed { why: rejected(), at: LATER };
    check(pending(node(0)), rejects(observed(0)), &failed, &[NodeFact::Failed { why: rejected() }]);
    check(pending(node(0)), observed(0), &PENDING, &[]);
}

#[test]
fn node_that_is_back_leaves_the_attempt_as_it_has_ended() {
    let back = |ending| at(Phase::Releasing { ending });
    let rests = Progress::Pending { tried: 2, rests_until: Some(LATER + policy().rest) };
    let upgraded = NodeFact::Upgraded { release: release(1), away: Span::ZERO };
    let failed = Progress::Failed { why: rejected(), at: LATER };
    check(back(Ending::TimedOut), refuses(), &tried(2, NOW, RELEASING), &[]);
    check(back(Ending::TimedOut), observed(0), &rests, &[NodeFact::Returned]);
    check(back(Ending::Upgraded), observed(1), &Progress::Upgraded { at: LATER }, from_ref(&upgraded));
    // It, or another machine with its identity, has reported the release before.
    check(back(Ending::Upgraded), observed(0), &rests, &[NodeFact::Returned]);
    check(back(Ending::Failed(rejected())), observed(0), &failed, &[NodeFact::Failed { why: rejected() }]);
    check(back(Ending::Stopped), observed(0), &Progress::Idle, &[NodeFact::Returned]);

    // The run has ended.
    for (ending, said, after, fact) in [
        (Ending::TimedOut, observed(0), Progress::Idle, NodeFact::Returned),
        (Ending::Upgraded, observed(0), Progress::Idle, NodeFact::Returned),
        (Ending::Upgraded, observed(1), Progress::Upgraded { at: LATER }, upgraded.clone()),
    ] {
        let node = back(ending);
        check_in(&mut fleet(platform(1), [node.clone()]), &node, said, &after, &[fact]);
    }

    // Another run has taken the place of its own.
    let of_another = |ending| Node { assigned: Some(of_another_run()), ..back(ending) };
    for ending in [Ending::TimedOut, Ending::Failed(rejected())] {
        check(of_another(ending.clone()), observed(0), &PENDING, &[NodeFact::Returned]);
        check(of_another(Ending::Stopped), observed(0), &PENDING, &[NodeFact::Returned]);
    }
    check(of_another(Ending::Upgraded), observed(1), &Progress::Upgraded { at: LATER }, &[upgraded]);
}

/// After a restore of the Management Node, a report may tell what the node has left since.
#[test]
fn report_for_another_desired_state_leads_nowhere_but_to_the_restart_that_was_asked_for() {
    for (phase, after) in [
        (STARTING, tried(2, NOW, STARTING)),
        (PREPARING, tried(2, NOW, PREPARING)),
        (DRAINING, tried(2, NOW, DRAINING)),
        (INSTALLING, then(REBOOTING)),
        (REBOOTING, tried(2, NOW, REBOOTING)),
        (RELEASING, tried(2, NOW, RELEASING)),
    ] {
        let mut fleet = beside_another(at(phase.clone()));
        fleet.apply(NOW, Event::Maintenance { id: FIRST, operator: Some("fan".into()) });
        let observed = Observed { at: LATER, ..refusing(1, ReleaseState::Trying) };
        fleet.apply(LATER, Event::Report { id: FIRST, observed });
        assert_eq!(progress(&fleet, FIRST), &after, "from {phase:?}");
    }
}

#[test]
fn node_that_was_restarted_into_its_old_slot_is_asked_again_by_the_run_that_asked_alone() {
    let asked = |assigned| Node { assigned, ..at(REBOOTING) };
    let stopped = tried(2, LATER, Phase::Releasing { ending: Ending::Stopped });
    let (this, other) = (Some(run().assignment()), Some(of_another_run()));
    for (in_this_run, assigned) in [(true, other), (false, this), (false, other), (false, None)] {
        let node = asked(assigned);
        let mut fleet =
            if in_this_run { beside_another(node.clone()) } else { fleet(platform(1), [node.clone()]) };
        report(&mut fleet, FIRST, refuses());
        assert_eq!(progress(&fleet, FIRST), &stopped, "{assigned:?}, in the run: {in_this_run}");
    }
}

#[test]
fn node_on_another_release_joins_the_run_if_it_is_in_no_state_of_it() {
    for (before, runs, joins) in [
        (Progress::Idle, 0, true),
        (Progress::Idle, 1, false),
        (Progress::Upgraded { at: NOW }, 0, false),
        (Progress::Failed { why: rejected(), at: NOW }, 0, false),
    ] {
        let node = Node { progress: before.clone(), ..node(9) };
        let (after, facts) = if joins { (PENDING, vec![NodeFact::Queued]) } else { (before, vec![]) };
        check(node.clone(), observed(runs), &after, &facts);
        let alone = &mut fleet(platform(1), [node.clone()]);
        check_in(alone, &node, observed(runs), &node.progress, &[]);
    }
}

/// G8: what counts is that the node was out of service, for the run that was started last, and did not take it.
#[test]
fn attempt_has_a_result_when_it_has_shown_something_of_the_release() {
    let (failed, upgraded) = (Some(AttemptResult::Failed), Some(AttemptResult::Upgraded));
    let of_another = |phase| Node { assigned: Some(of_another_run()), ..at(phase) };
    let trusted = |node: Node| Node { result: upgraded, ..node };
    for (before, said, result) in [
        (at(REBOOTING), rejects(refuses()), failed),
        (trusted(at(REBOOTING)), rejects(refuses()), failed),
        (at(STARTING), rejects(refuses()), None),
        (pending(node(0)), rejects(observed(0)), None),
        (at(DRAINING), observed(0), None),
        (at(REBOOTING), refusing(1, ReleaseState::Confirmed), upgraded),
        (pending(node(0)), observed(1), upgraded),
        (trusted(at(DRAINING)), observed(0), upgraded),
        (of_another(REBOOTING), refusing(1, ReleaseState::Confirmed), None),
        (of_another(Phase::Releasing { ending: Ending::Upgraded }), observed(1), upgraded),
    ] {
        let mut fleet = beside_another(before.clone());
        report(&mut fleet, FIRST, said.clone());
        let node = fleet.nodes().get(FIRST).unwrap();
        assert_eq!(node.result, result, "{:?} by {said:?}", before.progress);
    }
}

#[test]
fn node_is_away_from_the_end_of_its_last_call_until_it_is_back() {
    let cleared = Time(NOW.0 - 5_000);
    let cleared_at = |before: Node, said: Observed| {
        let mut fleet = beside_another(before);
        let facts = of_nodes(&report(&mut fleet, FIRST, said));
        (fleet.nodes().get(FIRST).unwrap().cleared_at, facts)
    };
    let since = |node: Node| Node { cleared_at: Some(cleared), ..node };
    let calls = Observed { calls: ONE_CALL, ..refuses() };
    assert_eq!(cleared_at(at(DRAINING), refuses()).0, Some(LATER));
    assert_eq!(cleared_at(since(at(INSTALLING)), calls).0, None, "it has calls again");
    let leaving = refusing(0, ReleaseState::Leaving);
    assert_eq!(cleared_at(since(at(INSTALLING)), leaving).0, Some(cleared));
    assert_eq!(cleared_at(since(at(REBOOTING)), refuses()).0, Some(cleared), "it is asked again");
    let upgraded = refusing(1, ReleaseState::Confirmed);
    assert_eq!(cleared_at(since(at(REBOOTING)), upgraded).0, Some(cleared));
    let releasing = at(Phase::Releasing { ending: Ending::Upgraded });
    let away = Span(5_001);
    let facts = vec![NodeFact::Upgraded { release: release(1), away }];
    assert_eq!(cleared_at(since(releasing), observed(1)), (Some(cleared), facts));
    assert_eq!(cleared_at(since(at(RELEASING)), observed(0)).0, None);
}

/// R7. A node that runs anyway is not powered off.
#[test]
fn machine_that_the_run_has_started_may_rest_after_its_attempt_and_is_kept_on_for_the_next() {
    let woken = |node: Node| Node { woken: true, ..bursting(node) };
    let rest = NodeFact::Power(Power::Rest);
    for (node, facts) in [
        (woken(at(RELEASING)), vec![NodeFact::Returned, rest]),
        (bursting(at(RELEASING)), vec![NodeFact::Returned]),
    ] {
        let mut fleet = beside_another(node);
        assert_eq!(of_nodes(&report(&mut fleet, FIRST, observed(0))), facts);
    }
    let on = NodeFact::Power(Power::On);
    for (node, facts) in [
        (woken(staged()), vec![NodeFact::Preparing, on.clone()]),
        (bursting(staged()), vec![NodeFact::Preparing]),
        // It is powered off.
        (woken(lost(staged())), vec![on.clone()]),
        (bursting(lost(staged())), vec![on]),
    ] {
        let mut fleet = in_run(this_run(), [node]);
        assert_eq!(of_nodes(&fleet.apply(NOW, Event::DeadlinePassed).facts), facts);
    }
}

#[test]
fn loss_of_the_link_is_allowed_longer_for_a_node_that_restarts() {
    let (short, long) = (policy().silent_after, policy().reboot_silent_after);
    for (phase, after, allowed) in [
        (STARTING, STARTING, short),
        (PREPARING, PREPARING, short),
        (DRAINING, DRAINING, short),
        (INSTALLING, REBOOTING, long),
        (REBOOTING, REBOOTING, long),
        (RELEASING, RELEASING, short),
    ] {
        let mut fleet = beside_another(at(phase.clone()));
        let facts = of_nodes(&fleet.apply(LATER, Event::LinkDown { id: FIRST }).facts);
        assert_eq!(facts, if phase == after { vec![] } else { vec![NodeFact::Rebooting] });
        let node = fleet.nodes().get(FIRST).unwrap().clone();
        assert_eq!(node.progress.phase(), Some(&after));
        assert_eq!(node.contact, Contact::Silent { since: LATER, lost_at: LATER + allowed }, "{phase:?}");
        // Another word of the same silence does not begin it anew.
        fleet.apply(Time(LATER.0 + 5), Event::LinkDown { id: FIRST });
        assert_eq!(fleet.nodes().get(FIRST).unwrap(), &node);
    }
}

#[test]
fn bursting_node_whose_link_goes_down_after_its_attempt_was_powered_off() {
    for (progress, woken) in [(tried(2, NOW, DRAINING), true), (PENDING, false), (Progress::Idle, false)] {
        let mut fleet =
            beside_another(Node { progress: progress.clone(), woken: true, ..bursting(at(DRAINING)) });
        fleet.apply(LATER, Event::LinkDown { id: FIRST });
        assert_eq!(fleet.nodes().get(FIRST).unwrap().woken, woken, "{progress:?}");
    }
    let mut fleet = beside_another(bursting(at(DRAINING)));
    fleet.apply(LATER, Event::LinkDown { id: FIRST });
    assert!(!fleet.nodes().get(FIRST).unwrap().woken);
}

#[test]
fn phase_whose_deadline_passes_ends_the_attempt_or_goes_on_by_whether_the_node_can_be_contacted() {
    let now = STUCK_AT;
    let released = |ending| tried(3, now, Phase::Releasing { ending });
    let timed_out = || released(Ending::TimedOut);
    let given_up = || released(Ending::Failed(Failure::Lost));
    let stays = |phase| tried(2, NOW, phase);
    let (stuck_at, until) = (now + policy().stuck_after, now + policy().start_limit);
    let failed = Progress::Failed { why: Failure::NotStarted, at: now };
    for (phase, heard, when_lost) in [
        (STARTING, stays(Phase::Starting { until }), failed),
        (PREPARING, timed_out(), timed_out()),
        (DRAINING, timed_out(), timed_out()),
        (INSTALLING, stays(Phase::Installing { drain_until: UNTIL, stuck_at }), given_up()),
        (REBOOTING, stays(Phase::Rebooting { stuck_at }), given_up()),
        (RELEASING, stays(RELEASING), stays(RELEASING)),
    ] {
        for (node, expected) in [(at(phase.clone()), heard), (lost(at(phase.clone())), when_lost)] {
            let mut fleet = beside_another(node);
            fleet.apply(now, Event::DeadlinePassed);
            assert_eq!(progress(&fleet, FIRST), &expected, "from {phase:?}");
        }
    }
}

#[test]
fn node_that_has_rested_waits_in_the_queue_again() {
    for (now, rests_until) in [(Time(UNTIL.0 - 1), Some(UNTIL)), (UNTIL, None)] {
        let rests = Progress::Pending { tried: 2, rests_until: Some(UNTIL) };
        let mut fleet = beside_another(Node { progress: rests, ..pending(node(0)) });
        fleet.apply(now, Event::DeadlinePassed);
        assert_eq!(progress(&fleet, FIRST), &Progress::Pending { tried: 2, rests_until });
    }
}

#[test]
fn change_of_what_a_node_says_of_itself_is_recorded_once() {
    let manifest = package(1).manifest;
    let mut fleet = fleet(Platform { run: Some(this_run()), ..platform(1) }, [pending(node(0)), staged()]);
    let mut at = LATER.0;
    let mut says = |observed: Observed| {
        at += 1;
        let generation = fleet.wanted(FIRST).unwrap().generation;
        let observed = Observed { at: Time(at), generation, ..observed };
        let facts = of_nodes(&fleet.apply(LATER, Event::Report { id: FIRST, observed }).facts);
        facts.into_iter().filter(|what| *what != NodeFact::Preparing).collect::<Vec<_>>()
    };
    let unfit = |why: &str| Observed { unfit: Some(why.into()), ..refuses() };
    let fault = |why: &str| Observed { start_fault: Some(why.into()), ..refuses() };
    let why = |why: &str| String::from(why);
    assert_eq!(says(unfit("no audio")), [NodeFact::Unfit { why: why("no audio") }]);
    assert_eq!(says(Observed { calls: ONE_CALL, ..unfit("no audio") }), []);
    assert_eq!(says(unfit("no socket")), [NodeFact::Unfit { why: why("no socket") }]);
    assert_eq!(says(refuses()), [NodeFact::Fit]);
    assert_eq!(says(fault("no key")), [NodeFact::StartFault { why: why("no key") }]);
    assert_eq!(says(Observed { calls: ONE_CALL, ..fault("no key") }), []);
    assert_eq!(says(fault("no slot")), [NodeFact::StartFault { why: why("no slot") }]);
    assert_eq!(says(refuses()), [NodeFact::StartFaultOver]);
    let has_staged = |calls| Observed { staging: Staging::Staged { manifest }, calls, ..observed(0) };
    assert_eq!(says(has_staged(Calls::NONE)), [NodeFact::Staged { release: release(1) }]);
    assert_eq!(says(has_staged(ONE_CALL)), []);
}
