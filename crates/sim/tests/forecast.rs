//! Forecasts of runs whose course can be computed.

use fleet::policy::Policy;
use fleet::time::Span;
use sim::forecast::{Day, Forecast, Lengths, Location, Machines, Plan, forecast};

/// Nodes without calls: each restarts as soon as it is asked.
fn idle(nodes: u32, at_once: u32) -> Plan {
    Plan {
        locations: vec![Location {
            name: "London".into(),
            nodes,
            calls: 0.0,
            ahead: Span::ZERO,
            calls_now: None,
        }],
        policy: Policy { nodes_at_once: at_once, ..Policy::standard() },
        lengths: Lengths::new(Span::minutes(27), Span::minutes(20)),
        day: Day::flat(),
        places_per_node: 500,
        machines: Machines { manager: Span::minutes(2), staging: Span::minutes(1), away: Span::minutes(2) },
        start: Span::ZERO,
    }
}

fn busy(nodes: u32, at_once: u32, calls_per_node: f64) -> Plan {
    let mut plan = idle(nodes, at_once);
    plan.locations[0].calls = calls_per_node * f64::from(nodes);
    plan
}

fn forecast_of(plan: &Plan, samples: u32) -> Forecast {
    forecast(plan, samples, 1).expect("nothing blocks the start")
}

#[test]
fn run_without_calls_takes_manager_staging_and_the_restarts_in_turn() {
    let one = forecast_of(&idle(30, 1), 3);
    assert_eq!(one.took.median, Some(Span::minutes(3 + 30 * 2)));
    let ten = forecast_of(&idle(30, 10), 3);
    assert_eq!(ten.took.median, Some(Span::minutes(3 + 3 * 2)));
    assert_eq!((ten.finished, ten.left.most, &ten.attempts[..]), (3, 0, &[0, 90][..]));
    assert_eq!(ten.locations[0].out_of_service.most, 10);
}

#[test]
fn calls_of_equal_length_delay_a_node_for_no_longer_than_that() {
    let mut plan = busy(20, 1, 50.0);
    plan.lengths = Lengths::new(Span::minutes(10), Span::ZERO);
    let took = forecast_of(&plan, 5).took.median.expect("it ends");
    // With fifty calls the last began just before: each node waits between nine minutes and ten.
    let bounds = Span::minutes(3 + 20 * (9 + 2))..=Span::minutes(3 + 20 * (10 + 2));
    assert!(bounds.contains(&took), "{took}");
}

#[test]
fn calls_beyond_the_drain_limit_send_the_node_to_the_end_of_the_queue() {
    let mut plan = busy(4, 4, 20.0);
    plan.policy.drain_limit = Span::minutes(30);
    let found = forecast_of(&plan, 20);
    assert!(found.finished > 10, "{}", found.finished);
    let second = found.attempts.iter().skip(2).sum::<u64>();
    assert!(second > 20, "{:?}", found.attempts);
    // R2: all nodes of a small platform are out of service at once, and the forecast shows what that costs.
    assert_eq!(found.locations[0].out_of_service.median, 4);
    assert!(found.refused.median > 50, "{:?}", found.refused);
}

#[test]
fn nodes_beyond_the_run_limit_are_left() {
    let mut plan = idle(100, 1);
    plan.policy.run_limit = Span::hours(1);
    let found = forecast_of(&plan, 3);
    // Three minutes, then one node every two: the last that begins before the hour still finishes.
    assert_eq!((found.finished, found.left.median, found.took.median), (0, 71, None));
}

#[test]
fn same_seed_gives_the_same_figures() {
    let plan = busy(30, 5, 20.0);
    assert_eq!(forecast_of(&plan, 7), forecast_of(&plan, 7));
    assert_ne!(forecast_of(&plan, 7), forecast(&plan, 7, 2).expect("nothing blocks the start"));
}

#[test]
fn known_calls_are_those_that_are_waited_for() {
    let mut plan = busy(3, 1, 20.0);
    plan.locations[0].calls = 0.0;
    plan.locations[0].calls_now = Some(vec![0, 0, 0]);
    assert_eq!(forecast_of(&plan, 3).took.most, Some(Span::minutes(3 + 3 * 2)));
    plan.locations[0].calls_now = Some(vec![0, 30, 0]);
    assert!(forecast_of(&plan, 3).took.median > Some(Span::minutes(3 + 3 * 2 + 20)));
}
