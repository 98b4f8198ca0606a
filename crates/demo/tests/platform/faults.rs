//! Faults during a run: power cuts, crashes, releases that fail, damaged settings and slots.

use std::fs;

use demo::{Built, Contents, Program};

use crate::fixture::{Fixture, LONG_LIMITS, node, status_text, version};

const PRESENT: &str = Built::PRESENT.version;
const NEXT: &str = Built::NEXT.version;

#[test]
fn manager_continues_the_run_after_a_power_cut_and_after_a_crash() {
    let mut fixture = Fixture::new(2);
    let mut calls = fixture.callers();
    for number in [1, 1, 2] {
        fixture.call(&mut calls, number);
    }
    fixture.start(&LONG_LIMITS);
    fixture.wait_for_status(1, "Waiting for calls to clear");
    fixture.platform.manager.cut_power();
    // Its nodes continue without it: a call ends, and a new one is still refused.
    fixture.hang_up(&mut calls, 2);
    assert!(!fixture.accepts_calls(1));
    fixture.platform.manager.power_on().unwrap();
    fixture.wait_for("node2 is upgraded", |status| version(status, 2) == NEXT);

    fixture.platform.manager.crash();
    fixture.hang_up(&mut calls, 1);
    let status = fixture.wait_until_ended_with("complete");
    assert_eq!(version(&status, 1), NEXT);
    assert_eq!(status["last_run"]["id"], 1, "it is still the same run");
    fixture.assert_no_call_failed(calls);
}

#[test]
fn release_that_crashes_on_the_nodes_falls_back_and_the_run_reports_it() {
    let fixture = Fixture::new(2);
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    let contents = Contents { node: Program::Script("exit 7\n"), ..Contents::next() };
    fixture.upload(&contents);
    fixture.platform.start(&LONG_LIMITS).unwrap();
    fixture.wait_for_status(1, "Waiting for calls to clear");
    fixture.hang_up(&mut calls, 1);
    let status = fixture.wait_until_ended_with("incomplete");
    for number in [1, 2] {
        assert_eq!(version(&status, number), PRESENT);
        let why = node(&status, number)["waits_text"].as_str().unwrap_or_default();
        assert!(why.starts_with("not upgraded:"), "{why}");
        assert!(fixture.accepts_calls(number), "node{number} fell back and accepts no calls");
    }
    fixture.assert_no_call_failed(calls);
}

#[test]
fn release_that_hangs_on_the_nodes_falls_back() {
    let fixture = Fixture::new(1);
    // `exec`, so that the process that boot watches is the one that hangs.
    let contents = Contents { node: Program::Script("exec sleep 600\n"), ..Contents::next() };
    fixture.upload(&contents);
    fixture.platform.start(&LONG_LIMITS).unwrap();
    let status = fixture.wait_until_ended_with("incomplete");
    assert_eq!(version(&status, 1), PRESENT);
    assert!(fixture.accepts_calls(1));
}

#[test]
fn manager_whose_release_fails_falls_back_and_no_node_is_touched() {
    let fixture = Fixture::new(1);
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    // At every start, the new release records the hash of the store and crashes.
    let script = "sha256sum < \"$2/store-a.db\" >> \"$2/seen\"\nexit 3\n";
    fixture.upload(&Contents { manager: Program::Script(script), ..Contents::next() });
    let root = fixture.platform.manager.root.clone();
    fixture.platform.start(&LONG_LIMITS).unwrap();
    let status = fixture.wait_until_ended_with("manager_fell_back");
    assert_eq!(status["manager"]["version"], PRESENT);
    assert_eq!((version(&status, 1), status_text(&status, 1)), (PRESENT, "No upgrade in progress"));
    let seen = fs::read_to_string(root.join("seen")).expect("the new release was started");
    let seen: Vec<&str> = seen.lines().collect();
    assert!(seen.len() == 2 && seen[0] == seen[1], "the store changed between two tries: {seen:?}");
    assert!(!root.join("store-b.db").exists(), "a copy of the store was left behind");
    let facts = fixture.history(1);
    assert!(!facts.iter().any(|fact| fact.contains("preparing")), "a node was touched: {facts:?}");
    fixture.assert_no_call_failed(calls);
}

