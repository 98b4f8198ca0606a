//! Limits how fast passwords may be guessed, by token buckets. Pure: `now` comes in.
//!
//! Only a wrong password takes a token. It is charged to the bucket that identifies its sender best: a device
//! that has logged in before, an account at an address, or an address. Guesses of somebody else are charged
//! to another bucket, so they delay nobody but himself and those who cannot be distinguished from him.

use std::collections::BTreeMap;
use std::net::IpAddr;

use edge::permit_pool::SourcePrefix;
use fleet::time::{Span, Time};

use super::device::DeviceId;
use crate::bounded::make_room;
use crate::token_bucket::{Rate, TokenBucket};

/// The guesses at one account from one address, or with one device. A burst of ten is more than a person
/// mistypes; after it there are 8,640 a day, which would take three years for the ten million most common
/// passwords, none of which is as long as a new password must be.
const OF_ACCOUNT: Rate = Rate { burst: 10, interval: Span::seconds(10) };

/// The guesses of one address at any accounts: a few people behind it may mistype at once, and a client that
/// tries name after name is limited.
const OF_ADDRESS: Rate = Rate { burst: 30, interval: Span::seconds(2) };

/// How many buckets of each kind are remembered, at 200 bytes each. The one that is full first is forgotten
/// first.
const BUCKETS: usize = 4_096;

/// For how long an account is familiar at an address after it has logged in there.
const FAMILIAR: Span = Span::hours(30 * 24);

/// How many familiar pairs are remembered. Only a right password adds one.
const PAIRS: usize = 1_024;

/// The longest user name that is remembered, in characters; longer ones count as one.
const USER_LENGTH: usize = 128;

/// How much is known of the client that sends a password. It determines which bucket a wrong one is charged
/// to, and in which queue it is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientTrust {
    /// It has a valid device token of this account.
    Device(DeviceId),
    /// The account has logged in from this address before.
    Familiar,
    /// Nothing is known of it.
    Unknown,
}

/// One token bucket for each key, from which wrong passwords take. Full ones are forgotten.
#[derive(Debug)]
struct Buckets<K> {
    rate: Rate,
    buckets: BTreeMap<K, TokenBucket>,
}

impl<K: Ord + Clone> Buckets<K> {
    fn new(rate: Rate) -> Self {
        Self { rate, buckets: BTreeMap::new() }
    }

    /// How long until another guess is allowed.
    fn delay(&self, key: &K, now: Time) -> Span {
        self.buckets.get(key).copied().unwrap_or_default().delay(self.rate, now)
    }

    fn charge(&mut self, key: K, now: Time) {
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
        make_room(&mut self.buckets, BUCKETS, &key, |bucket| *bucket);
        self.buckets.entry(key).or_default().take(self.rate, now);
    }
}

/// An account at an address.
type Pair = (String, SourcePrefix);

/// The buckets, and who has logged in from where.
#[derive(Debug)]
pub(crate) struct Throttle {
    devices: Buckets<DeviceId>,
    pairs: Buckets<Pair>,
    addresses: Buckets<SourcePrefix>,
    familiar: BTreeMap<Pair, Time>,
}

impl Throttle {
    /// One without any history.
    pub(crate) fn new() -> Self {
        Self {
            devices: Buckets::new(OF_ACCOUNT),
            pairs: Buckets::new(OF_ACCOUNT),
            addresses: Buckets::new(OF_ADDRESS),
            familiar: BTreeMap::new(),
        }
    }

    /// What is known of the client that sends a password for `user`. The token of a device that was used for
    /// guessing is ignored until its bucket has refilled.
    pub(crate) fn trust(
        &self,
        user: &str,
        source: IpAddr,
        device: Option<DeviceId>,
        now: Time,
    ) -> ClientTrust {
        let trusted = device.filter(|device| self.devices.delay(device, now) == Span::ZERO);
        let is_familiar = || self.familiar.get(&pair(user, source)).is_some_and(|until| now < *until);
        match trusted {
            Some(device) => ClientTrust::Device(device),
            None if is_familiar() => ClientTrust::Familiar,
            None => ClientTrust::Unknown,
        }
    }

    /// How long a client with this trust must still wait, if at all.
    pub(crate) fn delay(&self, trust: ClientTrust, user: &str, source: IpAddr, now: Time) -> Option<Span> {
        let of_pair = || self.pairs.delay(&pair(user, source), now);
        let delay = match trust {
            ClientTrust::Device(device) => self.devices.delay(&device, now),
            ClientTrust::Familiar => of_pair(),
            ClientTrust::Unknown => of_pair().max(self.addresses.delay(&SourcePrefix::of(source), now)),
        };
        Some(delay).filter(|delay| *delay > Span::ZERO)
    }

    /// Charges a wrong password.
    pub(crate) fn failed(&mut self, trust: ClientTrust, user: &str, source: IpAddr, now: Time) {
        match trust {
            ClientTrust::Device(device) => self.devices.charge(device, now),
            ClientTrust::Familiar => self.pairs.charge(pair(user, source), now),
            ClientTrust::Unknown => {
                self.pairs.charge(pair(user, source), now);
                self.addresses.charge(SourcePrefix::of(source), now);
            }
        }
    }

