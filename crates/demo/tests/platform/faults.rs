//! Faults while a run is under way.

use std::fs;

use demo::{Built, Contents, Program};

use crate::world::{UNHURRIED, World, node, version, words};

const PRESENT: &str = Built::PRESENT.version;
const NEXT: &str = Built::NEXT.version;

#[test]
fn a_manager_that_loses_its_power_goes_on_where_it_was() {
    let mut world = World::new(2);
    let mut calls = world.callers();
    for number in [1, 1, 2] {
        world.call(&mut calls, number);
    }
    world.start(&UNHURRIED);
    world.wait_for_status(1, "Waiting for calls to clear");
    world.platform.manager.cut_power();
    // Its nodes go on without it: a call ends, a new one is still refused.
    world.hang_up(&mut calls, 2);
    assert!(!world.would_answer(1));
    world.platform.manager.power_on().unwrap();
    world.wait_for("node2 is upgraded", |status| version(status, 2) == NEXT);

    world.platform.manager.crash();
    world.hang_up(&mut calls, 1);
    let status = world.wait_until_ended_with("complete");
    assert_eq!(version(&status, 1), NEXT);
    assert_eq!(status["last_run"]["id"], 1, "it is still the same run");
    world.nobody_was_cut(calls);
}

#[test]
fn a_release_that_crashes_on_the_nodes_falls_back_and_the_run_says_so() {
    let world = World::new(2);
    let mut calls = world.callers();
    world.call(&mut calls, 1);
    let contents = Contents { node: Program::Script("#!/bin/sh\nexit 7\n"), ..Contents::next() };
    world.upload(&contents);
    world.platform.start(&UNHURRIED).unwrap();
    world.wait_for_status(1, "Waiting for calls to clear");
    world.hang_up(&mut calls, 1);
    let status = world.wait_until_ended_with("incomplete");
    for number in [1, 2] {
        assert_eq!(version(&status, number), PRESENT);
        let why = node(&status, number)["waits_text"].as_str().unwrap_or_default();
        assert!(why.starts_with("not upgraded:"), "{why}");
        assert!(world.would_answer(number), "node{number} fell back and takes no calls");
    }
    world.nobody_was_cut(calls);
}

#[test]
fn a_release_that_hangs_on_the_nodes_falls_back() {
    let world = World::new(1);
    // `exec`, so that what boot watches is what hangs.
    let contents = Contents { node: Program::Script("#!/bin/sh\nexec sleep 600\n"), ..Contents::next() };
    world.upload(&contents);
    world.platform.start(&UNHURRIED).unwrap();
    let status = world.wait_until_ended_with("incomplete");
    assert_eq!(version(&status, 1), PRESENT);
    assert!(world.would_answer(1));
}

#[test]
fn a_manager_that_does_not_come_up_goes_back_and_no_node_was_touched() {
    let world = World::new(1);
    let mut calls = world.callers();
    world.call(&mut calls, 1);
    // The new release notes what the store is whenever it is tried, and crashes.
    let script = "#!/bin/sh\nsha256sum < \"$2/store-a.db\" >> \"$2/seen\"\nexit 3\n";
    world.upload(&Contents { manager: Program::Script(script), ..Contents::next() });
    let root = world.platform.manager.root.clone();
    world.platform.start(&UNHURRIED).unwrap();
    let status = world.wait_until_ended_with("manager_fell_back");
    assert_eq!(status["manager"]["version"], PRESENT);
    assert_eq!((version(&status, 1), words(&status, 1)), (PRESENT, "No upgrade in progress"));
    let seen = fs::read_to_string(root.join("seen")).expect("the new release was started");
    let seen: Vec<&str> = seen.lines().collect();
    assert!(seen.len() == 2 && seen[0] == seen[1], "the store changed between two tries: {seen:?}");
    assert!(!root.join("store-b.db").exists(), "a copy of the store was left behind");
    let facts = world.history(1);
    assert!(!facts.iter().any(|fact| fact.contains("preparing")), "a node was touched: {facts:?}");
    world.nobody_was_cut(calls);
}

#[test]
fn a_node_that_crashes_while_its_calls_clear_is_upgraded_afterwards() {
    let mut world = World::new(1);
    let mut calls = world.callers();
    world.call(&mut calls, 1);
    world.start(&UNHURRIED);
    world.wait_for_status(1, "Waiting for calls to clear");
    // The crash ends the call; nothing else may.
    world.platform.nodes[0].cut_power();
    world.platform.nodes[0].power_on().unwrap();
    let status = world.wait_until_ended_with("complete");
    assert_eq!(version(&status, 1), NEXT);
    drop(calls);
}

#[test]
fn a_manager_that_loses_its_power_during_its_own_upgrade_goes_on() {
    // The upgrade of an idle manager takes a third of a second; these moments lie all over it.
    for milliseconds in [10, 60, 120, 200, 320] {
        let mut world = World::new(1);
        let mut calls = world.callers();
        world.call(&mut calls, 1);
        world.start(&UNHURRIED);
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        world.platform.manager.cut_power();
        world.platform.manager.power_on().unwrap();
        let status = world.wait_for_status(1, "Waiting for calls to clear");
        assert_eq!(status["manager"]["version"], NEXT, "cut after {milliseconds} ms");
        world.hang_up(&mut calls, 1);
        world.wait_until_ended_with("complete");
        world.nobody_was_cut(calls);
    }
}
