//! A Management Node of the release before leads Conferencing Nodes of this one: what an operator has who
//! put the Management Node back to its restore point after its nodes had been upgraded (R20).

use demo::{Built, Step};

use crate::world::{UNHURRIED, World, node, version};

#[test]
fn an_earlier_manager_leads_later_nodes_and_their_calls_go_on_r3_r12_r20() {
    let mut world = World::mixed(Step::FROM_RECORDED, Built::PRESENT, 2);
    let mut calls = world.callers();
    for number in [1, 2] {
        world.call(&mut calls, number);
    }
    let status = world.wait_for("both nodes tell of their calls", |status| {
        (1..=2).all(|number| node(status, number)["calls"] == 1)
    });
    assert_eq!(status["manager"]["version"], Built::RECORDED.version);
    assert_eq!(version(&status, 1), Built::PRESENT.version);

    let pitlane = &world.platform.pitlane;
    pitlane.say(&["node", "maintenance", "on", "node1", "--reason", "a fan"]).unwrap();
    world.wait_until_refused(1);
    assert!(world.would_answer(2));
    pitlane.say(&["node", "maintenance", "off", "node1"]).unwrap();
    world.wait_until_answered(1);

    // Either side restarts, and finds the other again.
    world.platform.manager.crash();
    world.wait_for("both nodes are in touch again", |status| {
        (1..=2).all(|number| node(status, number)["contact"] == "heard" && node(status, number)["calls"] == 1)
    });
    world.hang_up(&mut calls, 2);
    world.platform.nodes[1].cut_power();
    world.platform.nodes[1].power_on().unwrap();
    world.wait_until_answered(2);
    world.nobody_was_cut(calls);
}

#[test]
fn an_earlier_manager_refuses_to_upgrade_later_nodes_and_names_them_r17() {
    let world = World::mixed(Step::FROM_RECORDED, Built::PRESENT, 2);
    world.upload(&demo::Contents::of(Built::PRESENT));
    let refusal = world.platform.start(&UNHURRIED).unwrap_err().to_string();
    for name in ["node1", "node2"] {
        let named = format!("{name} runs 34.1, but this platform is upgraded from 34");
        assert!(refusal.contains(&named), "{refusal}");
    }
    let status = world.platform.status().unwrap();
    assert_eq!(status["manager"]["version"], Built::RECORDED.version, "a refused start changes nothing");
}
