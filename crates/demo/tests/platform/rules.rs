//! The rules of a run, each tested on two upgrades: to the next release, and from the first release to the present
//! one. In the second, the Management Node leads Conferencing Nodes of the release before.

use demo::{Contents, Step};

use crate::fixture::{Fixture, LONG_LIMITS, node, status_text, version};

const WAITING: &str = "Waiting for calls to clear";

/// Makes each rule a test on both steps.
macro_rules! on_both_steps {
    ($($rule:ident),* $(,)?) => {
        mod to_the_next_release {
            $(#[test] fn $rule() { super::$rule(demo::Step::TO_NEXT); })*
        }
        mod from_the_first_release {
            $(#[test] fn $rule() { super::$rule(demo::Step::FROM_RECORDED); })*
        }
    };
}

on_both_steps![
    small_platform_drains_all_its_nodes_at_once_and_loses_no_call_r1_r2_r3_r4_r23,
    next_node_is_taken_when_one_is_back_in_service_r2_r6,
    node_is_released_at_the_drain_limit_and_the_run_stops_at_its_limit_r5_r8_r9,
    operators_maintenance_mode_outlives_the_run_r12,
    second_start_is_refused_until_the_manager_is_restarted_r10,
    node_that_cannot_be_contacted_does_not_stop_the_others_r11_r24,
];

fn small_platform_drains_all_its_nodes_at_once_and_loses_no_call_r1_r2_r3_r4_r23(step: Step) {
    let fixture = Fixture::at(step, 3);
    let mut calls = fixture.callers();
    for node in [1, 1, 2, 2, 3, 3] {
        fixture.call(&mut calls, node);
    }
    fixture.start(&LONG_LIMITS);
    let status = fixture.wait_for("all nodes wait for their calls", |status| {
        (1..=3).all(|number| status_text(status, number) == WAITING)
    });
    assert_eq!(status["manager"]["version"], step.to.version, "the Management Node is first (R1)");
    assert_eq!(node(&status, 1)["maintenance_mode_owners"], serde_json::json!(["run"]));
    assert!(!fixture.accepts_calls(1), "a node in maintenance mode took a call (R3)");

    for number in 1..=3 {
        fixture.hang_up(&mut calls, number);
    }
    let status = fixture.wait_until_ended();
    assert_eq!(status["last_run"]["outcome"], "complete");
    for number in 1..=3 {
        assert_eq!(version(&status, number), step.to.version);
        assert_eq!(status_text(&status, number), "No upgrade in progress");
        assert!(fixture.accepts_calls(number), "node{number} is upgraded and accepts no calls");
    }
    let shown = fixture.platform.pitlane.run(&["--json", "node", "show", "node1"]).unwrap();
    assert!(shown.contains("\"boot_time\": \"20"), "the start time of a node is missing: {shown}");
    fixture.assert_no_call_failed(calls);
}

fn next_node_is_taken_when_one_is_back_in_service_r2_r6(step: Step) {
    let fixture = Fixture::at(step, 3);
    let mut calls = fixture.callers();
    for number in 1..=3 {
        fixture.call(&mut calls, number);
    }
    fixture.start(&[&LONG_LIMITS[..], &["--nodes-at-once", "2"]].concat());
    let status = fixture.wait_for("two nodes wait for their calls", |status| {
        (1..=3).filter(|number| status_text(status, *number) == WAITING).count() == 2
            && (1..=3)
                .any(|number| node(status, number)["waits_text"] == "in the queue, 2 of 2 places are taken")
    });
    let [first, second] = [true, false]
        .map(|waits| (1..=3).find(|number| (status_text(&status, *number) == WAITING) == waits).unwrap());
    assert!(fixture.accepts_calls(second), "a node in the queue refuses calls");
    fixture.hang_up(&mut calls, first);
    let status = fixture.wait_for_status(second, WAITING);
    assert_eq!(version(&status, first), step.to.version);
    for number in 1..=3 {
        fixture.hang_up(&mut calls, number);
    }
    fixture.wait_until_ended_with("complete");
    fixture.assert_no_call_failed(calls);
}

fn node_is_released_at_the_drain_limit_and_the_run_stops_at_its_limit_r5_r8_r9(step: Step) {
    let fixture = Fixture::at(step, 2);
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    fixture.call(&mut calls, 1);
    fixture.start(&["--drain-limit", "3s", "--run-limit", "25s", "--rest", "5m"]);
    fixture.wait_for_status(1, "Timeout waiting for calls to clear");
    fixture.wait_for("node1 accepts calls again (R5)", |status| node(status, 1)["maintenance_mode"] == false);
    assert!(fixture.accepts_calls(1));

    let status = fixture.wait_until_ended();
    assert_eq!(status["last_run"]["outcome"], "limit_reached");
    assert_eq!((version(&status, 1), version(&status, 2)), (step.from.version, step.to.version));
    fixture.wait_for("no node is left in maintenance mode (R8)", |status| {
        (1..=2).all(|number| node(status, number)["maintenance_mode"] == false)
    });

    // The same package again takes only the node that is left (R9).
    fixture.hang_up(&mut calls, 1);
    fixture.platform.start(&LONG_LIMITS).unwrap();
    let status = fixture.wait_until_ended_with("complete");
    assert_eq!(version(&status, 1), step.to.version);
    let repeat = fixture.history(2);
    assert!(repeat.iter().any(|fact| fact.starts_with("node1: upgraded")), "{repeat:?}");
    assert!(!repeat.iter().any(|fact| fact.starts_with("node2: preparing")), "{repeat:?}");
    fixture.assert_no_call_failed(calls);
}

/// G9: nothing of it needs the older release.
#[test]
fn paused_run_takes_no_further_node_and_a_stopped_one_gives_its_node_back_with_its_call_g9() {
    let fixture = Fixture::new(2);
    let pitlane = &fixture.platform.pitlane;
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    fixture.call(&mut calls, 2);
    fixture.start(&[&LONG_LIMITS[..], &["--nodes-at-once", "1"]].concat());
    let is_waiting = |status: &serde_json::Value, number| status_text(status, number) == WAITING;
    let status = fixture
        .wait_for("one node waits for its call", |status| is_waiting(status, 1) != is_waiting(status, 2));
    let (first, second) = if is_waiting(&status, 1) { (1, 2) } else { (2, 1) };
    pitlane.run(&["upgrade", "pause", "--reason", "the board meets"]).unwrap();
    fixture.hang_up(&mut calls, first);
    let status = fixture.wait_for("the node under way finishes", |status| {
        version(status, first) == Step::TO_NEXT.to.version && status["run"]["places_taken"] == 0
    });
    let waits = node(&status, second)["waits_text"].as_str().unwrap_or_default();
    assert!(waits.starts_with("in the queue, the run is paused by"), "{waits}");
    assert!(fixture.accepts_calls(second), "a node that is not taken refuses calls");
    pitlane.run(&["upgrade", "resume"]).unwrap();
    fixture.wait_for_status(second, WAITING);
    fixture.wait_until_calls_are_refused(second);
    pitlane.run(&["upgrade", "stop", "--yes", "--reason", "wrong night"]).unwrap();
    let status = fixture.wait_until_ended_with("stopped");
    assert_eq!(version(&status, second), Step::TO_NEXT.from.version);
    fixture.wait_until_calls_are_accepted(second);

    // The same package takes the rest.
    fixture.hang_up(&mut calls, second);
    fixture.platform.start(&LONG_LIMITS).unwrap();
    fixture.wait_until_ended_with("complete");
    fixture.assert_no_call_failed(calls);
}

fn operators_maintenance_mode_outlives_the_run_r12(step: Step) {
    let fixture = Fixture::at(step, 2);
    let pitlane = &fixture.platform.pitlane;
    pitlane.run(&["node", "maintenance", "on", "node1", "--reason", "new power supply"]).unwrap();
    fixture.wait_until_calls_are_refused(1);

    fixture.start(&LONG_LIMITS);
    let status = fixture.wait_until_ended_with("complete");
    assert_eq!(version(&status, 1), step.to.version);
    assert_eq!(node(&status, 1)["maintenance_mode_owners"], serde_json::json!(["operator"]));
    assert!(!fixture.accepts_calls(1), "the run has ended the operator's maintenance mode");

    pitlane.run(&["node", "maintenance", "off", "node1"]).unwrap();
    fixture.wait_until_calls_are_accepted(1);
}

fn second_start_is_refused_until_the_manager_is_restarted_r10(step: Step) {
    let mut fixture = Fixture::at(step, 1);
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    fixture.start(&LONG_LIMITS);
    fixture.wait_for_status(1, WAITING);
    let refusal = fixture.platform.start(&LONG_LIMITS).unwrap_err().to_string();
    assert!(refusal.contains("an upgrade has been under way for"), "{refusal}");
    assert!(refusal.contains("ended with 3"), "a refusal has its own exit code: {refusal}");

    fixture.platform.manager.stop();
    fixture.platform.manager.power_on().unwrap();
    let status = fixture.wait_for("the lock is lifted", |status| status["run"]["lock"] == "lifted");
    assert_eq!(status_text(&status, 1), WAITING, "the run goes on");
    fixture.platform.start(&LONG_LIMITS).unwrap();
    fixture.hang_up(&mut calls, 1);
    fixture.wait_until_ended_with("complete");
    fixture.assert_no_call_failed(calls);
}

fn node_that_cannot_be_contacted_does_not_stop_the_others_r11_r24(step: Step) {
    let mut fixture = Fixture::at(step, 3);
    fixture.upload(&Contents::of(step.to));
    fixture.platform.start(&LONG_LIMITS).unwrap();
    fixture.platform.nodes[1].cut_power();
    let status = fixture.wait_until_ended_with("incomplete");
    assert_eq!(status_text(&status, 2), "Could not communicate with conferencing node");
    assert_eq!((version(&status, 1), version(&status, 3)), (step.to.version, step.to.version));

    fixture.platform.nodes[1].power_on().unwrap();
    fixture.wait_for("node2 reports", |status| node(status, 2)["contact"] == "heard");
    fixture.platform.start(&LONG_LIMITS).unwrap();
    let status = fixture.wait_until_ended_with("complete");
    assert_eq!(version(&status, 2), step.to.version);
}
