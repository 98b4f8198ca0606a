//! A Management Node of the release before leads Conferencing Nodes of this release, as after an operator has restored
//! the Management Node from before the upgrade of its nodes (R20).

use demo::{Built, Step};

use crate::fixture::{Fixture, LONG_LIMITS, node, version};

#[test]
fn earlier_manager_leads_later_nodes_and_their_calls_go_on_r3_r12_r20() {
    let mut fixture = Fixture::mixed(Step::FROM_RECORDED, Built::PRESENT, 2);
    let mut calls = fixture.callers();
    for number in [1, 2] {
        fixture.call(&mut calls, number);
    }
    let status = fixture.wait_for("both nodes report their calls", |status| {
        (1..=2).all(|number| node(status, number)["calls"] == 1)
    });
    assert_eq!(status["manager"]["version"], Built::RECORDED.version);
    assert_eq!(version(&status, 1), Built::PRESENT.version);

    let pitlane = &fixture.platform.pitlane;
    pitlane.run(&["node", "maintenance", "on", "node1", "--reason", "a fan"]).unwrap();
    fixture.wait_until_calls_are_refused(1);
    assert!(fixture.accepts_calls(2));
    pitlane.run(&["node", "maintenance", "off", "node1"]).unwrap();
    fixture.wait_until_calls_are_accepted(1);

    // Each side restarts in turn, and both connect again.
    fixture.platform.manager.crash();
    fixture.wait_for("both nodes report again", |status| {
        (1..=2).all(|number| node(status, number)["contact"] == "heard" && node(status, number)["calls"] == 1)
    });
    fixture.hang_up(&mut calls, 2);
    fixture.platform.nodes[1].cut_power();
    fixture.platform.nodes[1].power_on().unwrap();
    fixture.wait_until_calls_are_accepted(2);
    fixture.assert_no_call_failed(calls);
}

#[test]
fn earlier_manager_refuses_to_upgrade_later_nodes_and_names_them_r17() {
    let fixture = Fixture::mixed(Step::FROM_RECORDED, Built::PRESENT, 2);
    fixture.upload(&demo::Contents::of(Built::PRESENT));
    let refusal = fixture.platform.start(&LONG_LIMITS).unwrap_err().to_string();
    for name in ["node1", "node2"] {
        let named = format!("{name} runs 34.1, but this platform is upgraded from 34");
        assert!(refusal.contains(&named), "{refusal}");
    }
    let status = fixture.platform.status().unwrap();
    assert_eq!(status["manager"]["version"], Built::RECORDED.version, "a refused start changes nothing");
}
