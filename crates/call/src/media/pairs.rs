//! Which pair of ports the next leg gets: a random one of those that are free, and none that was in use a moment ago
//! while there is another. Pure: opens no port, draws no random number.

use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::time::Time;

/// How long a port rests after a call, so that late packets of its far end do not meet the next call. A far end that
/// misses the BYE has it repeated for 64 times T1 (RFC 3261 section 17.1.2.2).
const REST: Duration = Duration::from_secs(32);

/// The pairs of a range, each named by its even port.
#[derive(Debug)]
pub(crate) struct Pairs {
    free: Vec<u16>,
    /// Those that were given back, the earliest first.
    resting: VecDeque<(Time, u16)>,
    used: BTreeSet<u16>,
}

impl Pairs {
    /// All pairs of the range, free.
    pub(crate) fn new(range: &RangeInclusive<u16>) -> Pairs {
        Pairs { free: even(range).collect(), resting: VecDeque::new(), used: BTreeSet::new() }
    }

    /// Takes a pair: the one of the free ones that the random number chooses, or else the one that has rested longest.
    pub(crate) fn take(&mut self, now: Time, random: u64) -> Option<u16> {
        while let Some((_, port)) = self.resting.pop_front_if(|(since, _)| now.since(*since) >= REST) {
            self.free.push(port);
        }
        let choice = random.checked_rem(self.free.len() as u64);
        let port = match choice {
            Some(place) => self.free.swap_remove(place as usize),
            None => self.resting.pop_front()?.1,
        };
        self.used.insert(port);
        Some(port)
    }

    /// Gives a pair back.
    pub(crate) fn give_back(&mut self, now: Time, port: u16) {
        if self.used.remove(&port) {
            self.resting.push_back((now, port));
        }
    }

    /// How many are taken.
    pub(crate) fn used(&self) -> usize {
        self.used.len()
    }

    /// How many there are.
    pub(crate) fn all(&self) -> usize {
        self.free.len() + self.resting.len() + self.used.len()
    }
}

/// The even ports of a range that have an odd one above them in it (RFC 3550 section 11).
pub(crate) fn even(range: &RangeInclusive<u16>) -> impl Iterator<Item = u16> + use<> {
    let first = range.start().checked_next_multiple_of(2).unwrap_or(u16::MAX);
    (first..*range.end()).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::super::random::Sequence;
    use super::*;

    #[test]
    fn pairs_are_even_ports_with_the_odd_one_above_them_in_the_range() {
        let check = |range: RangeInclusive<u16>, expected: &[u16]| {
            assert_eq!(even(&range).collect::<Vec<_>>(), expected, "{range:?}");
        };
        check(30_001..=30_006, &[30_002, 30_004]);
        check(30_002..=30_005, &[30_002, 30_004]);
        check(40_000..=40_001, &[40_000]);
        check(65_534..=65_535, &[65_534]);
        check(65_535..=65_535, &[]);
    }

    #[test]
    fn every_free_pair_is_taken_equally_often() {
        let mut sequence = Sequence::new(1);
        let mut taken = [0; 10];
        for _ in 0..10_000 {
            let mut pairs = Pairs::new(&(40_000..=40_019));
            pairs.take(Time(0), sequence.next());
            let port = pairs.take(Time(0), sequence.next()).expect("nine are free");
            taken[usize::from(port - 40_000) / 2] += 1;
        }
        assert!(taken.iter().all(|count| (800..1200).contains(count)), "{taken:?}");
    }

    #[test]
    fn pair_rests_unless_there_is_no_other() {
        let mut pairs = Pairs::new(&(40_000..=40_005));
        let mut taken: Vec<u16> = (0..3).filter_map(|random| pairs.take(Time(0), random)).collect();
        assert_eq!((pairs.take(Time(0), 0), pairs.used(), pairs.all()), (None, 3, 3));
        taken.iter().for_each(|port| pairs.give_back(Time(1000), *port));
        assert_eq!(pairs.take(Time(1000), 2), Some(taken[0]), "the one that has rested longest");
        pairs.give_back(Time(20_000), taken[0]);
        taken.remove(0);
        taken.sort_unstable();
        let mut next: Vec<u16> = (0..2).filter_map(|_| pairs.take(Time(33_000), 0)).collect();
        next.sort_unstable();
        assert_eq!(next, taken, "the third still rests");
        assert_eq!((pairs.used(), pairs.all()), (2, 3));
    }

    #[test]
    fn pair_is_given_back_once() {
        let mut pairs = Pairs::new(&(40_000..=40_001));
        let port = pairs.take(Time(0), 0).expect("one");
        [1, 2].into_iter().for_each(|ms| pairs.give_back(Time(ms), port));
        assert_eq!((pairs.used(), pairs.all()), (0, 1));
    }
}
