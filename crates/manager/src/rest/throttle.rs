//! A delay that grows with every wrong password, for each user and source address. Pure: `now`
//! comes in.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fleet::time::{Span, Time};

/// How many wrong passwords in a row are answered without a delay: a person mistypes.
const FREE_FAILURES: u32 = 3;

/// The first delay; it doubles with every further failure.
const FIRST_DELAY: Span = Span::seconds(1);

/// The longest delay. Longer ones would lock out the operator more than the attacker.
const LONGEST_DELAY: Span = Span::minutes(1);

/// How long failures are remembered after the last one.
const REMEMBERED: Span = Span::minutes(15);

/// How many pairs of user and source address are remembered, at 200 bytes each.
const ENTRIES: usize = 4_096;

/// The longest user name that is remembered, in characters; longer ones count as one.
const USER_LENGTH: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Time,
}

impl Failures {
    fn free_at(self) -> Time {
        let Some(doublings) = self.count.checked_sub(FREE_FAILURES + 1) else { return self.last };
        let delay = FIRST_DELAY.0.checked_shl(doublings.min(16)).unwrap_or(u64::MAX);
        self.last + Span(delay.min(LONGEST_DELAY.0))
    }
}

/// Who failed how often.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: BTreeMap<(String, IpAddr), Failures>,
}

impl Throttle {
    /// How long this user must still wait at this address, if at all.
    pub(crate) fn delay(&self, user: &str, source: IpAddr, now: Time) -> Option<Span> {
        let failures = self.failures.get(&key(user, source))?;
        Some(now.until(failures.free_at())).filter(|delay| *delay > Span::ZERO)
    }

    /// The password was wrong.
    pub(crate) fn failed(&mut self, user: &str, source: IpAddr, now: Time) {
        self.failures.retain(|_, failures| now.since(failures.last) < REMEMBERED);
        let key = key(user, source);
        if self.failures.len() >= ENTRIES && !self.failures.contains_key(&key) {
            self.forget_oldest();
        }
        let failures = self.failures.entry(key).or_insert(Failures { count: 0, last: now });
        *failures = Failures { count: failures.count.saturating_add(1), last: now };
    }

    /// The password was right.
    pub(crate) fn succeeded(&mut self, user: &str, source: IpAddr) {
        self.failures.remove(&key(user, source));
    }

    fn forget_oldest(&mut self) {
        let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.failures.remove(&key);
        }
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
        let mut throttle = Throttle::default();
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
        let mut throttle = Throttle::default();
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
        let mut throttle = Throttle::default();
        for n in 0..=ENTRIES {
            throttle.failed(&format!("user {n}"), HERE, Time(n as u64));
        }
        assert_eq!(throttle.failures.len(), ENTRIES);
        throttle.failed("late", HERE, Time(0) + Span::hours(1));
        assert_eq!(throttle.failures.len(), 1);
    }
}
