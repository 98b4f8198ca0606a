//! Arguments of `pitlane simulate`: types, parsers and bounds. The plan of the forecast is made in `simulate::plan`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, ValueEnum, ValueHint};
use fleet::platform::NODES_AT_MOST;
use fleet::time::Span;

use super::upgrade::PolicyArgs;
use crate::span::Seconds;

/// Most samples: the 95th percentile is stable long before that.
const MOST_SAMPLES: i64 = 10_000;

/// Most calls and call places of a node: far more than a machine carries.
const MOST_CALLS: u32 = 10_000;

/// Longest mean and deviation of call durations: calls are simulated for 48 h.
const LONGEST_MEAN: Span = Span::hours(12);

/// The options of a forecast.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("fleet").required(true))]
pub(crate) struct SimulateArgs {
    /// How many nodes there are, all in one location.
    #[arg(long, group = "fleet", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=NODES_AT_MOST as i64))]
    pub(crate) nodes: Option<u32>,
    /// The locations with their nodes, like London=120,Oslo=80@1h,Boston=20@-5h. The part after @ is the location's
    /// offset from UTC.
    #[arg(long, group = "fleet", value_name = "NAME=N,…", value_delimiter = ',')]
    pub(crate) locations: Vec<LocationArg>,
    /// Reads nodes, locations, present calls and the default policy from the running platform. Nothing is changed
    /// there.
    #[arg(long, group = "fleet")]
    pub(crate) from_platform: bool,

    /// Calls on a node at the busiest hour. If not given, 20; with --from-platform, estimated from the present calls.
    #[arg(long, value_name = "N", value_parser = calls)]
    pub(crate) calls_per_node: Option<f64>,
    /// How long a call lasts on average.
    #[arg(long, value_name = "TIME", default_value = "27m", value_parser = mean)]
    pub(crate) call_mean: Seconds,
    /// The standard deviation of that. Durations are lognormal.
    #[arg(long, value_name = "TIME", default_value = "20m", value_parser = deviation)]
    pub(crate) call_sd: Seconds,
    /// How the load changes over a day.
    #[arg(long, default_value = "office")]
    pub(crate) day: DayArg,
    /// Calls that a node can have at one time.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_CALLS)))]
    pub(crate) places_per_node: u32,

    /// When Start is pressed, in UTC: 03:00, or the hour alone. If not given, 03:00; with --from-platform, now.
    #[arg(long, value_name = "CLOCK")]
    pub(crate) start: Option<Clock>,
    /// How long it takes until the Management Node runs the new release.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = some_time)]
    pub(crate) manager_away: Seconds,
    /// How long it takes until the package has arrived on every node and is unpacked.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = some_time)]
    pub(crate) staging: Seconds,
    /// How long a node takes no calls between its last call and its return.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = some_time)]
    pub(crate) away: Seconds,

    /// How many runs are simulated. Every figure is computed from all of them.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=MOST_SAMPLES))]
    pub(crate) samples: u32,
    /// The seed of the random numbers. The same seed gives the same figures.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Draws capacity and progress over time into this file, which is replaced if it exists.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) svg: Option<PathBuf>,

    /// The limits of the run.
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

/// How the load changes over a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DayArg {
    /// Office hours by each location's time: next to nothing at night, busiest at 10 and at 14.
    Office,
    /// The same at every hour.
    Flat,
}

/// A location and its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocationArg {
    /// Its name.
    pub(crate) name: String,
    /// Its nodes.
    pub(crate) nodes: u32,
    /// Its offset from UTC, from 0 to 24 h.
    pub(crate) ahead: Span,
}

/// The text is not a location with its nodes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a location with its nodes; write it like London=120, or Oslo=80@1h for clocks ahead of UTC"
)]
pub(crate) struct NotALocation(String);

impl FromStr for LocationArg {
    type Err = NotALocation;

    fn from_str(text: &str) -> Result<Self, NotALocation> {
        location(text).ok_or_else(|| NotALocation(text.chars().take(40).collect()))
    }
}

