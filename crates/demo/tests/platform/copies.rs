//! A node's machine that was copied: two processes under one identity, each with calls of its own.

use callers::NodeName;
use serde_json::Value;

use crate::world::{LongCalls, UNHURRIED, World, node, version};

/// The copy, as the callers know it: the platform has two nodes.
const COPY: u8 = 3;

/// Callers of both nodes and of the copy of the first.
fn callers(world: &World) -> LongCalls {
    let copy = callers::Node { name: NodeName(format!("node{COPY}")), sip: world.platform.sip(COPY) };
    let mut nodes = world.platform.as_dialled();
    nodes.push(copy);
    world.callers_of(nodes)
}

fn is_duplicate(status: &Value) -> bool {
    node(status, 1)["duplicate"].is_string()
}

#[test]
fn copied_machine_is_named_and_stands_in_the_way_of_a_start() {
    let world = World::new(2);
    let mut calls = callers(&world);
    world.call(&mut calls, 1);
    let mut copy = world.platform.copy_node(1, COPY).unwrap();
    copy.power_on().unwrap();
    let status = world.wait_for("two machines report as node1", is_duplicate);
    let two = node(&status, 1)["duplicate"].as_str().unwrap();
    assert!(two.contains("two machines report as this node"), "{two}");
    assert!(!node(&status, 2)["duplicate"].is_string());
    world.call(&mut calls, COPY);

    world.upload(&demo::Contents::of(demo::Step::TO_NEXT.to));
    let refusal = world.platform.start(&UNHURRIED).unwrap_err().to_string();
    for part in ["node1", "switch off the one that is a copy", "pitlane node enrol"] {
        assert!(refusal.contains(part), "{part} is missing: {refusal}");
    }
    // Whichever of the two is believed, it is the same for as long as it lives.
    let first = node(&world.platform.status().unwrap(), 1)["calls"].clone();
    for _ in 0..30 {
        assert_eq!(node(&world.platform.status().unwrap(), 1)["calls"], first);
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let log = world.platform.manager.log();
    assert!(log.contains("duplicate_node"), "no alarm was raised: {log}");
    world.nobody_was_cut(calls);
}

#[test]
fn copy_that_turns_up_midway_keeps_the_run_from_being_complete_and_its_calls_live_on() {
    let world = World::new(2);
    let mut calls = callers(&world);
    let mut copy = world.platform.copy_node(1, COPY).unwrap();
    world.call(&mut calls, 2);
    world.start(&UNHURRIED);
    world.wait_for("node1 is upgraded", |status| {
        version(status, 1) == demo::Step::TO_NEXT.to.version
            && node(status, 1)["upgrade_status"] == "IDLE"
            && node(status, 2)["upgrade_status"] == "WAITING_FOR_CALLS"
    });
    copy.power_on().unwrap();
    world.wait_for("two machines report as node1", is_duplicate);
    world.call(&mut calls, COPY);
    world.hang_up(&mut calls, 2);
    let status = world.wait_until_ended();
    assert_eq!(status["last_run"]["outcome"], "incomplete", "{status}");
    let complete = world.history(1).iter().any(|fact| fact.contains("every node is on the new release"));
    assert!(!complete, "{:?}", world.history(1));
    assert!(copy.is_on() && copy.release().is_some());
    world.nobody_was_cut(calls);
}
