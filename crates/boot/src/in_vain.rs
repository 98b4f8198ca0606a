//! The starts of a confirmed release that come to nothing. boot has no other release to turn to then, so all
//! that it can do is try again and say so. Pure.

/// Whether the operator is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// So many starts in a row have come to nothing.
    Now {
        /// How many.
        starts: u32,
    },
    /// Not yet, or not again so soon.
    Not,
}

/// The starts in a row that have ended before the release was ready.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InVain {
    starts: u32,
}

impl InVain {
    /// A start has ended before the release was ready. The operator is told after as many as a new release has
    /// tries, and each time that they have doubled: the release's own lines must stay readable.
    pub(crate) fn ended(&mut self, tries: u32) -> Tell {
        self.starts = self.starts.saturating_add(1);
        let (times, rest) = (self.starts / tries.max(1), self.starts % tries.max(1));
        match rest == 0 && times.is_power_of_two() {
            true => Tell::Now { starts: self.starts },
            false => Tell::Not,
        }
    }

    /// The release is ready; says how many starts before had come to nothing.
    pub(crate) fn ready(&mut self) -> u32 {
        std::mem::take(&mut self.starts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_is_told_after_the_tries_and_whenever_they_have_doubled() {
        let mut in_vain = InVain::default();
        let told: Vec<u32> = (1..=24).filter(|_| in_vain.ended(3) != Tell::Not).collect();
        assert_eq!(told, [3, 6, 12, 24]);
        assert_eq!(in_vain.ready(), 24);
        assert_eq!((in_vain.ended(1), in_vain.ready()), (Tell::Now { starts: 1 }, 1));
    }
}
