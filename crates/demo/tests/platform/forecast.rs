//! The forecast of a run on the platform that is there.

use crate::world::World;

#[test]
fn a_forecast_begins_with_the_running_platform_and_changes_nothing_of_it() {
    let world = World::new(3);
    let mut calls = world.callers();
    for node in [1, 1, 3] {
        world.call(&mut calls, node);
    }
    let pitlane = &world.platform.pitlane;
    let before = world.wait_for("the calls are known", |status| {
        let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().filter_map(|node| node["calls"].as_u64()).sum::<u64>() == 3
    });

    let words = ["simulate", "--from-platform", "--samples", "5", "--day", "flat", "--start", "03:00"];
    let foreseen = pitlane.ask(&words).unwrap();
    assert_eq!(foreseen["nodes"], 3);
    assert_eq!(foreseen["plan"]["busiest_calls"], 3.0, "a flat day goes on as it is now");
    assert_eq!(foreseen["finished_samples"], 5);
    assert!(foreseen["took_seconds"]["median"].as_f64().unwrap() > 0.0);
    assert!(pitlane.ask(&words).unwrap() == foreseen, "the same calls, hour and seed came to something else");

    let after = world.platform.status().unwrap();
    assert!(after["run"].is_null() && after["last_run"].is_null());
    assert_eq!(after["nodes"].as_array().map(Vec::len), before["nodes"].as_array().map(Vec::len));
    world.nobody_was_cut(calls);
}
