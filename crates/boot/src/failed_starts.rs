//! Counts the starts of a confirmed release that end before it is ready, and decides when they are reported to
//! the operator. There is no other release to fall back to, so boot starts it again in any case. Pure.

/// Whether the failed starts are reported to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// So many starts in a row have failed.
    Now {
        /// How many.
        starts: u32,
    },
    /// Not yet, or not again so soon.
    Not,
}

/// The starts in a row that have ended before the release was ready.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FailedStarts {
    starts: u32,
}

impl FailedStarts {
    /// A start has ended before the release was ready. It is reported after as many as a new release has tries,
    /// and each time that their number has doubled: the release's own log lines must stay readable.
    pub(crate) fn ended(&mut self, tries: u32) -> Report {
        self.starts = self.starts.saturating_add(1);
        let (times, rest) = (self.starts / tries.max(1), self.starts % tries.max(1));
        match rest == 0 && times.is_power_of_two() {
            true => Report::Now { starts: self.starts },
            false => Report::Not,
        }
    }

    /// The release is ready; returns how many starts in a row had failed before.
    pub(crate) fn ready(&mut self) -> u32 {
        std::mem::take(&mut self.starts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_starts_are_reported_after_the_tries_and_whenever_they_have_doubled() {
        let mut failed = FailedStarts::default();
        let reported: Vec<u32> = (1..=24).filter(|_| failed.ended(3) != Report::Not).collect();
        assert_eq!(reported, [3, 6, 12, 24]);
        assert_eq!(failed.ready(), 24);
        assert_eq!((failed.ended(1), failed.ready()), (Report::Now { starts: 1 }, 1));
    }
}
