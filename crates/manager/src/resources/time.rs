//! Times as the management API prints them: UTC, ISO 8601 without a zone, always six digits of fraction, so
//! that clients that parse strictly can read them.

use fleet::time::Wall;
use jiff::Timestamp;

/// The text of a time of the wall clock, such as `2026-11-23T18:05:27.000000`. The platform's time must not
/// be printed: `Fleet::shown` converts it to that of the wall clock.
pub(crate) fn text(wall: Wall) -> String {
    let milliseconds = i64::try_from(wall.0).unwrap_or(i64::MAX);
    let moment = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX);
    moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moment_has_six_digits_of_fraction_and_no_zone() {
        let check = |milliseconds, expected| assert_eq!(text(Wall(milliseconds)), expected);
        check(0, "1970-01-01T00:00:00.000000");
        check(1_606_509_644_605, "2020-11-27T20:40:44.605000");
        check(u64::MAX, "9999-12-30T22:00:00.999999");
    }
}
