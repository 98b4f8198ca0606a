//! Durations on the command line: `90s`, `15min`, `1h30m`. The unit is mandatory, so that nobody confuses hours and
//! seconds. Printing is done by [`fleet::time::Span`].

use std::str::FromStr;

use fleet::time::Span;

/// The longest length of time that is accepted, in seconds: thirty days.
const MAX_SECONDS: u64 = 30 * 24 * 3_600;

/// A length of time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) u64);

impl Seconds {
    /// The same as a span.
    pub(crate) fn span(self) -> Span {
        Span::seconds(self.0)
    }
}

/// The text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a length of time; write it with its unit, like 60s, 15m, 1h or 1h30m, 30 days at most")]
pub(crate) struct NotASpan(String);

impl FromStr for Seconds {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let refuse = || NotASpan(text.chars().take(40).collect());
        let seconds = parse(text.trim()).ok_or_else(refuse)?;
        if seconds <= MAX_SECONDS { Ok(Self(seconds)) } else { Err(refuse()) }
    }
}

fn parse(mut text: &str) -> Option<u64> {
    let mut total: Option<u64> = None;
    while !text.is_empty() {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text[..digits].parse().ok()?;
        let rest = text[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        total = Some(total.unwrap_or(0).checked_add(number.checked_mul(unit(&rest[..letters])?)?)?);
        text = rest[letters..].trim_start();
    }
    total
}

/// The seconds of a unit.
fn unit(name: &str) -> Option<u64> {
    match name {
        "s" | "sec" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(3_600),
        "d" => Some(24 * 3_600),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_read_with_its_unit() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(text.parse().ok().map(|Seconds(s)| s), expected, "{text:?}");
        };
        check("60s", Some(60));
        check("15 min", Some(900));
        check("1h30m", Some(5_400));
        check("1d", Some(86_400));
        check("0s", Some(0));
        for wrong in ["", "60", "h", "1y", "-1s", "1.5h", "31d", "99999999999999999999h"] {
            check(wrong, None);
        }
    }
}
