//! The forecast as a JSON object, with every point of its curves. Names and units are part of the interface for tools.

use fleet::time::Span;
use serde_json::{Value, json};
use sim::forecast::{Band, Forecast, LocationForecast, Plan, Spread};

/// The object.
pub(crate) fn object(plan: &Plan, foreseen: &Forecast) -> Value {
    let Forecast {
        samples,
        seed,
        nodes,
        finished,
        took,
        left,
        attempts,
        refused,
        offered,
        moved,
        locations,
        pace,
        in_service,
        upgraded,
        events,
    } = foreseen;
    json!({
        "samples": samples,
        "seed": seed,
        "plan": given(plan),
        "nodes": nodes,
        "finished_samples": finished,
        "took_seconds": spread(Spread {
            median: took.median.map(seconds),
            p95: took.p95.map(seconds),
            most: took.most.map(seconds),
        }),
        "nodes_left": spread(*left),
        "nodes_by_attempts": attempts,
        "calls_offered": spread(*offered),
        "calls_moved": spread(*moved),
        "calls_refused": spread(*refused),
        "locations": locations.iter().map(location).collect::<Vec<_>>(),
        "pace_seconds": seconds(*pace),
        "in_service": bands(in_service),
        "upgraded": bands(upgraded),
        "events": events,
    })
}

fn given(plan: &Plan) -> Value {
    let policy = &plan.policy;
    json!({
        "start_seconds": seconds(plan.start),
        "policy": {
            "name": policy.name,
            "nodes_at_once": policy.nodes_at_once,
            "drain_limit_seconds": seconds(policy.drain_limit),
            "run_limit_seconds": seconds(policy.run_limit),
            "rest_seconds": seconds(policy.rest),
            "first_nodes": policy.first_nodes,
        },
        "places_per_node": plan.places_per_node,
        "busiest_calls": plan.locations.iter().map(|location| location.calls).sum::<f64>(),
        "day_percent": plan.day.0,
        "manager_away_seconds": seconds(plan.machines.manager),
        "staging_seconds": seconds(plan.machines.staging),
        "away_seconds": seconds(plan.machines.away),
    })
}

fn location(location: &LocationForecast) -> Value {
    let LocationForecast { name, nodes, out_of_service, offered, refused, moved, fullest, in_service } =
        location;
    json!({
        "name": name,
        "nodes": nodes,
        "out_of_service": spread(*out_of_service),
        "calls_offered": spread(*offered),
        "calls_moved": spread(*moved),
        "calls_refused": spread(*refused),
        "fullest_percent": spread(*fullest),
        "in_service": bands(in_service),
    })
}

fn spread<T: serde::Serialize>(spread: Spread<T>) -> Value {
    let Spread { median, p95, most } = spread;
    json!({"median": median, "p95": p95, "most": most})
}

fn bands(curve: &[Band]) -> Value {
    let edge = |edge: fn(&Band) -> u32| curve.iter().map(edge).collect::<Vec<_>>();
    json!({
        "p5": edge(|band| band.p5),
        "median": edge(|band| band.median),
        "p95": edge(|band| band.p95),
    })
}

fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1_000.0
}
