//! The forecast of a run that begins with the state of a running platform.

use crate::fixture::Fixture;

#[test]
fn forecast_begins_with_the_running_platform_and_changes_nothing() {
    let fixture = Fixture::new(3);
    let mut calls = fixture.callers();
    for node in [1, 1, 3] {
        fixture.call(&mut calls, node);
    }
    let pitlane = &fixture.platform.pitlane;
    let before = fixture.wait_for("all calls are reported", |status| {
        let nodes = status["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().filter_map(|node| node["calls"].as_u64()).sum::<u64>() == 3
    });

    let arguments = ["simulate", "--from-platform", "--samples", "5", "--day", "flat", "--start", "03:00"];
    let forecast = pitlane.query(&arguments).unwrap();
    assert_eq!(forecast["nodes"], 3);
    assert_eq!(forecast["plan"]["busiest_calls"], 3.0, "a flat day goes on as it is now");
    assert_eq!(forecast["finished_samples"], 5);
    assert!(forecast["took_seconds"]["median"].as_f64().unwrap() > 0.0);
    assert!(
        pitlane.query(&arguments).unwrap() == forecast,
        "the same calls, hour and seed gave another forecast"
    );

    let after = fixture.platform.status().unwrap();
    assert!(after["run"].is_null() && after["last_run"].is_null());
    assert_eq!(after["nodes"].as_array().map(Vec::len), before["nodes"].as_array().map(Vec::len));
    fixture.assert_no_call_failed(calls);
}
