//! Delays the answers to wrong enrolment tokens, longer with each one, per source address. A right token is
//! never delayed: nobody guesses one, so other requests from its address must not slow it down.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use edge::permit_pool::SourcePrefix;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::bounded::make_room;

/// How many wrong tokens are answered without delay: an old file that is tried a second time.
const FREE: u32 = 3;

/// The first delay; it doubles with every further wrong token.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest delay: an unauthenticated connection lasts 15 seconds at most, and one address has 16 of them,
/// so it gets two answers a second at most.
const LONGEST_DELAY: Duration = Duration::from_secs(8);

/// How long wrong tokens are remembered after the last one.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// How many addresses are remembered, at some 100 bytes each.
const ADDRESSES: usize = 1_024;

/// The number of wrong tokens of each source, and when the last one came.
#[derive(Debug, Default)]
pub struct Slowdown(Mutex<BTreeMap<SourcePrefix, (u32, Instant)>>);

impl Slowdown {
    /// Counts a wrong token from an address; returns how long the answer is delayed.
    pub(super) fn wrong(&self, address: IpAddr, now: Instant) -> Duration {
        let mut wrong = self.0.lock();
        wrong.retain(|_, (_, last)| now.duration_since(*last) < REMEMBERED);
        let prefix = SourcePrefix::of(address);
        make_room(&mut wrong, ADDRESSES, &prefix, |(_, last)| *last);
        let (count, last) = wrong.entry(prefix).or_insert((0, now));
        (*count, *last) = (count.saturating_add(1), now);
        match count.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => (FIRST_DELAY * (1 << doublings.min(8))).min(LONGEST_DELAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_tokens_from_one_address_are_answered_ever_later() {
        let (slowdown, now) = (Slowdown::default(), Instant::now());
        let wrong = |address: &str, now| slowdown.wrong(address.parse().unwrap(), now).as_secs();
        let delays: Vec<u64> = (0..9).map(|_| wrong("10.0.0.1", now)).collect();
        assert_eq!(delays, [0, 0, 0, 1, 2, 4, 8, 8, 8]);
        assert_eq!(wrong("10.0.0.2", now), 0, "one address is slowed down for another");
        assert_eq!(wrong("10.0.0.1", now + REMEMBERED), 0, "it is not forgotten");
    }

    #[test]
    fn table_is_bounded() {
        let (slowdown, now) = (Slowdown::default(), Instant::now());
        for n in 0..ADDRESSES as u32 + 10 {
            slowdown.wrong(IpAddr::V4(n.into()), now + Duration::from_millis(n.into()));
        }
        assert_eq!(slowdown.0.lock().len(), ADDRESSES);
    }
}
