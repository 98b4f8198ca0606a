//! Summarises samples. Each figure is given by its median and a bad case: the values that half and 95 in a hundred of
//! the samples do not exceed.

use fleet::time::Span;

use super::plan::Plan;
use super::sample::{Sample, pace};

/// How a figure differs between the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread<T> {
    /// Half of the samples stay at or below this.
    pub median: T,
    /// 95 in a hundred samples stay at or below this.
    pub p95: T,
    /// All samples stay at or below this.
    pub most: T,
}

/// How a figure differs at one time: 5 in a hundred samples are below `p5`, 5 above `p95`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// The lower edge.
    pub p5: u32,
    /// The middle.
    pub median: u32,
    /// The upper edge.
    pub p95: u32,
}

/// The forecast for a location.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationForecast {
    /// Its name.
    pub name: String,
    /// Its nodes.
    pub nodes: u32,
    /// The most nodes out of service at one time.
    pub out_of_service: Spread<u32>,
    /// Calls that came during the run.
    pub offered: Spread<u64>,
    /// Calls for which no node of the location had capacity.
    pub refused: Spread<u64>,
    /// Calls to a node out of service that were placed on another of the location.
    pub moved: Spread<u64>,
    /// The largest used fraction of the capacity in service, in percent.
    pub fullest: Spread<u64>,
    /// Nodes in service at each point.
    pub in_service: Vec<Band>,
}

/// The forecast of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// The number of samples.
    pub samples: u32,
    /// The seed of the samples.
    pub seed: u64,
    /// Nodes of the platform.
    pub nodes: u32,
    /// Samples in which every node was upgraded within the run limit.
    pub finished: u32,
    /// How long the run takes; `None` where it does not finish.
    pub took: Spread<Option<Span>>,
    /// Nodes that are left when the run ends.
    pub left: Spread<u32>,
    /// How many nodes of all samples had so many attempts, from none upwards.
    pub attempts: Vec<u64>,
    /// Calls refused on the whole platform.
    pub refused: Spread<u64>,
    /// Calls that came to the whole platform during the run.
    pub offered: Spread<u64>,
    /// Calls to a node out of service that were placed on another.
    pub moved: Spread<u64>,
    /// The locations.
    pub locations: Vec<LocationForecast>,
    /// The interval between the points of the curves.
    pub pace: Span,
    /// Nodes of the whole platform in service at each point.
    pub in_service: Vec<Band>,
    /// Nodes upgraded at each point.
    pub upgraded: Vec<Band>,
    /// Events that the state machines applied, in all samples.
    pub events: u64,
}

/// Summarises the samples.
pub(super) fn summed(plan: &Plan, seed: u64, samples: &[Sample]) -> Forecast {
    let points = samples.iter().map(|sample| sample.upgraded.len()).max().unwrap_or_default();
    let took = |sample: &Sample| if sample.complete { sample.took } else { Span(u64::MAX) };
    let took = spread(samples.iter().map(took));
    let known = |span: Span| (span.0 < u64::MAX).then_some(span);
    let refused =
        |sample: &Sample| sample.locations.iter().map(|location| location.sums.refused).sum::<u64>();
    let offered =
        |sample: &Sample| sample.locations.iter().map(|location| location.sums.offered).sum::<u64>();
    let moved = |sample: &Sample| sample.locations.iter().map(|location| location.sums.moved).sum::<u64>();
    let in_service: Vec<Vec<u32>> = samples.iter().map(in_service).collect();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Forecast {
        samples: count(samples.len()),
        seed,
        nodes: plan.nodes(),
        finished: count(samples.iter().filter(|sample| sample.complete).count()),
        took: Spread { median: known(took.median), p95: known(took.p95), most: known(took.most) },
        left: spread(samples.iter().map(|sample| sample.left)),
        attempts: attempts(samples),
        refused: spread(samples.iter().map(refused)),
        offered: spread(samples.iter().map(offered)),
        moved: spread(samples.iter().map(moved)),
        locations: (0..plan.locations.len()).map(|at| location(plan, at, samples, points)).collect(),
        pace: pace(plan),
        in_service: bands(points, in_service.iter().map(Vec::as_slice)),
        upgraded: bands(points, samples.iter().map(|sample| sample.upgraded.as_slice())),
        events: samples.iter().map(|sample| sample.events).sum(),
    }
}

fn location(plan: &Plan, at: usize, samples: &[Sample], points: usize) -> LocationForecast {
    let location = &plan.locations[at];
    let drawn = || samples.iter().map(|sample| &sample.locations[at]);
    LocationForecast {
        name: location.name.clone(),
        nodes: location.nodes,
        out_of_service: spread(drawn().map(|one| location.nodes - one.fewest)),
        offered: spread(drawn().map(|one| one.sums.offered)),
        refused: spread(drawn().map(|one| one.sums.refused)),
        moved: spread(drawn().map(|one| one.sums.moved)),
        fullest: spread(drawn().map(|one| (one.fullest * 100.0).round() as u64)),
        in_service: bands(points, drawn().map(|one| one.in_service.as_slice())),
    }
}

/// Nodes of all locations in service at each point.
fn in_service(sample: &Sample) -> Vec<u32> {
    let at =
        |point: usize| sample.locations.iter().filter_map(|location| location.in_service.get(point)).sum();
    (0..sample.upgraded.len()).map(at).collect()
}

fn attempts(samples: &[Sample]) -> Vec<u64> {
    let mut sums = Vec::new();
    for attempts in samples.iter().flat_map(|sample| &sample.attempts) {
        let at = *attempts as usize;
        if sums.len() <= at {
            sums.resize(at + 1, 0);
        }
        sums[at] += 1;
    }
    sums
}

/// The smallest value that `percent` in a hundred of the values do not exceed.
fn quantile<T: Copy + Ord>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn spread<T: Copy + Ord + Default>(values: impl Iterator<Item = T>) -> Spread<T> {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort_unstable();
    let at = |percent| quantile(&sorted, percent).unwrap_or_default();
    Spread { median: at(50), p95: at(95), most: at(100) }
}

/// The bands of curves; a curve that has ended keeps its last value.
fn bands<'a>(points: usize, curves: impl Iterator<Item = &'a [u32]>) -> Vec<Band> {
    let curves: Vec<&[u32]> = curves.collect();
    let band = |point: usize| {
        let value = |curve: &&[u32]| curve.get(point).or(curve.last()).copied().unwrap_or_default();
        let mut sorted: Vec<u32> = curves.iter().map(value).collect();
        sorted.sort_unstable();
        let at = |percent| quantile(&sorted, percent).unwrap_or_default();
        Band { p5: at(5), median: at(50), p95: at(95) }
    };
    (0..points).map(band).collect()
}
