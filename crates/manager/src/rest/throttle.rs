//! A delay that grows with every wrong password: for each user at one source address, and for each
//! address that tries many users. Pure: `now` comes in.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fleet::time::{Span, Time};

use crate::shares::origin;

/// How many wrong passwords in a row are answered without a delay: a person mistypes.
const FREE_FAILURES: u32 = 3;

/// The same for one address, whatever the user names. Of each name only the failures count that are
/// free for it: one tool with an old password is slowed down by itself, and its neighbours are not.
const FREE_FAILURES_OF_ADDRESS: u32 = 20;

/// The first delay; it doubles with every further failure.
const FIRST_DELAY: Span = Span::seconds(1);

/// The longest delay. Longer ones would lock out the operator more than the attacker.
const LONGEST_DELAY: Span = Span::minutes(1);

/// How long failures are remembered after the last one.
const REMEMBERED: Span = Span::minutes(15);

/// How many pairs of user and source address are remembered, and how many addresses, at 200 bytes each.
const ENTRIES: usize = 4_096;

/// The longest user name that is remembered, in characters; longer ones count as one.
const USER_LENGTH: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Time,
}

impl Failures {
    /// When the next attempt may be, if `free` failures cost nothing.
    fn free_at(self, free: u32) -> Time {
        let Some(doublings) = self.count.checked_sub(free + 1) else { return self.last };
        let delay = FIRST_DELAY.0.checked_shl(doublings.min(16)).unwrap_or(u64::MAX);
        self.last + Span(delay.min(LONGEST_DELAY.0))
    }
}

/// Failures of whatever is counted, so many at most.
#[derive(Debug)]
struct Table<K>(BTreeMap<K, Failures>);

impl<K: Ord + Clone> Table<K> {
    fn count(&self, key: &K) -> u32 {
        self.0.get(key).map_or(0, |failures| failures.count)
    }

    fn free_at(&self, key: &K, free: u32) -> Time {
        self.0.get(key).map_or(Time(0), |failures| failures.free_at(free))
    }

    fn failed(&mut self, key: K, now: Time) {
        self.0.retain(|_, failures| now.since(failures.last) < REMEMBERED);
        if self.0.len() >= ENTRIES && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.0.remove(&key);
            }
        }
        let failures = self.0.entry(key).or_insert(Failures { count: 0, last: now });
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
    }
}

/// Who failed how often.
#[derive(Debug)]
pub(crate) struct Throttle {
    users: Table<(String, IpAddr)>,
    addresses: Table<IpAddr>,
}

impl Throttle {
    /// One that has seen nobody yet.
    pub(crate) fn new() -> Self {
        Self { users: Table(BTreeMap::new()), addresses: Table(BTreeMap::new()) }
    }

    /// How long this user must still wait at this address, if at all.
    pub(crate) fn delay(&self, user: &str, source: IpAddr, now: Time) -> Option<Span> {
        let user = self.users.free_at(&key(user, source), FREE_FAILURES);
        let address = self.addresses.free_at(&origin(source), FREE_FAILURES_OF_ADDRESS);
        Some(now.until(user.max(address))).filter(|delay| *delay > Span::ZERO)
    }

    /// The password was wrong.
    pub(crate) fn failed(&mut self, user: &str, source: IpAddr, now: Time) {
        let key = key(user, source);
        let counts = self.users.count(&key) < FREE_FAILURES;
        self.users.failed(key, now);
        if counts {
            self.addresses.failed(origin(source), now);
        }
    }

    /// The password was right. What the address has done besides stays: whoever has an account must
    /// not make up with it for tries at others.
    pub(crate) fn succeeded(&mut self, user: &str, source: IpAddr) {
        self.users.0.remove(&key(user, source));
    }
}

fn key(user: &str, source: IpAddr) -> (String, IpAddr) {
    (user.chars().take(USER_LENGTH).collect(), source)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn the_delay_grows_with_every_wrong_password_up_to_a_minute() {
        let mut throttle = Throttle::new();
        let mut now = Time(0);
        let mut delays = Vec::new();
        for _ in 0..12 {
            throttle.failed("admin", HERE, now);
            let delay = throttle.delay("admin", HERE, now).unwrap_or_default();
            delays.push(delay.0 / 1_000);
            now = now + delay;
        }
        assert_eq!(delays, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(throttle.delay("admin", HERE, now), None);
    }

    #[test]
    fn a_delay_concerns_one_user_at_one_address() {
        let mut throttle = Throttle::new();
        (0..9).for_each(|_| throttle.failed("admin", HERE, Time(0)));
        let elsewhere = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        assert!(throttle.delay("admin", HERE, Time(0)).is_some());
        assert_eq!(throttle.delay("admin", elsewhere, Time(0)), None);
        assert_eq!(throttle.delay("other", HERE, Time(0)), None);
        throttle.succeeded("admin", HERE);
        assert_eq!(throttle.delay("admin", HERE, Time(0)), None);
    }

    #[test]
    fn failures_are_forgotten_and_their_table_is_bounded() {
        let mut throttle = Throttle::new();
        for n in 0..=ENTRIES {
            throttle.failed(&format!("user {n}"), HERE, Time(n as u64));
        }
        assert_eq!(throttle.users.0.len(), ENTRIES);
        throttle.failed("late", HERE, Time(0) + Span::hours(1));
        assert_eq!(throttle.users.0.len(), 1);
    }

    #[test]
    fn an_address_that_changes_the_user_name_with_every_try_is_slowed_down_and_others_are_not() {
        let mut throttle = Throttle::new();
        for n in 0..FREE_FAILURES_OF_ADDRESS {
            assert_eq!(throttle.delay(&format!("user {n}"), HERE, Time(0)), None, "try {n}");
            throttle.failed(&format!("user {n}"), HERE, Time(0));
        }
        throttle.failed("one more", HERE, Time(0));
        assert_eq!(throttle.delay("another", HERE, Time(0)), Some(FIRST_DELAY));
        throttle.failed("another", HERE, Time(0));
        throttle.succeeded("another", HERE);
        assert_eq!(throttle.delay("another", HERE, Time(0)), Some(Span(2 * FIRST_DELAY.0)));
        assert_eq!(throttle.delay("admin", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), Time(0)), None);
        assert_eq!(throttle.delay("another", HERE, Time(0) + REMEMBERED), None);
    }

    #[test]
    fn a_tool_with_an_old_password_does_not_slow_down_its_neighbours() {
        let mut throttle = Throttle::new();
        (0..1_000).for_each(|_| throttle.failed("tool", HERE, Time(0)));
        assert_eq!(throttle.delay("admin", HERE, Time(0)), None);
    }
}
