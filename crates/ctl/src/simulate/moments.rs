//! The points in time that a table or an axis shows: from Start until the longest sample has ended, at round
//! intervals.

use fleet::time::Span;
use sim::forecast::{Band, Forecast};

/// Most points in time, without the last.
const MOST: u64 = 24;

/// Intervals between two points in time.
const DISTANCES: [Span; 8] = [
    Span::minutes(5),
    Span::minutes(15),
    Span::minutes(30),
    Span::hours(1),
    Span::hours(2),
    Span::hours(4),
    Span::hours(8),
    Span::hours(24),
];

/// The platform at one moment of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The time since Start.
    pub(crate) after: Span,
    /// Nodes in service.
    pub(crate) in_service: Band,
    /// Nodes upgraded.
    pub(crate) upgraded: Band,
}

/// How long the curves are.
pub(crate) fn length(foreseen: &Forecast) -> Span {
    Span(foreseen.pace.0 * foreseen.upgraded.len().saturating_sub(1) as u64)
}

/// The interval between two marks on an axis of this length.
pub(crate) fn distance(length: Span, most: u64) -> Span {
    let fits = |distance: &&Span| length.0 / distance.0 <= most;
    DISTANCES.iter().find(fits).copied().unwrap_or(DISTANCES[DISTANCES.len() - 1])
}

/// All points in time of the table.
pub(crate) fn moments(foreseen: &Forecast) -> Vec<Moment> {
    let length = length(foreseen);
    let distance = distance(length, MOST).0;
    let regular = (0..length.0.div_ceil(distance)).map(|nth| Span(nth * distance));
    regular.chain([length]).filter_map(|after| moment(foreseen, after)).collect()
}

fn moment(foreseen: &Forecast, after: Span) -> Option<Moment> {
    let point = (after.0 / foreseen.pace.0) as usize;
    let at = |curve: &[Band]| curve.get(point).copied();
    Some(Moment { after, in_service: at(&foreseen.in_service)?, upgraded: at(&foreseen.upgraded)? })
}

/// The time of day, UTC, so long after Start: `03:00Z`.
pub(crate) fn clock(start: Span, after: Span) -> String {
    let minutes = (start + after).0 / 60_000;
    format!("{:02}:{:02}Z", minutes / 60 % 24, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_between_points_in_time_are_round() {
        let check = |hours: u64, expected: Span| assert_eq!(distance(Span::hours(hours), MOST), expected);
        check(1, Span::minutes(5));
        check(5, Span::minutes(15));
        check(10, Span::minutes(30));
        check(24, Span::hours(1));
        check(168, Span::hours(8));
        check(9_999, Span::hours(24));
    }

    #[test]
    fn clock_wraps_at_midnight() {
        assert_eq!(clock(Span::hours(23), Span::minutes(61)), "00:01Z");
    }
}