#[test]
fn node_that_crashes_while_its_calls_clear_is_upgraded_afterwards() {
    let mut fixture = Fixture::new(1);
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    fixture.start(&LONG_LIMITS);
    fixture.wait_for_status(1, "Waiting for calls to clear");
    // The crash ends the call.
    fixture.platform.nodes[0].cut_power();
    fixture.platform.nodes[0].power_on().unwrap();
    let status = fixture.wait_until_ended_with("complete");
    assert_eq!(version(&status, 1), NEXT);
    drop(calls);
}

#[test]
fn manager_continues_its_own_upgrade_after_a_power_cut_at_any_time() {
    // The upgrade of an idle manager takes a third of a second; these times are spread over it.
    for milliseconds in [10, 60, 120, 200, 320] {
        let mut fixture = Fixture::new(1);
        let mut calls = fixture.callers();
        fixture.call(&mut calls, 1);
        fixture.start(&LONG_LIMITS);
        std::thread::sleep(std::time::Duration::from_millis(milliseconds));
        fixture.platform.manager.cut_power();
        fixture.platform.manager.power_on().unwrap();
        let status = fixture.wait_for_status(1, "Waiting for calls to clear");
        assert_eq!(status["manager"]["version"], NEXT, "cut after {milliseconds} ms");
        fixture.hang_up(&mut calls, 1);
        fixture.wait_until_ended_with("complete");
        fixture.assert_no_call_failed(calls);
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
fn settings_that_cannot_be_read_any_more_block_a_start_and_no_node_is_touched() {
    let fixture = Fixture::new(2);
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    fixture.call(&mut calls, 2);
    edit(&fixture.platform.nodes[1].root, "sip =", "sipp =");
    edit(&fixture.platform.manager.root, "people =", "peeple =");
    let contains =
        |value: &serde_json::Value, named: &str| value.as_str().is_some_and(|why| why.contains(named));
    fixture.wait_for("both machines report that they would not start", |status| {
        contains(&node(status, 2)["start_fault"], "sipp")
            && contains(&status["manager"]["start_fault"], "peeple")
    });
    fixture.upload(&Contents::next());
    let refused = fixture.platform.start(&LONG_LIMITS).unwrap_err().to_string();
    assert!(refused.contains("a restart of node2 would fail") && refused.contains("sipp"), "{refused}");
    assert!(refused.contains("a restart of the Management Node would fail"), "{refused}");
    assert!(fixture.accepts_calls(1) && fixture.accepts_calls(2));

    edit(&fixture.platform.nodes[1].root, "sipp =", "sip =");
    edit(&fixture.platform.manager.root, "peeple =", "people =");
    fixture.wait_for("both machines would start", |status| {
        node(status, 2)["start_fault"].is_null() && status["manager"]["start_fault"].is_null()
    });
    fixture.platform.start(&LONG_LIMITS).unwrap();
    fixture.wait_for_status(1, "Waiting for calls to clear");
    fixture.hang_up(&mut calls, 1);
    fixture.hang_up(&mut calls, 2);
    fixture.wait_until_ended_with("complete");
    fixture.assert_no_call_failed(calls);
}

/// What boot would refuse is detected while the machines are in service, and reported in the words of boot.
#[test]
fn slots_and_keys_that_boot_would_refuse_block_a_start_and_no_node_is_touched() {
    let mut fixture = Fixture::new(2);
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    fixture.call(&mut calls, 2);
    fixture.upload(&Contents::next());
    let [trust, hidden] = ["trust", "hidden"].map(|name| fixture.platform.nodes[0].root.join(name));
    fs::rename(&trust, &hidden).unwrap();
    let program = fixture.platform.nodes[1].root.join("slots/a/bin/pitlane-node");
    let signed = fs::read(&program).unwrap();
    fs::write(&program, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    let more = fixture.platform.manager.root.join("slots/a/bin/more");
    fs::write(&more, "").unwrap();
    let contains =
        |value: &serde_json::Value, named: &str| value.as_str().is_some_and(|why| why.contains(named));
    let status = fixture.wait_for("all machines report that they would not start", |status| {
        contains(&node(status, 1)["start_fault"], "no release can be started")
            && contains(&node(status, 2)["start_fault"], "bin/pitlane-node is not the file")
            && contains(&status["manager"]["start_fault"], "the slot holds bin/more")
    });
    let refused = fixture.platform.start(&LONG_LIMITS).unwrap_err().to_string();
    for machine in ["node1", "node2", "the Management Node"] {
        assert!(refused.contains(&format!("a restart of {machine} would fail")), "{refused}");
    }
    assert!(fixture.accepts_calls(1) && fixture.accepts_calls(2));
    for number in [1, 2] {
        fixture.hang_up(&mut calls, number);
        let machine = &mut fixture.platform.nodes[usize::from(number) - 1];
        machine.stop();
        machine.power_on().unwrap();
        let until = std::time::Instant::now() + crate::fixture::TIMEOUT;
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
    fixture.platform.nodes.iter_mut().for_each(|machine| machine.power_on().unwrap());
    fixture.wait_until_calls_are_accepted(1);
    fixture.wait_until_calls_are_accepted(2);
    fixture.wait_for("all machines would start", |status| {
        let faults = [&node(status, 1)["start_fault"], &node(status, 2)["start_fault"]];
        faults.iter().all(|fault| fault.is_null()) && status["manager"]["start_fault"].is_null()
    });
    fixture.assert_no_call_failed(calls);
}

#[test]
fn node_whose_settings_become_invalid_during_a_run_stays_in_service() {
    let fixture = Fixture::new(2);
    let mut calls = fixture.callers();
    fixture.call(&mut calls, 1);
    fixture.call(&mut calls, 2);
    fixture.upload(&Contents::next());
    fixture.platform.start(&[&LONG_LIMITS[..], &["--nodes-at-once", "1"]].concat()).unwrap();
    // The node that has staged the release first is taken first.
    let waits =
        |status: &serde_json::Value, number| status_text(status, number) == "Waiting for calls to clear";
    let status =
        fixture.wait_for("a node waits for its call", |status| (1..=2).any(|number| waits(status, number)));
    let (taken, other) = if waits(&status, 1) { (1, 2) } else { (2, 1) };
    edit(&fixture.platform.nodes[usize::from(other) - 1].root, "sip =", "sipp =");
    fixture.hang_up(&mut calls, taken);
    let status = fixture.wait_until_ended_with("incomplete");
    assert_eq!((version(&status, taken), version(&status, other)), (NEXT, PRESENT));
    let why = node(&status, other)["waits_text"].as_str().unwrap_or_default();
    assert!(why.contains("would not start on this machine") && why.contains("sipp"), "{why}");
    let facts = fixture.history(1);
    let maintenance = format!("node{other}: in maintenance mode");
    assert!(!facts.iter().any(|fact| fact.contains(&maintenance)), "{facts:?}");
    assert!(fixture.accepts_calls(other));
    fixture.assert_no_call_failed(calls);
}

#[test]
fn fall_back_to_a_release_that_does_not_start_either_is_reported_in_log_and_history() {
    let fixture = Fixture::new(1);
    // The new release makes the settings invalid, as an operator may do meanwhile, and crashes.
    let script = "sed -i 's/^sip =/sipp =/' \"$2/machine.toml\"\nexit 7\n";
    fixture.upload(&Contents { node: Program::Script(script), ..Contents::next() });
    fixture.platform.start(&LONG_LIMITS).unwrap();
    let machine = &fixture.platform.nodes[0];
    let until = std::time::Instant::now() + crate::fixture::TIMEOUT;
    while !machine.log().contains("This machine runs no release") {
        assert!(std::time::Instant::now() < until, "{}", machine.log());
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    edit(&machine.root, "sipp =", "sip =");
    fixture.wait_until_calls_are_accepted(1);
    let status = fixture.wait_until_ended_with("incomplete");
    assert_eq!(version(&status, 1), PRESENT);
    let why = node(&status, 1)["waits_text"].as_str().unwrap_or_default();
    assert!(why.contains("exit status 7") && why.contains("did not start either"), "{why}");
    assert!(fixture.history(1).iter().any(|fact| fact.contains("did not start either")), "{why}");
}
