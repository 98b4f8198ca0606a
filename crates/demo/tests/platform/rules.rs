//! The rules of a run, each on both steps: to the next release, and from the first release to the present
//! one. In the second, a Management Node of one release leads Conferencing Nodes of the one before.

use demo::{Contents, Step};

use crate::world::{UNHURRIED, World, node, version, words};

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
    a_small_platform_drains_all_its_nodes_at_once_and_loses_no_call_r1_r2_r3_r4_r23,
    as_one_node_comes_back_the_next_one_goes_r2_r6,
    calls_that_do_not_clear_send_their_node_back_and_the_run_stops_at_its_limit_r5_r8_r9,
    an_operators_maintenance_mode_outlives_the_run_r12,
    a_second_start_is_refused_until_the_manager_is_restarted_r10,
    a_node_that_cannot_be_contacted_does_not_stop_the_others_r11_r24,
];

fn a_small_platform_drains_all_its_nodes_at_once_and_loses_no_call_r1_r2_r3_r4_r23(step: Step) {
    let world = World::at(step, 3);
    let mut calls = world.callers();
    for node in [1, 1, 2, 2, 3, 3] {
        world.call(&mut calls, node);
    }
    world.start(&UNHURRIED);
    let status = world.wait_for("all nodes wait for their calls", |status| {
        (1..=3).all(|number| words(status, number) == WAITING)
    });
    assert_eq!(status["manager"]["version"], step.to.version, "the Management Node is first (R1)");
    assert_eq!(node(&status, 1)["maintenance_mode_owners"], serde_json::json!(["run"]));
    assert!(!world.would_answer(1), "a node in maintenance mode took a call (R3)");

    for number in 1..=3 {
        world.hang_up(&mut calls, number);
    }
    let status = world.wait_until_ended();
    assert_eq!(status["last_run"]["outcome"], "complete");
    for number in 1..=3 {
        assert_eq!(version(&status, number), step.to.version);
        assert_eq!(words(&status, number), "No upgrade in progress");
        assert!(world.would_answer(number), "node{number} is upgraded and takes no calls");
    }
    let shown = world.platform.pitlane.say(&["--json", "node", "show", "node1"]).unwrap();
    assert!(shown.contains("\"boot_time\": \"20"), "a node says when it started: {shown}");
    world.nobody_was_cut(calls);
}

fn as_one_node_comes_back_the_next_one_goes_r2_r6(step: Step) {
    let world = World::at(step, 3);
    let mut calls = world.callers();
    for number in 1..=3 {
        world.call(&mut calls, number);
    }
    world.start(&[&UNHURRIED[..], &["--nodes-at-once", "2"]].concat());
    let status = world.wait_for("two nodes wait for their calls", |status| {
        (1..=3).filter(|number| words(status, *number) == WAITING).count() == 2
            && (1..=3)
                .any(|number| node(status, number)["waits_text"] == "in the queue, 2 of 2 places are taken")
    });
    let [first, second] = [true, false]
        .map(|waits| (1..=3).find(|number| (words(&status, *number) == WAITING) == waits).unwrap());
    assert!(world.would_answer(second), "a node in the queue refuses calls");
    world.hang_up(&mut calls, first);
    let status = world.wait_for_status(second, WAITING);
    assert_eq!(version(&status, first), step.to.version);
    for number in 1..=3 {
        world.hang_up(&mut calls, number);
    }
    world.wait_until_ended_with("complete");
    world.nobody_was_cut(calls);
}

fn calls_that_do_not_clear_send_their_node_back_and_the_run_stops_at_its_limit_r5_r8_r9(step: Step) {
    let world = World::at(step, 2);
    let mut calls = world.callers();
    world.call(&mut calls, 1);
    world.call(&mut calls, 1);
    world.start(&["--drain-limit", "3s", "--run-limit", "25s", "--rest", "5m"]);
    world.wait_for_status(1, "Timeout waiting for calls to clear");
    world.wait_for("node1 takes calls again (R5)", |status| node(status, 1)["maintenance_mode"] == false);
    assert!(world.would_answer(1));

    let status = world.wait_until_ended();
    assert_eq!(status["last_run"]["outcome"], "limit_reached");
    assert_eq!((version(&status, 1), version(&status, 2)), (step.from.version, step.to.version));
    world.wait_for("no node is left in maintenance mode (R8)", |status| {
        (1..=2).all(|number| node(status, number)["maintenance_mode"] == false)
    });

    // The same package again takes only the node that is left (R9).
    world.hang_up(&mut calls, 1);
    world.platform.start(&UNHURRIED).unwrap();
    let status = world.wait_until_ended_with("complete");
    assert_eq!(version(&status, 1), step.to.version);
    let repeat = world.history(2);
    assert!(repeat.iter().any(|fact| fact.starts_with("node1: upgraded")), "{repeat:?}");
    assert!(!repeat.iter().any(|fact| fact.starts_with("node2: preparing")), "{repeat:?}");
    world.nobody_was_cut(calls);
}

fn an_operators_maintenance_mode_outlives_the_run_r12(step: Step) {
    let world = World::at(step, 2);
    let pitlane = &world.platform.pitlane;
    pitlane.say(&["node", "maintenance", "on", "node1", "--reason", "new power supply"]).unwrap();
    world.wait_until_refused(1);

    world.start(&UNHURRIED);
    let status = world.wait_until_ended_with("complete");
    assert_eq!(version(&status, 1), step.to.version);
    assert_eq!(node(&status, 1)["maintenance_mode_owners"], serde_json::json!(["operator"]));
    assert!(!world.would_answer(1), "the run took the operator's maintenance mode away");

    pitlane.say(&["node", "maintenance", "off", "node1"]).unwrap();
    world.wait_until_answered(1);
}

fn a_second_start_is_refused_until_the_manager_is_restarted_r10(step: Step) {
    let mut world = World::at(step, 1);
    let mut calls = world.callers();
    world.call(&mut calls, 1);
    world.start(&UNHURRIED);
    world.wait_for_status(1, WAITING);
    let refusal = world.platform.start(&UNHURRIED).unwrap_err().to_string();
    assert!(refusal.contains("an upgrade has been under way for"), "{refusal}");
    assert!(refusal.contains("ended with 3"), "a refusal has its own exit code: {refusal}");

    world.platform.manager.stop();
    world.platform.manager.power_on().unwrap();
    let status = world.wait_for("the lock is lifted", |status| status["run"]["lock"] == "lifted");
    assert_eq!(words(&status, 1), WAITING, "the run goes on");
    world.platform.start(&UNHURRIED).unwrap();
    world.hang_up(&mut calls, 1);
    world.wait_until_ended_with("complete");
    world.nobody_was_cut(calls);
}

fn a_node_that_cannot_be_contacted_does_not_stop_the_others_r11_r24(step: Step) {
    let mut world = World::at(step, 3);
    world.upload(&Contents::of(step.to));
    world.platform.start(&UNHURRIED).unwrap();
    world.platform.nodes[1].cut_power();
    let status = world.wait_until_ended_with("incomplete");
    assert_eq!(words(&status, 2), "Could not communicate with conferencing node");
    assert_eq!((version(&status, 1), version(&status, 3)), (step.to.version, step.to.version));

    world.platform.nodes[1].power_on().unwrap();
    world.wait_for("node2 is in touch", |status| node(status, 2)["contact"] == "heard");
    world.platform.start(&UNHURRIED).unwrap();
    let status = world.wait_until_ended_with("complete");
    assert_eq!(version(&status, 2), step.to.version);
}
