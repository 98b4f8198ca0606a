//! A copied machine of a node: two processes with one identity, each with calls of its own. And a machine that is
//! restored in the place of its original.

use std::process::Command;

use callers::NodeName;
use serde_json::Value;

use crate::fixture::{Fixture, LONG_LIMITS, LongCalls, node, version};

/// The number of the copy among the callers' nodes; the platform has two nodes.
const COPY: u8 = 3;

/// Callers of both nodes and of the copy of the first.
fn callers(fixture: &Fixture) -> LongCalls {
    let copy = callers::Node { name: NodeName(format!("node{COPY}")), sip: fixture.platform.sip(COPY) };
    let mut nodes = fixture.platform.dial_targets();
    nodes.push(copy);
    fixture.callers_of(nodes)
}

fn is_duplicate(status: &Value) -> bool {
    node(status, 1)["duplicate"].is_string()
}

#[test]
fn copied_machine_is_reported_and_blocks_a_start() {
    let fixture = Fixture::new(2);
    let mut calls = callers(&fixture);
    fixture.call(&mut calls, 1);
    let mut copy = fixture.platform.copy_node(1, COPY).unwrap();
    copy.power_on().unwrap();
    let status = fixture.wait_for("two machines report as node1", is_duplicate);
    let two = node(&status, 1)["duplicate"].as_str().unwrap();
    assert!(two.contains("two machines report as this node"), "{two}");
    assert!(!node(&status, 2)["duplicate"].is_string());
    fixture.call(&mut calls, COPY);

    fixture.upload(&demo::Contents::of(demo::Step::TO_NEXT.to));
    let refusal = fixture.platform.start(&LONG_LIMITS).unwrap_err().to_string();
    for part in ["node1", "switch off the one that is a copy", "pitlane node enrol"] {
        assert!(refusal.contains(part), "{part} is missing: {refusal}");
    }
    // The status always shows the same one of the two.
    let first = node(&fixture.platform.status().unwrap(), 1)["calls"].clone();
    for _ in 0..30 {
        assert_eq!(node(&fixture.platform.status().unwrap(), 1)["calls"], first);
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let log = fixture.platform.manager.log();
    assert!(log.contains("duplicate_node"), "no alarm was raised: {log}");
    fixture.assert_no_call_failed(calls);
}

#[test]
fn copy_that_turns_up_midway_keeps_the_run_from_being_complete_and_its_calls_live_on() {
    let fixture = Fixture::new(2);
    let mut calls = callers(&fixture);
    let mut copy = fixture.platform.copy_node(1, COPY).unwrap();
    fixture.call(&mut calls, 2);
    fixture.start(&LONG_LIMITS);
    fixture.wait_for("node1 is upgraded", |status| {
        version(status, 1) == demo::Step::TO_NEXT.to.version
            && node(status, 1)["upgrade_status"] == "IDLE"
            && node(status, 2)["upgrade_status"] == "WAITING_FOR_CALLS"
    });
    copy.power_on().unwrap();
    fixture.wait_for("two machines report as node1", is_duplicate);
    fixture.call(&mut calls, COPY);
    fixture.hang_up(&mut calls, 2);
    let status = fixture.wait_until_ended();
    assert_eq!(status["last_run"]["outcome"], "incomplete", "{status}");
    let complete = fixture.history(1).iter().any(|fact| fact.contains("every node is on the new release"));
    assert!(!complete, "{:?}", fixture.history(1));
    assert!(copy.is_on() && copy.release().is_some());
    fixture.assert_no_call_failed(calls);
}

#[test]
fn machine_restored_with_its_identity_is_out_of_service_until_the_installed_package_is_started_again_r20() {
    let mut fixture = Fixture::new(2);
    let root = fixture.platform.nodes[0].root.clone();
    let restore_point = root.with_extension("restore-point");
    let copied = Command::new("cp").arg("-a").args([&root, &restore_point]).status().unwrap();
    assert!(copied.success());
    fixture.start(&LONG_LIMITS);
    fixture.wait_until_ended_with("complete");

    let machine = &mut fixture.platform.nodes[0];
    machine.cut_power();
    std::fs::remove_dir_all(&root).unwrap();
    std::fs::rename(&restore_point, &root).unwrap();
    machine.power_on().unwrap();
    let status = fixture.wait_for("node1 is kept out of service", |status| {
        version(status, 1) != version(status, 2) && node(status, 1)["maintenance_mode"] == true
    });
    fixture.wait_until_calls_are_refused(1);
    assert_eq!(node(&status, 2)["maintenance_mode"], false, "{status}");
    assert!(fixture.platform.manager.log().contains("out_of_date"), "no alarm was raised");

    fixture.platform.start(&LONG_LIMITS).unwrap_or_else(|error| panic!("{error}"));
    let status = fixture.wait_for("the second run is complete", |status| {
        status["run"].is_null() && status["last_run"]["id"] == 2
    });
    assert_eq!(status["last_run"]["outcome"], "complete", "{status}");
    assert_eq!(version(&status, 1), version(&status, 2));
    fixture.wait_until_calls_are_accepted(1);
}
