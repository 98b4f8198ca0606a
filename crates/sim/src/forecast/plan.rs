//! The input of a forecast: the fleet, its load, its policy, and how long machines take.

use fleet::policy::Policy;
use fleet::time::Span;

use super::lengths::{Lengths, seconds};

/// Hours of a day.
const HOURS: usize = 24;

/// Office hours, in percent of the busiest: nearly nothing at night, a peak in the morning and one after lunch.
const OFFICE: [f64; HOURS] = [
    2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 6.0, 20.0, 60.0, 90.0, 100.0, 95.0, 70.0, 85.0, 100.0, 95.0, 85.0, 60.0,
    30.0, 15.0, 10.0, 6.0, 4.0, 3.0,
];

/// How the load changes over a day: at each full hour a percentage of the busiest, linear between.
#[derive(Clone, Debug, PartialEq)]
pub struct Day(pub [f64; HOURS]);

impl Day {
    /// Office hours.
    pub fn office() -> Self {
        Self(OFFICE)
    }

    /// The same load at every hour.
    pub fn flat() -> Self {
        Self([100.0; HOURS])
    }

    /// The fraction of the busiest hour's load at this time of a day.
    pub fn part_at(&self, clock: Span) -> f64 {
        let hours = seconds(clock) / 3_600.0;
        let (hour, into) = (hours.floor() as usize, hours.fract());
        let at = |hour: usize| self.0.get(hour % HOURS).copied().unwrap_or_default() / 100.0;
        at(hour) * (1.0 - into) + at(hour + 1) * into
    }
}

/// A system location.
#[derive(Clone, Debug)]
pub struct Location {
    /// Its name.
    pub name: String,
    /// Its nodes, all of which take part.
    pub nodes: u32,
    /// Calls in progress in the whole location at its busiest hour.
    pub calls: f64,
    /// How far its clocks are ahead of UTC, from 0 to 24 h.
    pub ahead: Span,
    /// The calls on each node at the start, if they are known.
    pub calls_now: Option<Vec<u32>>,
}

/// How long machines take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machines {
    /// From Start until the Management Node runs the new release.
    pub manager: Span,
    /// Until the release has arrived on every node and is unpacked, while calls go on.
    pub staging: Span,
    /// From a node's last call until it takes calls again.
    pub away: Span,
}

/// The input of a forecast.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The locations.
    pub locations: Vec<Location>,
    /// How the run treats the nodes.
    pub policy: Policy,
    /// How long calls last.
    pub lengths: Lengths,
    /// How the load changes over a day, by the local time of each location.
    pub day: Day,
    /// Calls that a node can have at one time.
    pub places_per_node: u32,
    /// How long machines take.
    pub machines: Machines,
    /// When Start is pressed: the time since midnight, UTC.
    pub start: Span,
}

impl Plan {
    /// All nodes.
    pub fn nodes(&self) -> u32 {
        self.locations.iter().map(|location| location.nodes).sum()
    }
}