    /// Notes a right password. The buckets stay as they are: whoever has an account, or uses the same address
    /// as its owner, must not gain guesses by it.
    pub(crate) fn succeeded(&mut self, user: &str, source: IpAddr, now: Time) {
        self.familiar.retain(|_, until| now < *until);
        let pair = pair(user, source);
        make_room(&mut self.familiar, PAIRS, &pair, |until| *until);
        self.familiar.insert(pair, now + FAMILIAR);
    }
}

fn pair(user: &str, source: IpAddr) -> Pair {
    (user.chars().take(USER_LENGTH).collect(), SourcePrefix::of(source))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    const DEVICE: DeviceId = DeviceId([7; 16]);

    impl Throttle {
        /// Guesses as fast as is allowed until a time; returns the number of guesses.
        fn guess(&mut self, user: &str, source: IpAddr, from: Time, until: Time) -> u32 {
            let (mut now, mut guesses) = (from, 0);
            while now < until {
                let trust = self.trust(user, source, None, now);
                match self.delay(trust, user, source, now) {
                    Some(delay) => now = now + delay,
                    None => {
                        self.failed(trust, user, source, now);
                        guesses += 1;
                    }
                }
            }
            guesses
        }

        fn delay_of(&self, user: &str, source: IpAddr, device: Option<DeviceId>, now: Time) -> Option<Span> {
            self.delay(self.trust(user, source, device, now), user, source, now)
        }
    }

    #[test]
    fn guesses_at_an_account_from_an_address_are_bounded_by_the_day() {
        let mut throttle = Throttle::new();
        let day = Time(0) + Span::hours(24);
        assert_eq!(throttle.guess("admin", HERE, Time(0), day), 10 + 8_639);
        assert_eq!(throttle.delay_of("admin", HERE, None, Time(0) + Span::hours(48)), None);
    }

    #[test]
    fn guesses_from_elsewhere_delay_nobody_here() {
        let mut throttle = Throttle::new();
        throttle.guess("admin", ELSEWHERE, Time(0), Time(1));
        assert!(throttle.delay_of("admin", ELSEWHERE, None, Time(0)).is_some());
        assert_eq!(throttle.delay_of("admin", HERE, None, Time(0)), None);
    }

    #[test]
    fn guesses_from_the_same_address_delay_no_device_that_has_logged_in() {
        let mut throttle = Throttle::new();
        throttle.guess("admin", HERE, Time(0), Time(1));
        assert!(throttle.delay_of("admin", HERE, None, Time(0)).is_some());
        assert_eq!(throttle.delay_of("admin", HERE, Some(DEVICE), Time(0)), None);
    }

    #[test]
    fn device_that_guesses_is_no_device_any_more_and_gains_nothing() {
        let mut throttle = Throttle::new();
        let mut guesses = 0;
        for _ in 0..100 {
            let trust = throttle.trust("admin", HERE, Some(DEVICE), Time(0));
            if throttle.delay(trust, "admin", HERE, Time(0)).is_none() {
                throttle.failed(trust, "admin", HERE, Time(0));
                guesses += 1;
            }
        }
        assert_eq!(guesses, 20, "ten with the device and ten without it");
    }

    #[test]
    fn address_that_tries_name_after_name_is_slowed_down_and_those_at_home_there_are_not() {
        let mut throttle = Throttle::new();
        throttle.succeeded("admin", HERE, Time(0));
        let tried =
            (0..1_000).map(|n| throttle.guess(&format!("user {n}"), HERE, Time(0), Time(1))).sum::<u32>();
        assert_eq!(tried, OF_ADDRESS.burst);
        assert!(throttle.delay_of("somebody new", HERE, None, Time(0)).is_some());
        assert_eq!(throttle.delay_of("admin", HERE, None, Time(0)), None);
        assert_eq!(throttle.delay_of("somebody new", ELSEWHERE, None, Time(0)), None);
    }

    #[test]
    fn right_password_gives_no_guesses_back() {
        let mut throttle = Throttle::new();
        throttle.guess("admin", HERE, Time(0), Time(1));
        throttle.succeeded("admin", HERE, Time(0));
        assert!(throttle.delay_of("admin", HERE, None, Time(0)).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten() {
        let mut throttle = Throttle::new();
        for n in 0..=u32::try_from(BUCKETS).unwrap() {
            throttle.failed(ClientTrust::Unknown, "admin", Ipv4Addr::from_bits(n).into(), Time(u64::from(n)));
        }
        assert_eq!(throttle.pairs.buckets.len(), BUCKETS);
        throttle.failed(ClientTrust::Unknown, "admin", HERE, Time(0) + Span::hours(1));
        assert_eq!((throttle.pairs.buckets.len(), throttle.addresses.buckets.len()), (1, 1));
        (0..=PAIRS).for_each(|n| throttle.succeeded(&format!("user {n}"), HERE, Time(n as u64)));
        assert_eq!(throttle.familiar.len(), PAIRS);
        let later = Time(PAIRS as u64) + FAMILIAR;
        assert_eq!(throttle.trust("user 1", HERE, None, later), ClientTrust::Unknown);
    }
}
