//! Tests of the parts of the forecast that can be computed by hand, or simulated call by call.

use fleet::policy::Policy;
use fleet::time::{Span, Time};

use super::chance::Chance;
use super::crowd::{CallModel, Crowd, LONGEST_CALL};
use super::{Day, Lengths, Location, Machines, Plan};
use crate::seeded::Draw;

const NOW: Time = Time(LONGEST_CALL.0);

fn plan(nodes: u32, calls: f64, places_per_node: u32, lengths: Lengths) -> Plan {
    Plan {
        locations: vec![Location { name: "London".into(), nodes, calls, ahead: Span::ZERO, calls_now: None }],
        policy: Policy::standard(),
        lengths,
        day: Day::flat(),
        places_per_node,
        machines: Machines { manager: Span::minutes(2), staging: Span::minutes(1), away: Span::minutes(2) },
        start: Span::ZERO,
    }
}

fn real() -> Lengths {
    Lengths::new(Span::minutes(27), Span::minutes(20))
}

fn chance(seed: u64) -> Chance {
    Chance(Draw::new(seed))
}

/// The largest distance between two empirical distributions (Kolmogorov and Smirnov).
fn distance(one: &mut [f64], other: &mut [f64]) -> f64 {
    one.sort_by(f64::total_cmp);
    other.sort_by(f64::total_cmp);
    let below =
        |values: &[f64], mark: f64| values.partition_point(|v| *v <= mark) as f64 / values.len() as f64;
    let gap = |mark: &f64| (below(one, *mark) - below(other, *mark)).abs();
    one.iter().chain(other.iter()).map(gap).fold(0.0, f64::max)
}

#[test]
fn lengths_have_the_given_mean_and_deviation() {
    let (lengths, mut chance) = (real(), chance(1));
    let drawn: Vec<f64> = (0..50_000).map(|_| lengths.beyond(0.0, &mut chance) / 60.0).collect();
    let mean = drawn.iter().sum::<f64>() / 50_000.0;
    let variance = drawn.iter().map(|length| (length - mean).powi(2)).sum::<f64>() / 50_000.0;
    assert!((mean - 27.0).abs() < 0.4, "{mean}");
    assert!((variance.sqrt() - 20.0).abs() < 0.8, "{}", variance.sqrt());
    assert!((lengths.lived_by(1e7) / 60.0 - 27.0).abs() < 1e-6);
}

/// The wait at one node, call by call: all calls of two days, each with its length.
fn waits_call_by_call(seed: u64, on_average: f64) -> f64 {
    let mut chance = chance(seed);
    let every = 27.0 * 60.0 / on_average;
    let (mut began, mut last) = (-48.0 * 3_600.0, 0.0_f64);
    loop {
        began -= chance.part().ln() * every;
        if began > 0.0 {
            return last;
        }
        last = last.max(began + real().beyond(0.0, &mut chance));
    }
}

/// The same for one node of ten whose calls are counts.
fn waits_by_numbers(seed: u64, on_average: f64) -> f64 {
    let mut chance = chance(seed);
    let plan = plan(10, on_average * 10.0, 500, real());
    let model = CallModel::new(&plan);
    let mut crowd = Crowd::new(&model, &plan.locations[0], plan.start, NOW, &mut chance);
    // Not at the edge of a step, and not the first node that is taken.
    let now = NOW + Span(3 * model.step.0 + model.step.0 / 3);
    crowd.advance_to(now, &mut chance);
    crowd.close(0, &[], now, &mut chance);
    let calls = crowd.close(0, &[], now, &mut chance);
    calls.into_iter().max().map_or(0.0, |end| now.until(end).0 as f64 / 1_000.0)
}

#[test]
fn wait_for_the_last_call_equals_a_simulation_call_by_call() {
    for on_average in [1.0, 20.0] {
        let mut slow: Vec<f64> = (0..2_000).map(|seed| waits_call_by_call(seed, on_average)).collect();
        let mut quick: Vec<f64> = (0..2_000).map(|seed| waits_by_numbers(9_000 + seed, on_average)).collect();
        let gap = distance(&mut slow, &mut quick);
        // One in a thousand pairs of samples of this size is further apart.
        assert!(gap < 1.95 * (2.0_f64 / 2_000.0).sqrt(), "{on_average} calls: {gap}");
    }
}

#[test]
fn refused_calls_at_full_capacity_follow_the_erlang_formula() {
    let plan = plan(1, 15.0, 20, real());
    let (model, mut chance) = (CallModel::new(&plan), chance(3));
    let mut crowd = Crowd::new(&model, &plan.locations[0], plan.start, NOW, &mut chance);
    crowd.advance_to(NOW + Span::hours(24 * 200), &mut chance);
    // The Erlang B formula, by recursion.
    let erlang = (1..=20).fold(1.0, |blocked, n| 15.0 * blocked / (f64::from(n) + 15.0 * blocked));
    let refused = crowd.sums.refused as f64 / crowd.sums.offered as f64;
    assert!((refused / erlang - 1.0).abs() < 0.12, "{refused} of {erlang}");
}

#[test]
fn number_of_calls_is_kept_when_nodes_leave_and_return() {
    let plan = plan(4, 80.0, 500, real());
    let (model, mut chance) = (CallModel::new(&plan), chance(5));
    let mut crowd = Crowd::new(&model, &plan.locations[0], plan.start, NOW, &mut chance);
    let before = crowd.calls();
    let ends = crowd.close(0, &[], NOW, &mut chance);
    assert!(ends.len() > 5, "a quarter of {before} calls is not {}", ends.len());
    assert_eq!(crowd.calls() + ends.len() as u32, before);
    let since = crowd.open(&ends);
    assert_eq!((crowd.calls(), crowd.admitting, crowd.fewest), (before, 4, 3));
    assert_eq!(crowd.close(since, &ends, NOW, &mut chance), ends, "it has taken no call since");
}

#[test]
fn location_without_a_node_in_service_refuses_every_call() {
    let plan = plan(1, 20.0, 500, real());
    let (model, mut chance) = (CallModel::new(&plan), chance(7));
    let mut crowd = Crowd::new(&model, &plan.locations[0], plan.start, NOW, &mut chance);
    crowd.close(0, &[], NOW, &mut chance);
    let before = crowd.sums;
    crowd.advance_to(NOW + Span::hours(3), &mut chance);
    assert!(crowd.sums.offered > before.offered + 50);
    assert_eq!(crowd.sums.refused - before.refused, crowd.sums.offered - before.offered);
    assert_eq!((crowd.calls(), crowd.sums.moved), (0, before.moved));
}