fn location(text: &str) -> Option<LocationArg> {
    let (name, rest) = text.split_once('=')?;
    let (nodes, ahead) = rest.split_once('@').unwrap_or((rest, "0h"));
    let day = Span::hours(24);
    let ahead = match ahead.strip_prefix('-') {
        Some(behind) => day.0.checked_sub(behind.parse::<Seconds>().ok()?.span().0).map(Span)?,
        None => ahead.strip_prefix('+').unwrap_or(ahead).parse::<Seconds>().ok()?.span(),
    };
    let nodes = nodes.trim().parse().ok().filter(|nodes| (1..=NODES_AT_MOST as u32).contains(nodes))?;
    let name = name.trim().to_string();
    (!name.is_empty() && ahead <= day).then_some(LocationArg { name, nodes, ahead })
}

/// A time of day: the time since midnight, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clock(pub(crate) Span);

/// The text is not a time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time of day; write it like 03:00 or 3, in UTC")]
pub(crate) struct NotAClock(String);

impl FromStr for Clock {
    type Err = NotAClock;

    fn from_str(text: &str) -> Result<Self, NotAClock> {
        let (hour, minute) = text.split_once(':').unwrap_or((text, "0"));
        let below = |text: &str, limit: u64| text.parse::<u64>().ok().filter(|number| *number < limit);
        match (below(hour, 24), below(minute, 60)) {
            (Some(hour), Some(minute)) => Ok(Self(Span::minutes(hour * 60 + minute))),
            (None, _) | (_, None) => Err(NotAClock(text.chars().take(40).collect())),
        }
    }
}

fn calls(text: &str) -> Result<f64, String> {
    let sane = |calls: &f64| (0.0..=f64::from(MOST_CALLS)).contains(calls);
    text.parse().ok().filter(sane).ok_or_else(|| format!("it is not a number from 0 to {MOST_CALLS}"))
}

fn mean(text: &str) -> Result<Seconds, String> {
    between(text, Span::seconds(1), LONGEST_MEAN)
}

fn deviation(text: &str) -> Result<Seconds, String> {
    between(text, Span::ZERO, LONGEST_MEAN)
}

fn some_time(text: &str) -> Result<Seconds, String> {
    between(text, Span::seconds(1), Span::hours(24))
}

fn between(text: &str, least: Span, most: Span) -> Result<Seconds, String> {
    let seconds: Seconds = text.parse().map_err(|error: crate::span::NotASpan| error.to_string())?;
    if (least..=most).contains(&seconds.span()) {
        Ok(seconds)
    } else {
        Err(format!("it must be from {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_is_read_with_its_nodes_and_its_clocks() {
        let check = |text: &str, expected: Option<(&str, u32, u64)>| {
            let place = text.parse::<LocationArg>().ok();
            let found = place.as_ref().map(|place| (place.name.as_str(), place.nodes, place.ahead.0));
            assert_eq!(found, expected, "{text:?}");
        };
        check("London=120", Some(("London", 120, 0)));
        check("New York=3@-5h", Some(("New York", 3, 19 * 3_600_000)));
        check("Oslo=80@+1h", Some(("Oslo", 80, 3_600_000)));
        for wrong in ["", "London", "=3", "London=0", "London=x", "London=-1", "a=3@25h", "a=3@-25h", "a=3@1"]
        {
            check(wrong, None);
        }
    }

    #[test]
    fn time_of_day_is_read_with_or_without_minutes() {
        let check = |text: &str, expected: Option<u64>| {
            let clock = text.parse::<Clock>().ok();
            assert_eq!(clock.map(|Clock(span)| span), expected.map(Span::minutes), "{text:?}");
        };
        check("03:30", Some(210));
        check("3", Some(180));
        check("00:00", Some(0));
        for wrong in ["", "24", "3:60", "-1", "3h", "03:30:00"] {
            check(wrong, None);
        }
    }
}
