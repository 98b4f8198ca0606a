//! Makes the plan of a forecast from the arguments, or from the state of a running platform, and checks it.

use fleet::platform::NODES_AT_MOST;
use fleet::policy::Policy;
use fleet::time::Span;
use sim::forecast::{Day, Lengths, Location, Machines, Plan};

use super::platform::PlatformState;
use crate::args::{Clock, DayArg, LocationArg, PolicyArgs, SimulateArgs};
use crate::failure::Failure;

/// Calls on a node at the busiest hour if not given.
pub(crate) const CALLS_PER_NODE: f64 = 20.0;

/// When Start is pressed if not given: there are few calls then.
pub(crate) const START: Span = Span::hours(3);

/// The name of the location if only a number of nodes is given.
const ONE_LOCATION: &str = "all nodes";

/// The longest limit of a run, as the Management Node has it.
const LONGEST_LIMIT: Span = Span::hours(7 * 24);

/// A plan for a fleet that is given by options alone.
///
/// # Errors
/// The options are contradictory or out of bounds.
pub(crate) fn of_options(args: &SimulateArgs) -> Result<Plan, Failure> {
    let one = args.nodes.map(|nodes| LocationArg { name: ONE_LOCATION.into(), nodes, ahead: Span::ZERO });
    let places: Vec<LocationArg> = one.into_iter().chain(args.locations.iter().cloned()).collect();
    let calls = args.calls_per_node.unwrap_or(CALLS_PER_NODE);
    let location = |place: LocationArg| Location {
        calls: calls * f64::from(place.nodes),
        name: place.name,
        nodes: place.nodes,
        ahead: place.ahead,
        calls_now: None,
    };
    let locations = places.into_iter().map(location).collect();
    let start = args.start.map_or(START, |Clock(start)| start);
    assemble(args, locations, Policy::standard(), start)
}

/// A plan for the fleet of a running platform. If Start is pressed now, the nodes begin with their present calls. The
/// calls of the busiest hour are estimated from them by the share that the present hour has of it.
///
/// # Errors
/// The load cannot be estimated, or the options are contradictory or out of bounds.
pub(crate) fn of_platform(args: &SimulateArgs, present: PlatformState) -> Result<Plan, Failure> {
    let PlatformState { locations, policy, clock } = present;
    let calls_now: u64 = locations.values().flatten().copied().map(u64::from).sum();
    if calls_now == 0 && args.calls_per_node.is_none() {
        return Err(Failure::Usage(
            "the platform has no calls now, so its load cannot be estimated; give --calls-per-node".into(),
        ));
    }
    let part = day(args.day).part_at(clock);
    let start = args.start.map_or(clock, |Clock(start)| start);
    let locations = locations.into_iter().map(|(name, calls)| {
        let nodes = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let now: f64 = calls.iter().copied().map(f64::from).sum();
        let (busiest, calls_now) = match args.calls_per_node {
            Some(per_node) => (per_node * f64::from(nodes), None),
            None => (now / part, (start == clock).then_some(calls)),
        };
        Location { name, nodes, calls: busiest, ahead: Span::ZERO, calls_now }
    });
    assemble(args, locations.collect(), policy, start)
}

fn assemble(
    args: &SimulateArgs,
    locations: Vec<Location>,
    default: Policy,
    start: Span,
) -> Result<Plan, Failure> {
    let plan = Plan {
        locations,
        policy: with_limits(default, &args.policy)?,
        lengths: Lengths::new(args.call_mean.span(), args.call_sd.span()),
        day: day(args.day),
        places_per_node: args.places_per_node,
        machines: Machines {
            manager: args.manager_away.span(),
            staging: args.staging.span(),
            away: args.away.span(),
        },
        start,
    };
    let nodes: u64 = plan.locations.iter().map(|location| u64::from(location.nodes)).sum();
    if nodes > NODES_AT_MOST as u64 {
        return Err(Failure::Usage(format!(
            "{nodes} nodes are more than the {NODES_AT_MOST} that a platform has"
        )));
    }
    let mut names: Vec<&str> = plan.locations.iter().map(|location| location.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Failure::Usage(format!("the location {} is given twice", pair[0]))),
        None => Ok(plan),
    }
}

fn day(day: DayArg) -> Day {
    match day {
        DayArg::Office => Day::office(),
        DayArg::Flat => Day::flat(),
    }
}

/// The policy of a run that is started with these limits, within the bounds of the Management Node.
fn with_limits(default: Policy, args: &PolicyArgs) -> Result<Policy, Failure> {
    let PolicyArgs {
        nodes_at_once,
        drain_limit,
        run_limit,
        rest,
        first_nodes,
        stop_at_failures,
        stop_at_failure_percent,
    } = args;
    let mut policy = default.clone();
    let numbers = [
        ("--nodes-at-once", nodes_at_once, &mut policy.nodes_at_once, 1, NODES_AT_MOST),
        ("--first-nodes", first_nodes, &mut policy.first_nodes, 0, NODES_AT_MOST),
        ("--stop-at-failures", stop_at_failures, &mut policy.stop_at_failures, 0, NODES_AT_MOST),
        ("--stop-at-failure-percent", stop_at_failure_percent, &mut policy.stop_at_failure_percent, 1, 100),
    ];
    for (name, given, number, least, most) in numbers {
        let Some(given) = *given else { continue };
        if !(least..=most).contains(&(given as usize)) {
            return Err(Failure::Usage(format!("{name} must be from {least} to {most}")));
        }
        *number = given;
    }
    let limits = [
        ("--drain-limit", drain_limit, &mut policy.drain_limit, Span::seconds(1)),
        ("--run-limit", run_limit, &mut policy.run_limit, Span::seconds(1)),
        ("--rest", rest, &mut policy.rest, Span::ZERO),
    ];
    for (name, given, limit, least) in limits {
        let Some(given) = given.map(|given| given.span()) else { continue };
        if !(least..=LONGEST_LIMIT).contains(&given) {
            return Err(Failure::Usage(format!("{name} must be from {least} to {LONGEST_LIMIT}")));
        }
        *limit = given;
    }
    if policy != default {
        policy.name.push_str(", adapted");
    }
    Ok(policy)
}
