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
    let contents = Contents { node: Program::Script("exit 7\n"), ..Contents::next() };
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
    let contents = Contents { node: Program::Script("exec sleep 600\n"), ..Contents::next() };
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
    let script = "sha256sum < \"$2/store-a.db\" >> \"$2/seen\"\nexit 3\n";
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

/// Edits the settings of a machine while it runs.
fn edit(root: &std::path::Path, from: &str, to: &str) {
    let path = root.join("machine.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn settings_that_cannot_be_read_any_more_stand_in_the_way_and_nobody_is_touched() {
    let world = World::new(2);
    let mut calls = world.callers();
    world.call(&mut calls, 1);
    world.call(&mut calls, 2);
    edit(&world.platform.nodes[1].root, "sip =", "sipp =");
    edit(&world.platform.manager.root, "people =", "peeple =");
    let says = |value: &serde_json::Value, named: &str| value.as_str().is_some_and(|why| why.contains(named));
    world.wait_for("both machines say that they would not start", |status| {
        says(&node(status, 2)["start_fault"], "sipp") && says(&status["manager"]["start_fault"], "peeple")
    });
    world.upload(&Contents::next());
    let refused = world.platform.start(&UNHURRIED).unwrap_err().to_string();
    assert!(refused.contains("a restart of node2 would fail") && refused.contains("sipp"), "{refused}");
    assert!(refused.contains("a restart of the Management Node would fail"), "{refused}");
    assert!(world.would_answer(1) && world.would_answer(2));

    edit(&world.platform.nodes[1].root, "sipp =", "sip =");
    edit(&world.platform.manager.root, "peeple =", "people =");
    world.wait_for("both machines would start", |status| {
        node(status, 2)["start_fault"].is_null() && status["manager"]["start_fault"].is_null()
    });
    world.platform.start(&UNHURRIED).unwrap();
    world.wait_for_status(1, "Waiting for calls to clear");
    world.hang_up(&mut calls, 1);
    world.hang_up(&mut calls, 2);
    world.wait_until_ended_with("complete");
    world.nobody_was_cut(calls);
}

/// What boot would refuse is found while the machines serve, in the words in which boot refuses it.
#[test]
fn slots_and_keys_that_boot_would_refuse_stand_in_the_way_and_nobody_is_touched() {
    let mut world = World::new(2);
    let mut calls = world.callers();
    world.call(&mut calls, 1);
    world.call(&mut calls, 2);
    world.upload(&Contents::next());
    let [trust, hidden] = ["trust", "hidden"].map(|name| world.platform.nodes[0].root.join(name));
    fs::rename(&trust, &hidden).unwrap();
    let program = world.platform.nodes[1].root.join("slots/a/bin/pitlane-node");
    let signed = fs::read(&program).unwrap();
    fs::write(&program, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    let more = world.platform.manager.root.join("slots/a/bin/more");
    fs::write(&more, "").unwrap();
    let says = |value: &serde_json::Value, named: &str| value.as_str().is_some_and(|why| why.contains(named));
    let status = world.wait_for("all machines say that they would not start", |status| {
        says(&node(status, 1)["start_fault"], "no release can be started")
            && says(&node(status, 2)["start_fault"], "bin/pitlane-node is not the file")
            && says(&status["manager"]["start_fault"], "the slot holds bin/more")
    });
    let refused = world.platform.start(&UNHURRIED).unwrap_err().to_string();
    for machine in ["node1", "node2", "the Management Node"] {
        assert!(refused.contains(&format!("a restart of {machine} would fail")), "{refused}");
    }
    assert!(world.would_answer(1) && world.would_answer(2));
    for number in [1, 2] {
        world.hang_up(&mut calls, number);
        let machine = &mut world.platform.nodes[usize::from(number) - 1];
        machine.stop();
        machine.power_on().unwrap();
        let until = std::time::Instant::now() + crate::world::PATIENCE;
        while machine.is_on() {
            assert!(std::time::Instant::now() < until, "node{number} was started: {}", machine.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let fault = node(&status, number)["start_fault"].as_str().unwrap_or_default();
        assert!(machine.log().contains(&format!("pitlane-boot ends: {fault}")), "{fault}: {}", machine.log());
    }

    fs::rename(&hidden, &trust).unwrap();
    fs::write(&program, signed).unwrap();
    fs::remove_file(&more).unwrap();
    world.platform.nodes.iter_mut().for_each(|machine| machine.power_on().unwrap());
    world.wait_until_answered(1);
    world.wait_until_answered(2);
    world.wait_for("all machines would start", |status| {
        let faults = [&node(status, 1)["start_fault"], &node(status, 2)["start_fault"]];
        faults.iter().all(|fault| fault.is_null()) && status["manager"]["start_fault"].is_null()
    });
    world.nobody_was_cut(calls);
}

#[test]
fn a_node_whose_settings_break_in_the_middle_of_a_run_takes_calls_all_the_while() {
    let world = World::new(2);
    let mut calls = world.callers();
    world.call(&mut calls, 1);
    world.call(&mut calls, 2);
    world.upload(&Contents::next());
    world.platform.start(&[&UNHURRIED[..], &["--nodes-at-once", "1"]].concat()).unwrap();
    // The node that has staged first is taken first, whichever that is.
    let waits = |status: &serde_json::Value, number| words(status, number) == "Waiting for calls to clear";
    let status =
        world.wait_for("a node waits for its call", |status| (1..=2).any(|number| waits(status, number)));
    let (taken, other) = if waits(&status, 1) { (1, 2) } else { (2, 1) };
    edit(&world.platform.nodes[usize::from(other) - 1].root, "sip =", "sipp =");
    world.hang_up(&mut calls, taken);
    let status = world.wait_until_ended_with("incomplete");
    assert_eq!((version(&status, taken), version(&status, other)), (NEXT, PRESENT));
    let why = node(&status, other)["waits_text"].as_str().unwrap_or_default();
    assert!(why.contains("would not start on this machine") && why.contains("sipp"), "{why}");
    let facts = world.history(1);
    let maintenance = format!("node{other}: in maintenance mode");
    assert!(!facts.iter().any(|fact| fact.contains(&maintenance)), "{facts:?}");
    assert!(world.would_answer(other));
    world.nobody_was_cut(calls);
}

#[test]
fn a_fall_back_to_a_release_that_does_not_start_either_is_reported_in_the_log_and_in_the_history() {
    let world = World::new(1);
    // The new release spoils the settings, as an operator may meanwhile, and crashes.
    let script = "sed -i 's/^sip =/sipp =/' \"$2/machine.toml\"\nexit 7\n";
    world.upload(&Contents { node: Program::Script(script), ..Contents::next() });
    world.platform.start(&UNHURRIED).unwrap();
    let machine = &world.platform.nodes[0];
    let until = std::time::Instant::now() + crate::world::PATIENCE;
    while !machine.log().contains("This machine runs no release") {
        assert!(std::time::Instant::now() < until, "{}", machine.log());
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    edit(&machine.root, "sipp =", "sip =");
    world.wait_until_answered(1);
    let status = world.wait_until_ended_with("incomplete");
    assert_eq!(version(&status, 1), PRESENT);
    let why = node(&status, 1)["waits_text"].as_str().unwrap_or_default();
    assert!(why.contains("exit status 7") && why.contains("did not start either"), "{why}");
    assert!(world.history(1).iter().any(|fact| fact.contains("did not start either")), "{why}");
}
