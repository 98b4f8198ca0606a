//! What was measured, and the table of it.

use std::time::Duration;

/// The times of requests of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Notes one.
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time within which so many percent of them ended; zero if there are none.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let last = sorted.len().saturating_sub(1);
        sorted.get(last * percent / 100).copied().unwrap_or_default()
    }

    /// The median.
    pub(crate) fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// The first or the last tenth, ten of them at least.
    pub(crate) fn part(&self, part: Part) -> Self {
        let count = (self.0.len() / 10).max(10).min(self.0.len());
        Self(match part {
            Part::First => self.0[..count].to_vec(),
            Part::Last => self.0[self.0.len() - count..].to_vec(),
        })
    }
}

impl From<Vec<Duration>> for Times {
    fn from(times: Vec<Duration>) -> Self {
        Self(times)
    }
}

/// Which of the times.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// The earliest.
    First,
    /// The latest.
    Last,
}

/// Prints a line of the table.
pub(crate) fn line(what: &str, value: &str) {
    println!("{what:<62} {value}");
}

/// Prints a line with a time and its ratio to another.
pub(crate) fn compared(what: &str, time: Duration, to: &str, reference: Duration) {
    let ratio = time.as_secs_f64() / reference.as_secs_f64().max(f64::MIN_POSITIVE);
    line(what, &format!("{time:.1?} = {ratio:.2} x {to} ({reference:.1?})"));
}
