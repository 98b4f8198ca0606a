//! The forecast as text: a heading with the assumptions of every figure, then the run, its locations, and the capacity
//! over time. The figures come from crate `sim`.

use fleet::time::Span;
use sim::forecast::{Band, Forecast, LocationForecast, Plan, Spread};

use super::moments::{clock, moments};
use crate::args::{DayArg, SimulateArgs};
use crate::view::Canvas;
use crate::view::table::table;

/// Columns of the names in front of the figures.
const NAMES: usize = 19;

/// Numbers of attempts that are listed one by one; higher ones are summed up.
const ATTEMPTS_LISTED: usize = 4;

/// The lines.
pub(crate) fn lines(plan: &Plan, args: &SimulateArgs, foreseen: &Forecast, canvas: Canvas) -> Vec<String> {
    let mut lines = heading(plan, args, foreseen, canvas);
    lines.push(String::new());
    lines.extend(run(plan, foreseen));
    lines.push(String::new());
    lines.extend(locations(foreseen, canvas));
    lines.push(String::new());
    lines.extend(capacity(plan, foreseen, canvas));
    lines
}

fn heading(plan: &Plan, args: &SimulateArgs, foreseen: &Forecast, canvas: Canvas) -> Vec<String> {
    let calls: f64 = plan.locations.iter().map(|location| location.calls).sum();
    let load = match args.day {
        DayArg::Office => "at the busiest office hour",
        DayArg::Flat => "at every hour",
    };
    let policy = &plan.policy;
    let sentences = [
        format!("{}, started at {}.", nodes(foreseen.nodes), clock(plan.start, Span::ZERO)),
        format!(
            "Load: {:.0} calls {load}, each {} long on average (standard deviation {}).",
            calls,
            args.call_mean.span(),
            args.call_sd.span()
        ),
        format!(
            "Policy {}: nodes at once {}{}, drain limit {}, run limit {}, rest {}.",
            policy.name,
            policy.nodes_at_once,
            match policy.first_nodes {
                0 => String::new(),
                first => format!(" after the first {first}"),
            },
            policy.drain_limit,
            policy.run_limit,
            policy.rest
        ),
        format!(
            "Every figure rests on {} of seed {}: the median, and in brackets the bad case that 95 in a hundred \
             samples keep to.",
            samples(foreseen.samples),
            foreseen.seed
        ),
    ];
    sentences.iter().flat_map(|sentence| canvas.wrap("", sentence)).collect()
}

fn run(plan: &Plan, foreseen: &Forecast) -> Vec<String> {
    let limit = plan.policy.run_limit;
    let took = |took: Option<Span>| took.map_or(format!("not within {limit}"), |took| took.to_string());
    let Spread { median, p95, most: _ } = foreseen.took;
    let mut lines = vec![named("Time to finish", &format!("{} [{}]", took(median), took(p95)))];
    if foreseen.finished < foreseen.samples {
        let not = foreseen.samples - foreseen.finished;
        lines.push(named(
            "",
            &format!("does not finish within {limit} in {not} of {}", samples(foreseen.samples)),
        ));
        lines.push(named(&format!("Nodes left at {limit}"), &figures(foreseen.left)));
        lines.push(named("", "next: raise --nodes-at-once or --run-limit, or start when fewer people talk"));
    }
    lines.push(named("Attempts per node", &attempts(&foreseen.attempts)));
    lines.push(named("Calls offered", &figures(foreseen.offered)));
    lines.push(named("Calls moved", &format!("{}, placed on another node", figures(foreseen.moved))));
    lines.push(named(
        "Calls refused",
        &format!("{}, for want of a place on any node", figures(foreseen.refused)),
    ));
    lines
}

/// `1.04 on average; 1: 96.1 %, 2: 3.9 %`.
fn attempts(counts: &[u64]) -> String {
    let nodes: u64 = counts.iter().sum();
    let all: u64 = counts.iter().zip(0..).map(|(count, times)| count * times).sum();
    let part = |count: u64| format!("{:.1} %", 100.0 * count as f64 / nodes.max(1) as f64);
    let (listed, more) = counts.split_at(counts.len().min(ATTEMPTS_LISTED));
    let listed = listed.iter().enumerate().filter(|(_, count)| **count > 0);
    let mut words: Vec<String> = listed.map(|(times, count)| format!("{times}: {}", part(*count))).collect();
    if !more.is_empty() {
        let most = counts.len() - 1;
        words.push(format!("{ATTEMPTS_LISTED} to {most}: {}", part(more.iter().sum())));
    }
    format!("{:.2} on average; {}", all as f64 / nodes.max(1) as f64, words.join(", "))
}

fn locations(foreseen: &Forecast, canvas: Canvas) -> Vec<String> {
    let headings = ["LOCATION", "NODES", "FEWEST IN SERVICE", "FULLEST", "OFFERED", "MOVED", "REFUSED"];
    let row = |location: &LocationForecast| {
        let LocationForecast { name, nodes, out_of_service: out, fullest, offered, moved, refused, .. } =
            location;
        vec![
            name.clone(),
            nodes.to_string(),
            format!("{} [{}]", nodes - out.median, nodes - out.p95),
            format!("{} % [{} %]", fullest.median, fullest.p95),
            figures(*offered),
            figures(*moved),
            figures(*refused),
        ]
    };
    let mut lines = table(canvas, &headings, foreseen.locations.iter().map(row).collect());
    lines.push("FULLEST is the largest part of the places of all nodes in service that calls take.".into());
    lines
}

fn capacity(plan: &Plan, foreseen: &Forecast, canvas: Canvas) -> Vec<String> {
    let headings = ["AFTER", "CLOCK", "IN SERVICE", "UPGRADED"];
    let rows = moments(foreseen).into_iter().map(|moment| {
        vec![
            moment.after.to_string(),
            clock(plan.start, moment.after),
            band(moment.in_service),
            band(moment.upgraded),
        ]
    });
    let mut lines = table(canvas, &headings, rows.collect());
    let sentence = format!(
        "Nodes at each moment: the median of {}, and in brackets what 5 and 95 in a hundred keep to.",
        samples(foreseen.samples)
    );
    lines.extend(canvas.wrap("", &sentence));
    lines
}

fn named(name: &str, figures: &str) -> String {
    format!("{name:<NAMES$} {figures}")
}

fn figures<T: std::fmt::Display>(spread: Spread<T>) -> String {
    format!("{} [{}]", spread.median, spread.p95)
}

fn band(band: Band) -> String {
    format!("{} [{}-{}]", band.median, band.p5, band.p95)
}

fn nodes(count: u32) -> String {
    if count == 1 { "1 node".into() } else { format!("{count} nodes") }
}

/// `100 samples`.
pub(crate) fn samples(count: u32) -> String {
    if count == 1 { "1 sample".into() } else { format!("{count} samples") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_shown_as_shares_of_all_nodes() {
        let check = |counts: &[u64], expected: &str| assert_eq!(attempts(counts), expected);
        check(&[0, 90], "1.00 on average; 1: 100.0 %");
        check(&[5, 90, 5], "1.00 on average; 0: 5.0 %, 1: 90.0 %, 2: 5.0 %");
        check(&[0, 50, 0, 0, 25, 25], "2.75 on average; 1: 50.0 %, 4 to 5: 50.0 %");
    }
}
